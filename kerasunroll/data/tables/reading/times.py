"""Dates and times of day in a table's cells."""

import re
from contextlib import suppress
from datetime import datetime
from itertools import product
from typing import Any, Final

_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d(?::?\d\d)?.*)?|\d{8}T\d{4}.*")
_DAYS: Final = ("%d{0}%m{0}%Y", "%d{0}%m{0}%y", "%Y{0}%m{0}%d", "%d{0}%b{0}%Y", "%d{0}%B{0}%Y")
# Between points, the day is always first.
_MONTHS_FIRST: Final = ("%m/%d/%Y", "%m/%d/%y", "%m-%d-%Y", "%m-%d-%y", "%b %d, %Y", "%B %d, %Y")
_CLOCKS: Final = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
_FORMATS: Final = tuple(
    day + clock
    for day in (*(day.format(mark) for day, mark in product(_DAYS, "/.- ")), *_MONTHS_FIRST)
    for clock in ("", *(f" {each}" for each in _CLOCKS))
)
_EPOCH_1990, _EPOCH_2100 = 631_152_000, 4_102_444_800
_TIME_WORDS: Final = re.compile(r"(?:^|[\W_])(?:time|timestamp|datetime|date|epoch|unix|ts)(?:$|[\W_])", re.IGNORECASE)
_PLAIN_TIME_WORDS: Final = frozenset({"time", "timestamp", "datetime", "date", "epoch"})


def looks_like_a_time(cell: str) -> bool:
    """Return whether a cell holds a date or a time of day."""
    return bool(_ISO.fullmatch(cell)) or bool(_fitting(cell, _FORMATS)) or bool(_fitting(cell, _CLOCKS))


def read_dates(cells: Any) -> list[Any]:
    """Return the dates in cells, once for each way to read them: 3/4/2020 is in March or in April.

    Args:
        cells: Pandas series of strings, none of them missing.

    Returns:
        List of series of the same index, in UTC; empty if the first cell is no date, or most are none. Where no way to
        read them fits all cells, the one that fits the most, with NaT for the others.
    """
    import pandas as pd

    formats = ["ISO8601"] if _ISO.fullmatch(cells.iloc[0]) else _fitting(cells.iloc[0], _FORMATS)
    found: list[Any] = []
    for each in formats:
        dates = pd.to_datetime(cells, format=each, utc=True, errors="coerce")
        if dates.notna().mean() > 0.5 and not any(dates.equals(other) for other in found):
            found.append(dates)
    whole = [dates for dates in found if dates.notna().all()]
    return whole or sorted(found, key=lambda dates: dates.isna().sum())[:1]


def read_clock(cells: Any) -> Any | None:
    """Return the times of day in cells as what has passed since midnight, or `None` if one of them is none."""
    import pandas as pd

    for each in _fitting(cells.iloc[0], _CLOCKS):
        times = pd.to_datetime(cells, format=each, utc=True, errors="coerce")
        if times.notna().all():
            return times - times.dt.normalize()
    return None


def are_times(name: str, numbers: Any) -> bool:
    """Return whether numbers are times: seconds since 1970 or the like, or whatever a column called "time" holds.

    Args:
        name: String. What the column is called.
        numbers: Float array without NaN.
    """
    if name.lower() in _PLAIN_TIME_WORDS:
        return True
    if not _TIME_WORDS.search(name):
        return False
    units = (1, 1e3, 1e6, 1e9)
    return any(((numbers >= _EPOCH_1990 * unit) & (numbers < _EPOCH_2100 * unit)).all() for unit in units)


def _fitting(cell: str, formats: tuple[str, ...]) -> list[str]:
    """Return the formats that a cell can be read by."""
    found: list[str] = []
    if not any(each.isdigit() for each in cell) or len(cell) > 40:
        return found
    for each in formats:
        with suppress(ValueError):
            datetime.strptime(cell, each)
            found.append(each)
    return found
