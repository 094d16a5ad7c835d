"""The cells of a table as text: whatever separates them, and however the file is written."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from kerasunroll.data.files import decoded, read_bytes
from kerasunroll.errors import DataError

SEPARATORS: Final = (";", "\t", "|", ",")
"""In the order in which they are tried: where cells are separated by semicolons, commas may be decimal."""

COMMENT: Final = "#"
_LOOKED_AT: Final = 50
"""Lines from which the separator is found out."""


@dataclass(frozen=True)
class Table:
    """The cells of a file.

    Args:
        path: Path of the file.
        cells: `pandas.DataFrame`. The columns by name: text from a CSV file, typed values from a Parquet file.
        separator: String. What separated the cells; empty where nothing did.
        has_names: Boolean. Whether the file names its columns; else they are named "1", "2", ...
        text: String. The file's text, by which `place` finds lines.
    """

    path: Path
    cells: Any
    separator: str = ""
    has_names: bool = True
    text: str = ""

    def place(self, row: int, column: str) -> str:
        """Return where a cell is, for a message: `"line 4, column 2 ('wind')"`."""
        number = list(self.cells.columns).index(column) + 1
        name = f" ('{column}')" if self.has_names else ""
        if not self.text:
            return f"row {row + 1}, column {number}{name}"
        lines = [line for line, _ in _rows(self.text, self.separator)]
        return f"line {lines[row + self.has_names]}, column {number}{name}"


def read_table(path: Path) -> Table:
    """Read a file of comma, semicolon, tab or bar separated values, or a Parquet file.

    The text may begin with a byte order mark, be UTF-8 or UTF-16, be compressed (`.gz`), have cells in quotes, empty
    lines, and lines of comment that begin with `#`. The first line is a header if none of its cells is a number.

    Args:
        path: Path of the file.

    Returns:
        A `Table`.

    Raises:
        DataError: If the file cannot be read, has no rows, or lines of different length.
    """
    content = read_bytes(path)
    if path.suffix == ".parquet":
        return Table(path, _parquet(path, content))
    text = _without_comments(decoded(path, _unpacked(path, content)))
    separator = _separator(text)
    try:
        cells = pd.read_csv(
            io.StringIO(text), sep=separator, header=None, dtype=str, na_filter=False, skipinitialspace=True
        )
    except pd.errors.EmptyDataError:
        raise DataError(f"'{path}' has no rows: all its lines are empty.") from None
    except (pd.errors.ParserError, csv.Error) as error:
        _refuse_uneven(path, text, separator)
        raise DataError(f"'{path}' is not valid CSV: {error}.") from error
    _refuse_uneven(path, text, separator)
    cells = cells.apply(lambda column: column.str.strip())
    first = list(cells.iloc[0])
    has_names = not any(_is_number(cell) for cell in first)
    if has_names:
        cells = cells.iloc[1:].reset_index(drop=True)
    if cells.empty:
        raise DataError(f"'{path}' has a header (line {_first_line(text, separator)}) but no rows beneath it.")
    cells.columns = _unique(path, first) if has_names else [str(number + 1) for number in range(len(first))]
    return Table(path, cells, separator, has_names, text)


def _parquet(path: Path, content: bytes) -> Any:
    try:
        cells = pd.read_parquet(io.BytesIO(content))
    except ImportError:
        raise DataError(
            f"'{path}': reading Parquet files needs pyarrow. Install it with: pip install 'kerasunroll[parquet]'."
        ) from None
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise DataError(f"'{path}' is not a Parquet file: {error}.") from error
    if cells.empty:
        raise DataError(f"'{path}' has no rows.")
    if not isinstance(cells.index, pd.RangeIndex):
        cells = cells.reset_index()  # an index that was saved is a column
    cells.columns = _unique(path, [str(name) for name in cells.columns])
    return cells


def _unpacked(path: Path, content: bytes) -> bytes:
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"'{path}' is not a gzip file, or damaged: {error}.") from error


def _without_comments(text: str) -> str:
    """Empty the lines that hold a comment or blanks only: the others keep their numbers."""
    lines = text.splitlines(keepends=True)
    return "".join("\n" if not line.strip() or line.lstrip().startswith(COMMENT) else line for line in lines)


def _separator(text: str) -> str:
    """Return what separates the cells: the first that gives the first lines one and the same number of them."""
    head = "".join(text.splitlines(keepends=True)[: 4 * _LOOKED_AT])
    widths = {}
    for separator in SEPARATORS:
        lengths = [len(cells) for _, cells in zip(range(_LOOKED_AT), _cells(head, separator), strict=False)]
        widths[separator] = lengths
        if lengths and min(lengths) == max(lengths) > 1:
            return separator
    # Uneven lines: what most lines have most cells by, so that the message can name the uneven one.
    return max(reversed(SEPARATORS), key=lambda separator: sum(widths[separator]))


def _cells(text: str, separator: str) -> Iterator[list[str]]:
    try:
        yield from (cells for _, cells in _rows(text, separator))
    except csv.Error:
        return


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each line that has any, with its number."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise csv.Error(f"line {reader.line_num}: not valid CSV: {error}") from None


def _refuse_uneven(path: Path, text: str, separator: str) -> None:
    first_line, width = 0, 0
    try:
        for line, cells in _rows(text, separator):
            first_line, width = (first_line, width) if width else (line, len(cells))
            if len(cells) != width:
                shown = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}[separator]
                raise DataError(
                    f"'{path}', line {line}: expected {width} cells as in line {first_line}, got {len(cells)}. "
                    f"Give every line the same number of cells, separated by {shown}."
                )
    except csv.Error as error:
        raise DataError(f"'{path}', {error}.") from error


def _first_line(text: str, separator: str) -> int:
    return next(_rows(text, separator))[0]


def _is_number(cell: str) -> bool:
    # float("12_5") is 125, but a table that says so means something else.
    try:
        float(cell.replace(",", ".", 1))
    except ValueError:
        return False
    return "_" not in cell


def _unique(path: Path, names: list[str]) -> list[str]:
    named = [name.strip() or str(number) for number, name in enumerate(names, start=1)]
    if twice := next((name for name in named if named.count(name) > 1), None):
        raise DataError(f"'{path}' has two columns named '{twice}'. Give every column a name of its own.")
    return named
