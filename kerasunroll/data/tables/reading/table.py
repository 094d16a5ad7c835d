"""A file into a pandas data frame: text in any of its dialects, packed or not, or Parquet."""

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from kerasunroll.data.files import read_bytes
from kerasunroll.data.tables.options import TableOptions
from kerasunroll.data.tables.reading.dialect import Dialect, find_dialect
from kerasunroll.data.tables.reading.lines import records, tidied, without_comments
from kerasunroll.data.tables.reading.numbers import MISSING, split_by
from kerasunroll.errors import DataError

_UNPACK: Final = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ": lzma.decompress}
_BYTE_ORDER_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class Table:
    """What a file holds, before anything is made of it.

    Args:
        path: Path of the file.
        names: Tuple of strings. What the columns are called; by their numbers, from 1, without a header.
        frame: Pandas data frame. Its columns are numbered from 0; what is no number stands in it as strings.
        decimal: `"."` or `","`. The decimal mark of numbers that stand in it as strings.
        origin: Function from a row's number to what an error calls its line, and the line's cells as they were
            written, if the file is text. It goes through the text again, and is for errors only.
    """

    path: Path
    names: tuple[str, ...]
    frame: Any
    decimal: str
    origin: Callable[[int], tuple[str, list[str]]]

    def column(self, position: int) -> str:
        """Return what an error calls a column, such as `column 2 ('load')`."""
        name = self.names[position]
        return f"column {position + 1}" + (f" ('{name}')" if name not in ("", str(position + 1)) else "")

    def place(self, row: int, position: int) -> str:
        """Return what an error calls a cell, such as `line 3, column 2 ('load')`."""
        return f"{self.origin(row)[0]}, {self.column(position)}"

    def written(self, row: int, position: int) -> str:
        """Return a cell as it was written."""
        cells = self.origin(row)[1]
        return cells[position] if cells else str(self.frame[position].iloc[row])


def read_table(path: Path, options: TableOptions) -> Table:
    """Read a file, once.

    Args:
        path: Path of the file. Its first bytes say whether it is Parquet, packed (gzip, bzip2, xz), or text.
        options: `TableOptions`, of which `separator`, `decimal` and `encoding` are used.

    Raises:
        DataError: If it cannot be read, is of another kind, or its lines differ in their number of cells.
    """
    content = _unpacked(path, read_bytes(path))
    if content.startswith(b"PAR1"):
        return _read_parquet(path, content)
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise DataError(f"'{path}' is an Excel workbook or a zip archive. Save the sheet as CSV, or unpack it.")
    return _read_text(path, tidied(_decoded(path, content, options)), options)


def _unpacked(path: Path, content: bytes) -> bytes:
    for mark, unpack in _UNPACK.items():
        if content.startswith(mark):
            try:
                content = unpack(content)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise DataError(f"'{path}' cannot be unpacked: {error}. The file may be damaged.") from error
            if not content:
                raise DataError(f"'{path}' is empty once it is unpacked.")
    return content


def _decoded(path: Path, content: bytes, options: TableOptions) -> str:
    marked = next((name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), None)
    encoding = options.encoding or marked or "utf-8"
    try:
        text = content.decode(encoding)
    except LookupError:
        raise DataError(f"'{path}': encoding='{encoding}' is unknown to Python. Give one such as cp1252.") from None
    except UnicodeDecodeError as error:
        name = "UTF-8" if encoding.startswith("utf-8") else encoding
        raise DataError(
            f"'{path}' is not {name}: the byte 0x{content[error.start]:02x} at offset {error.start:,} is not valid "
            "there. Save the file as UTF-8, or name its encoding behind the path: csv:PATH?encoding=cp1252."
        ) from None
    if "\0" in text:
        raise DataError(
            f"'{path}' holds zero characters, so that it is no text in {encoding}. If it is UTF-16 without a byte "
            "order mark, write csv:PATH?encoding=utf-16-le."
        )
    return text.removeprefix("\ufeff")


def _read_text(path: Path, text: str, options: TableOptions) -> Table:
    import pandas as pd

    dialect = find_dialect(path, text, options)
    empty_ones = dialect.columns == 1  # in one column, an empty line is a missing cell
    try:
        frame = pd.read_csv(
            io.StringIO(without_comments(text, empty_ones=empty_ones)),
            sep=dialect.separator,
            decimal=dialect.decimal,
            header=None,
            names=range(dialect.columns),
            skiprows=1 if dialect.names else 0,
            na_values=list(MISSING),
            keep_default_na=False,
            skipinitialspace=True,
            skip_blank_lines=False,
            low_memory=False,  # so that a column is either numbers or strings
        )
    except pd.errors.ParserError as error:
        _check_lines(path, text, dialect)
        raise DataError(f"'{path}' is not a table that pandas can read: {error}.") from error
    if frame.iloc[:, -1].isna().any() and not frame.iloc[:, -1].isna().all():
        _check_lines(path, text, dialect)

    def origin(row: int) -> tuple[str, list[str]]:
        rows = records(path, text, dialect.separator, empty_ones=empty_ones)
        line, cells = next(islice(rows, row + bool(dialect.names), None))
        return f"line {line}", cells

    names = dialect.names or tuple(str(number) for number in range(1, dialect.columns + 1))
    return Table(path, names, frame, dialect.decimal, origin)


def _check_lines(path: Path, text: str, dialect: Dialect) -> None:
    """See whether every line has as many cells as the first one; pandas fills up those that are too short."""
    lines = records(path, text, dialect.separator, empty_ones=dialect.columns == 1)
    if dialect.names:
        next(lines)
    for line, cells in lines:
        if len(cells) != dialect.columns:
            raise DataError(
                f"'{path}', line {line}: expected {dialect.columns} cells as in line {dialect.first_line}, "
                f"got {len(cells)}. Give every line the same number of cells, {split_by(dialect.separator)}."
            )


def _read_parquet(path: Path, content: bytes) -> Table:
    try:
        import pyarrow
    except ImportError:
        raise DataError(
            f"'{path}' is a Parquet file, which needs pyarrow. Install it with: pip install 'kerasunroll[parquet]'"
        ) from None
    import pandas as pd

    try:
        frame = pd.read_parquet(io.BytesIO(content), engine="pyarrow")
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read as Parquet: {error}. The file may be damaged.") from error
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    if frame.empty:
        raise DataError(f"'{path}' has {len(frame):,} rows and {frame.shape[1]} columns: nothing to learn from.")
    names = tuple(str(name).strip() for name in frame.columns)
    return Table(path, names, frame.set_axis(range(len(names)), axis=1), ".", lambda row: (f"row {row + 1}", []))
