"""What the columns of a table hold: numbers, truth values, points in time, or text."""

import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from kerasunroll.data.splits import Array
from kerasunroll.data.tables.reading import Table
from kerasunroll.errors import DataError

MISSING: Final = frozenset(("", "na", "n/a", "nan", "null", "none", "-", "?"))
"""What a cell without a value says, in lower case."""

TRUTH: Final = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}

_DECIMAL_COMMA: Final = r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+(?:[eE][+-]?\d+)?"
_CERTAIN_DECIMAL_COMMA: Final = r"[+-]?(?:\d*,(?:\d{1,2}|\d{4,})|\d{4,},\d+|\d{1,3}(?:\.\d{3})+,\d+)(?:[eE][+-]?\d+)?"
_THOUSANDS: Final = r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?"
_SPACED: Final = r"[+-]?\d{1,3}(?:[ \u00a0\u202f']\d{3})+(?:[.,]\d*)?"
_PLAIN: Final = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?inf(?:inity)?"
_TIME_LIKE: Final = r"\d{1,4}[-/.:]\d{1,2}.*"


@dataclass(frozen=True)
class Columns:
    """The columns of a table by what they hold.

    Args:
        numbers: Dict from names to arrays of float64; missing cells are NaN.
        times: Dict from names to arrays of `datetime64`.
        text: Dict from names to arrays of strings.
        empty: Tuple of names of columns without any value.
    """

    numbers: dict[str, Array]
    times: dict[str, Array]
    text: dict[str, Array]
    empty: tuple[str, ...]


def columns_of(table: Table) -> Columns:
    """Return what the columns of a table hold.

    Numbers may have a decimal comma, where cells are not separated by commas, and thousands grouped by commas, points,
    blanks or apostrophes. Truth values are 1 and 0. Cells such as `NA` or an empty one are missing.

    Args:
        table: `Table`.

    Returns:
        `Columns`. A column in which most values are numbers is one of numbers.

    Raises:
        DataError: If a column of numbers has a cell that is none, or an infinite one.
    """
    found = Columns({}, {}, {}, ())
    empty = []
    comma = _has_decimal_comma(table)
    for name in table.cells.columns:
        cells = table.cells[name]
        if cells.dtype.kind in "biuf" or isinstance(cells.dtype, pd.BooleanDtype):
            found.numbers[name] = _finite(table, name, cells.to_numpy(np.float64, na_value=np.nan))
            continue
        if cells.dtype.kind == "M":
            found.times[name] = _times(cells)
            continue
        words = cells.astype("string").fillna("").str.strip()
        missing = words.str.lower().isin(MISSING).to_numpy(bool)
        if missing.all():
            empty.append(name)
        elif (numbers := _numbers(words, missing, comma)) is not None:
            found.numbers[name] = _finite(table, name, _all_numbers(table, name, words, numbers, missing))
        elif not missing.any() and (times := _parsed_times(words)) is not None:
            found.times[name] = times
        else:
            found.text[name] = words.to_numpy(str)
    return Columns(found.numbers, found.times, found.text, tuple(empty))


def _numbers(words: Any, missing: Array, comma: bool) -> Array | None:
    """Return numbers, NaN where there is none; `None` where most values are none."""
    lower = words.str.lower()
    if lower[~missing].isin(TRUTH).all():
        truth: Array = lower.map(TRUTH).to_numpy(np.float64, na_value=np.nan)
        return truth
    spaced = words.str.fullmatch(_SPACED)
    plain = words.where(~spaced, words.str.replace(r"[ \u00a0\u202f']", "", regex=True))
    if comma:
        decimal = plain.str.fullmatch(_DECIMAL_COMMA)
        swapped = plain.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
        grouped = plain.str.fullmatch(r"[+-]?\d{1,3}(?:\.\d{3})+")
        plain = plain.where(~decimal, swapped).where(~grouped, swapped)
    else:
        plain = plain.where(~plain.str.fullmatch(_THOUSANDS), plain.str.replace(",", "", regex=False))
    # float("12_5") is 125, and "0x1" a number to some: a table that says so means something else.
    plain = plain.where(plain.str.fullmatch(_PLAIN, case=False))
    numbers: Array = pd.to_numeric(plain, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    values = int((~missing).sum())
    return numbers if 2 * np.count_nonzero(~np.isnan(numbers)) >= values else None


def _has_decimal_comma(table: Table) -> bool:
    """Tell whether a comma in a number is the decimal one, from all cells of the table together."""
    if table.separator in ("", ","):
        return False
    words = pd.concat([table.cells[name] for name in table.cells.columns], ignore_index=True)
    with_comma = words[words.str.contains(",", regex=False)]
    if with_comma.str.fullmatch(_CERTAIN_DECIMAL_COMMA).any():
        return True
    if words.str.fullmatch(r"[+-]?\d*\.(?:\d{1,2}|\d{4,})|[+-]?\d{1,3}(?:,\d{3})+\.\d*").any():
        return False
    return bool(with_comma.str.fullmatch(_DECIMAL_COMMA).any())


def _all_numbers(table: Table, name: str, words: Any, numbers: Array, missing: Array) -> Array:
    wrong = np.isnan(numbers) & ~missing
    if wrong.any():
        row = int(np.argmax(wrong))
        cell = words.iloc[row]
        shown = repr(cell if len(cell) <= 40 else f"{cell[:40]}...")
        raise DataError(
            f"'{table.path}', {table.place(row, name)}: expected a number, got {shown}. Correct it, leave it empty and "
            "give ?fill=forward, or leave the column out with ?columns=."
        )
    return numbers


def _finite(table: Table, name: str, numbers: Array) -> Array:
    infinite = np.isinf(numbers)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise DataError(
            f"'{table.path}', {table.place(row, name)}: {table.cells[name].iloc[row]} is not finite. Put a finite "
            "number there, or leave it empty and give ?fill=forward."
        )
    return numbers


def _parsed_times(words: Any) -> Array | None:
    """Return points in time, or `None` where one cell is none."""
    if not words.str.fullmatch(_TIME_LIKE).all():
        return None
    first = words.str.extract(r"^(\d+)")[0].astype(int)
    # 13.02.2024 can only be a day first; so all are.
    day_first = bool(((first > 12) & (first < 32)).any())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # no one format for all cells
        times = pd.to_datetime(words, errors="coerce", utc=True, dayfirst=day_first)
        if times.isna().any():
            times = pd.to_datetime(words, errors="coerce", utc=True, dayfirst=day_first, format="mixed")
    return None if times.isna().any() else _times(times)


def _times(cells: Any) -> Array:
    if getattr(cells.dtype, "tz", None) is not None:
        cells = cells.dt.tz_convert(None)
    times: Array = cells.to_numpy("datetime64[ns]")
    return times


def shown_names(names: list[str]) -> str:
    """Return names for a sentence, a long list cut short.

    Example:
    >>> shown_names(["a", "b"])
    "'a', 'b'"
    """
    listed = [f"'{' '.join(name.split())}'" for name in names[:8]]
    return ", ".join(listed) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
