"""Figures in words. What rests on an interval wider than ±5 % says so: it is marked with ≈."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

from kerasunroll.measurement.records.environment import Environment
from kerasunroll.report.rows import Row
from kerasunroll.report.verdict.costs import Cost, break_even
from kerasunroll.units import format_bytes, format_ends, format_ratio, format_seconds

NARROW: Final = 0.05
WIDE_MARK: Final = "≈"
WIDE_NOTE: Final = (
    f"Intervals are 95 % ones. {WIDE_MARK} marks a figure whose interval is wider than ±5 %: take it as a rough one."
)
CELLS: Final = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "SimpleRNN"}
NOTHING: Final = "–"


class Ends(Protocol):
    """What has the ends of an interval."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end."""


def is_narrow(value: float, ends: Ends) -> bool:
    """Tell whether an interval reaches no further than 5 % from its value, on either side."""
    return math.isfinite(ends.high) and max(ends.high - value, value - ends.low) <= NARROW * abs(value) * (1 + 1e-9)


def told(text: str, value: float, ends: Ends) -> str:
    """Return a figure's text, marked where its interval is wide."""
    return text if is_narrow(value, ends) else f"{WIDE_MARK} {text}"


def ratio_text(row: Row) -> str:
    """Return the time of a training step over the loop's, such as `"0.70× (0.68 to 0.72)"`."""
    found = row.against_loop
    if found is None:
        return NOTHING
    ends = format_ends(found.low, found.high) if math.isfinite(found.high) else f"{found.low:.2f} to no limit"
    return told(f"{format_ratio(found.ratio)} ({ends})", found.ratio, found)


def seconds_text(row: Row, figure: str) -> str:
    """Return seconds that every process gives once, with the distance to the ends of their interval."""
    ends = row.interval(figure)
    if ends is None:
        return format_seconds(row.figures.get(figure))
    return told(f"{format_seconds(ends.value)} ±{(ends.high / ends.value - 1):.0%}", ends.value, ends)


def memory_text(row: Row) -> str:
    """Return what the process of a variant grows by, marked where its processes differ."""
    size, ends = row.figures.get("process_growth_bytes"), row.interval("process_growth_bytes")
    text = format_bytes(size)
    return text if ends is None else told(text, ends.value, ends)


def pays_text(cost: Cost, baseline: Cost) -> str:
    """Return after how many training steps a setting has taken less time than the baseline."""
    even = break_even(cost, baseline)
    if even is None:
        return "never: not faster"
    if even.high == 0:
        return "at once"
    high = f"{even.high:,.0f}" if math.isfinite(even.high) else "no limit"
    return told(f"{even.value:,.0f} ({even.low:,.0f} to {high})", even.value, even)


def in_words(names: Sequence[str]) -> str:
    """Return e.g. `"the LSTM, the GRU and the SimpleRNN"` of three of these."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def where_measured(facts: Environment, when: datetime) -> str:
    """Return on which machine, and when."""
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    cores = f"{facts.usable_cores:g} of {facts.logical_cores} cores usable"
    return f"Measured {when:%Y-%m-%d} on {facts.cpu}, {cores}; {versions}."
