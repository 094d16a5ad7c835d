"""Numbers as people write them: with a decimal comma, with marks between the thousands."""

import re
from typing import Any, Final

MISSING: Final = (
    *("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NAN", "-nan", "-NaN", "null", "NULL", "None", "NaT", "?", "-"),
)
"""What stands in a cell whose value is missing."""

_NAMES_OF_SEPARATORS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_INFINITE: Final = r"[+-]?inf(?:inity)?"


def _pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    whole = rf"(?:\d+|[1-9]\d{{0,2}}(?:[{thousands}' \u00a0\u202f]\d{{3}})+)"
    return re.compile(
        rf"[+-]?(?:{whole}(?:[{decimal}]\d*)?|[{decimal}]\d+)(?:e[+-]?\d+)?|{_INFINITE}", flags=re.IGNORECASE
    )


_PATTERNS: Final = {".": _pattern(".", ","), ",": _pattern(",", ".")}


def is_number(cell: str, decimal: str) -> bool:
    """Return whether a cell holds a number, be it infinite or "not a number"."""
    return bool(_PATTERNS[decimal].fullmatch(cell)) or cell.lower() == "nan"


def to_numbers(cells: Any, decimal: str) -> Any:
    """Return the numbers in cells, and NaN for those that hold none.

    Args:
        cells: Pandas series of strings, none of them missing.
        decimal: `"."` or `","`.
    """
    numbers = cells.where(cells.str.fullmatch(_PATTERNS[decimal].pattern, flags=re.IGNORECASE).astype(bool))
    plain = numbers.str.replace(rf"[{'.' if decimal == ',' else ','}' \u00a0\u202f]", "", regex=True)
    return plain.str.replace(decimal, ".", regex=False).astype(object).astype(float)


def split_by(separator: str) -> str:
    """Return in words what the cells are separated by."""
    return f"separated by {_NAMES_OF_SEPARATORS[separator]}"
