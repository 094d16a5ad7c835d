"""A file of lines that grows."""

from collections.abc import Iterable
from io import FileIO
from pathlib import Path

from kerasunroll.errors import InputError


class LineFile:
    """A text file (UTF-8) that whole lines are appended to; the first line opens it, and each is on disk at once.

    Args:
        path: Path. Its folder is made.
        header: String. The first line of a new file; none by default.
    """

    def __init__(self, path: str | Path, header: str = "") -> None:
        self.path = Path(path)
        self._header = header
        self._file: FileIO | None = None

    def append(self, lines: Iterable[str]) -> None:
        """Write lines, given without their ends.

        Raises:
            OSError: If the file cannot be made, or the disk is full or gone.
            InputError: If the file has another header.
        """
        if self._file is None:
            self._file = self._opened()
        self._write(self._file, lines)

    def close(self) -> None:
        """Close the file; lines that come later are appended."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> FileIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = FileIO(self.path, "a+b")
        try:
            self._prepare(file)
        except BaseException:
            file.close()
            raise
        return file

    def _prepare(self, file: FileIO) -> None:
        if not file.seek(0, 2):
            self._write(file, [self._header] if self._header else [])
            return
        file.seek(-1, 2)
        if file.read(1) != b"\n":  # who wrote before was killed within a line
            self._write(file, [""])
        file.seek(0)
        expected = f"{self._header}\n".encode() if self._header else b""
        if file.read(len(expected)) != expected:
            raise InputError(
                f"'{self.path}': expected the first line '{self._header}', found another. Give a path that is free."
            )

    def _write(self, file: FileIO, lines: Iterable[str]) -> None:
        data = "".join(f"{line}\n" for line in lines).encode()
        # One call of the system, so that lines of several writers do not mix.
        if file.write(data) != len(data):
            raise OSError(f"'{self.path}': only part of an entry could be written; the disk may be full.")
