"""How a text table is written: its separator, its decimal mark, its header. The first lines show it."""

import math
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from kerasunroll.data.tables.options import TableOptions
from kerasunroll.data.tables.reading.lines import counted_lines, records
from kerasunroll.data.tables.reading.numbers import is_number, split_by
from kerasunroll.data.tables.reading.times import looks_like_a_time
from kerasunroll.errors import DataError

SEPARATORS: Final = {"tab": "\t", "semicolon": ";", "pipe": "|", "comma": ","}
_LOOKED_AT: Final = 1000
_THOUSANDS: Final = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
_WITH_COMMA: Final = re.compile(r"[+-]?[\d.' \u00a0\u202f]*\d?,\d[\d,]*(\.\d*)?([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Dialect:
    """How a text table is written.

    Args:
        separator: String. What stands between two cells.
        decimal: `"."` or `","`.
        names: Tuple of strings or `None`. The header's cells, one per column; `None` without a header.
        columns: Integer. How many cells a line has.
        first_line: Integer. The number of the first line that counts.
    """

    separator: str
    decimal: str
    names: tuple[str, ...] | None
    columns: int
    first_line: int


def find_dialect(path: Path, text: str, options: TableOptions) -> Dialect:
    """Return how a table is written.

    Raises:
        DataError: If it has no rows, its header does not fit them, or `1,234` could be either of two numbers.
    """
    first_lines = "".join(line for _, line in islice(counted_lines(text, empty_ones=False), _LOOKED_AT))
    if not first_lines:
        raise DataError(f"'{path}' has no rows: all its lines are empty or comments.")
    separator = SEPARATORS[options.separator] if options.separator else _separator(first_lines)
    sample = list(islice(records(path, text, separator), _LOOKED_AT))
    cells = [cell for _, record in sample for cell in record]
    decimal = {"point": ".", "comma": ","}[options.decimal] if options.decimal else _decimal(path, cells, separator)
    first_line, first = sample[0]
    header = not any(is_number(cell, decimal) or looks_like_a_time(cell) for cell in first) and any(first)
    if not header:
        return Dialect(separator, decimal, None, len(first), first_line)
    if len(sample) == 1:
        raise DataError(f"'{path}' has a header (line {first_line}) but no rows of numbers beneath it.")
    line, row = sample[1]
    names = first
    if len(row) == len(first) + 1 and not row[-1]:
        names = [*first, ""]
    elif len(first) == len(row) + 1 and not first[-1]:
        names = first[:-1]
    if len(names) != len(row):
        raise DataError(
            f"'{path}', line {line}: expected {len(first)} cells as in line {first_line}, got {len(row)}. "
            f"Give every line the same number of cells, {split_by(separator)}."
        )
    return Dialect(separator, decimal, tuple(names), len(names), first_line)


def _separator(lines: str) -> str:
    """Return what divides the most lines into one number of cells, more than one."""

    def lines_alike(separator: str) -> int:
        counts = []
        for line in lines.splitlines():
            outside_quotes = "".join(line.split('"')[::2])
            counts.append(outside_quotes.rstrip().rstrip(separator).count(separator))
        usual = max(set(counts), key=counts.count)
        return counts.count(usual) if usual else 0

    # Of equals, the first: a comma may well be a decimal mark between semicolons.
    best = max(SEPARATORS.values(), key=lines_alike)
    return best if lines_alike(best) else ","


def _decimal(path: Path, cells: list[str], separator: str) -> str:
    with_comma = [cell for cell in cells if _WITH_COMMA.fullmatch(cell)]
    if any(cell.rfind(",") < cell.rfind(".") or cell.count(",") > 1 for cell in with_comma):
        return "."
    if any("." in cell or not _THOUSANDS.fullmatch(cell) for cell in with_comma):
        return ","
    points = any("." in cell and is_number(cell, ".") for cell in cells)
    if not with_comma or separator == "," or points:
        return "."
    value = float(with_comma[0].replace(",", "."))
    raise DataError(
        f"'{path}': '{with_comma[0]}' can be {value:g} or {math.floor(value * 1000 + 0.5):,d} (a comma between "
        "thousands). Say which, with decimal=comma or decimal=point behind the path: csv:PATH?decimal=comma."
    )
