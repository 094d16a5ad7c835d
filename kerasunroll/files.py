"""Writing a file whole or not at all."""

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kerasunroll.errors import InputError, RunError

_NOT_WRITABLE: Final = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write `content` to `path` so that a reader, a crash or a power cut never sees half of it.

    Args:
        path: Path of the file. Its folder is made if needed.
        content: String, written as UTF-8, or bytes.

    Raises:
        InputError: If the folder cannot be written to.
        RunError: If writing failed, such as on a full disk. Nothing of the file is left behind.
    """
    with written_whole(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file, which takes the place of `path` in one move once it has been written.

    It lies in the same folder, has the same ending, and is flushed to the disk before it moves.

    Args:
        path: Path of the file. Its folder is made if needed.

    Raises:
        InputError: If the folder cannot be written to.
        RunError: If writing failed, such as on a full disk. Nothing of the file is left behind.
    """
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            _sync(temporary)
            temporary.replace(path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        _sync(path.parent)  # the new name is to last through a power cut, not just the content
    except OSError as error:
        if error.errno in _NOT_WRITABLE:
            reason = "It is a file" if isinstance(error, FileExistsError) else error.strerror
            raise InputError(f"Cannot write to folder '{path.parent}': {reason}. Choose another.") from error
        raise RunError(
            f"Could not write '{path}': {error.strerror}. Nothing half-written is left; what was written before "
            "is whole. Make room, then run the same command again."
        ) from error


def checksums(path: Path, folder: Path) -> dict[str, str]:
    """Return the SHA-256 of a file, or of each file in a folder, by their names below another folder.

    Args:
        path: Path of the file or folder; one that does not exist has none.
        folder: Path. The folder that the names begin at.
    """
    found = {}
    for each in [path] if path.is_file() else sorted(path.rglob("*")):
        if each.is_file():
            with each.open("rb") as file:
                found[str(each.relative_to(folder))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return which files have another checksum than before.

    Args:
        before: Dict from name to checksum, as `checksums` returned it.
        now: The same, later; files that have come since do not count.

    Returns:
        List of pairs: a name, and `"has changed"` or `"is missing"`.
    """
    return [
        (name, "has changed" if name in now else "is missing")
        for name, checksum in before.items()
        if now.get(name) != checksum
    ]


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
