"""Seconds, bytes and counts as people read them. Records and code keep plain seconds and bytes."""

import math
from pathlib import Path

import humanize


def format_seconds(seconds: float | None) -> str:
    """Return e.g. `"21.4 ms"`, `"3.20 s"` or `"2 min 5 s"`; an en dash for `None`."""
    if seconds is None:
        return "–"
    if not math.isfinite(seconds):
        return str(seconds)
    if seconds >= 120:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s"
    return str(humanize.metric(seconds, "s", precision=3))


def format_bytes(size: float | None) -> str:
    """Return decimal units, e.g. `"1.5 kB"` or `"91.2 MB"`; an en dash for `None`."""
    if size is None:
        return "–"
    return str(humanize.naturalsize(size))


def format_count(count: float | None) -> str:
    """Return e.g. `"50,442"`; an en dash for `None`."""
    if count is None:
        return "–"
    return str(humanize.intcomma(int(count)))


def format_ratio(ratio: float | None) -> str:
    """Return e.g. `"1.62×"`; an en dash for `None`."""
    if ratio is None:
        return "–"
    return f"{ratio:.2f}×"


def format_ends(low: float, high: float) -> str:
    """Return the ends of a ratio's interval, e.g. `"0.64 to 0.76"`.

    An end beside 1 gets as many digits as tell it from 1: whether 1 is between the ends is what the reader looks for.

    Example:
    >>> format_ends(0.71, 0.998)
    '0.71 to 0.998'
    """
    return f"{_end(low)} to {_end(high)}"


def _end(value: float) -> str:
    digits = next((digits for digits in (2, 3, 4) if value == 1 or round(value, digits) != 1), 2)
    return f"{value:.{digits}f}"


def shown_path(path: str | Path) -> str:
    """Return a path as it is shown and recorded: relative to the working directory, if it lies below that.

    What lies elsewhere is named by its last folder and its name: where it was on this machine is nobody else's matter.

    Example:
    >>> shown_path("/tmp/run/loop/timing.log")
    'loop/timing.log'
    """
    path = Path(path)
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(Path(*path.parts[-2:]))
