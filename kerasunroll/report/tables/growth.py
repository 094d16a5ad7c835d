"""The tables of what grows with T."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kerasunroll.measurement.planning.variant import LOOP
from kerasunroll.measurement.records.record import unit
from kerasunroll.measurement.statistics.growth import Growth
from kerasunroll.report.sweeps import FIGURES, Curve, Sweep
from kerasunroll.units import format_bytes, format_count, format_ratio, format_seconds

SHOW: Final[dict[str, Callable[[float], str]]] = {"seconds": format_seconds, "bytes": format_bytes, "": format_count}
"""How a figure of each unit is shown."""

_MEMORY: Final = {"process_growth_bytes": "process memory", "tensor_added_bytes": "tensor memory"}


def growth_tables(sweeps: Sequence[Sweep]) -> list[RenderableType]:
    """Return, for each sweep, a table of what grows how with T, and in words what that comes to at the largest T.

    Args:
        sweeps: What `find_sweeps` returned.

    Returns:
        List of what a `rich.console.Console` prints.
    """
    parts: list[RenderableType] = []
    for sweep in sweeps:
        parts += [_table(sweep), *map(Text, _sentences(sweep))]
    return parts


def format_growth(growth: Growth | None) -> str:
    """Return e.g. `"T^1.02 (0.97 to 1.07)"`; an en dash for `None`."""
    if growth is None:
        return "–"
    # What is rounded to -0.00 is 0.00.
    exponent, low, high = (round(value, 2) + 0.0 for value in (growth.exponent, growth.low, growth.high))
    return f"T^{exponent:.2f} ({low:.2f} to {high:.2f})"


def _table(sweep: Sweep) -> Table:
    smallest, largest = sweep.timesteps[0], sweep.timesteps[-1]
    title = f"{sweep.name}: how it grows with the number of time steps T"
    # As `Text`, a bracket in a name is a bracket, and no markup.
    table = Table(title=Text(title, style="bold"), title_justify="left")
    table.add_column("", overflow="fold")
    table.add_column("setting", overflow="fold")
    for name in ("grows as", f"at T={smallest}", f"at T={largest}"):
        table.add_column(name, justify="right", overflow="fold")
    for figure, name in FIGURES.items():
        table.add_section()
        for number, curve in enumerate(sweep.of(figure)):
            ends = (_end(curve, 0, smallest), _end(curve, -1, largest))
            table.add_row(name if number == 0 else "", Text(curve.setting), format_growth(curve.growth), *ends)
    return table


def _end(curve: Curve, end: int, expected: int) -> str:
    """Return the value at an end of the curve, and T where that is not the end of the sweep."""
    t = curve.timesteps[end]
    shown = SHOW[unit(curve.figure)](curve.values[end])
    return shown if t == expected else f"{shown} (T={t})"


def _sentences(sweep: Sweep) -> Iterator[str]:
    yield (
        "T^1 is in proportion to T, T^0 does not grow; the interval is a 95 % one. What a figure has at any T makes "
        "its exponent smaller."
    )
    for figure, name in _MEMORY.items():
        baseline = next((curve for curve in sweep.of(figure) if curve.setting == sweep.baseline), None)
        for curve in sweep.of(figure):
            if baseline and curve is not baseline and (sentence := _sentence(curve, baseline, name)):
                yield sentence
    if sweep.left_out:
        yield f"Left out: {'; '.join(sweep.left_out)}."


def _sentence(curve: Curve, baseline: Curve, name: str) -> str | None:
    """Compare two settings at the largest T at which both were measured."""
    ours, theirs = (dict(zip(each.timesteps, each.values, strict=True)) for each in (curve, baseline))
    t = max(ours.keys() & theirs.keys(), default=None)
    if t is None or theirs[t] <= 0:
        return None
    whose = "the loop" if baseline.setting == LOOP else baseline.setting
    return (
        f"At T={t}, {curve.setting} takes {format_bytes(ours[t])} of {name} where {whose} takes "
        f"{format_bytes(theirs[t])}: {format_ratio(ours[t] / theirs[t])}."
    )
