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

_EACH: Final = {
    "ready_seconds": "{} of compiling",
    "training_step_nodes": "{} graph nodes",
    "process_growth_bytes": "{} of process memory",
    "tensor_added_bytes": "{} of tensor memory",
    "step_seconds": "{} a training step",
}
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


def format_growth(curve: Curve) -> str:
    """Return what each time step more adds, e.g. `"46.0 ms (30.1 to 61.9)"`; an en dash for what nobody can tell."""
    growth, show = curve.growth, _show(curve)
    if growth is None:
        return "–"
    if not growth.grows:
        return "nothing to speak of"
    if growth.bends:
        return f"{show(growth.average)} on average, bends {growth.bends}{_exponent(growth)}"
    if growth.low > 0:
        return f"{show(growth.per_time_step)} ({show(growth.low)} to {show(growth.high)})"
    return f"about {show(growth.per_time_step)}"


def _exponent(growth: Growth) -> str:
    """Return the power law, unless the part that is there at any T hides in it which way the curve bends."""
    law = growth.power_law
    if law is None or not (law.high < 1 if growth.bends == "down" else law.low > 1):
        return ""
    return f", as T^{law.exponent:.2f} ({law.low:.2f} to {law.high:.2f})"


def _show(curve: Curve) -> Callable[[float], str]:
    """Return how a figure is shown, parts of a graph node and of a byte as well."""
    show = SHOW[unit(curve.figure)]
    return (lambda value: f"{value:,.1f}") if show is format_count else show


def _table(sweep: Sweep) -> Table:
    smallest, largest = sweep.timesteps[0], sweep.timesteps[-1]
    title = f"{sweep.name}: how it grows with the number of time steps T"
    # As `Text`, a bracket in a name is a bracket, and no markup.
    table = Table(title=Text(title, style="bold"), title_justify="left")
    table.add_column("", overflow="fold")
    table.add_column("setting", overflow="fold")
    for name in ("each time step more", "at any T", f"at T={smallest}", f"at T={largest}"):
        table.add_column(name, justify="right", overflow="fold")
    for figure, name in FIGURES.items():
        table.add_section()
        for number, curve in enumerate(sweep.of(figure)):
            ends = (_offset(curve), _end(curve, 0, smallest), _end(curve, -1, largest))
            table.add_row(name if number == 0 else "", Text(curve.setting), format_growth(curve), *ends)
    return table


def _offset(curve: Curve) -> str:
    growth = curve.growth
    return "–" if growth is None or growth.bends or growth.offset < 0 else SHOW[unit(curve.figure)](growth.offset)


def _end(curve: Curve, end: int, expected: int) -> str:
    """Return the value at an end of the curve, and T where that is not the end of the sweep."""
    t = curve.timesteps[end]
    shown = SHOW[unit(curve.figure)](curve.values[end])
    return shown if t == expected else f"{shown} (T={t})"


def _sentences(sweep: Sweep) -> Iterator[str]:
    yield from (sentence for setting in sweep.settings if (sentence := _each_time_step(sweep, setting)))
    for figure, name in _MEMORY.items():
        baseline = next((curve for curve in sweep.of(figure) if curve.setting == sweep.baseline), None)
        for curve in sweep.of(figure):
            if baseline and curve is not baseline and (sentence := _sentence(curve, baseline, name)):
                yield sentence
    if any(curve.growth and curve.growth.bends for curve in sweep.curves):
        yield "What bends up costs more for each time step the longer the sequence is, what bends down costs less."
    if sweep.left_out:
        yield f"Left out: {'; '.join(sweep.left_out)}."


def _each_time_step(sweep: Sweep, setting: str) -> str | None:
    """Say what a time step more costs in a setting, as far as that can be told."""
    told = [
        phrase.format(_show(curve)(curve.growth.average if curve.growth.bends else curve.growth.per_time_step))
        for figure, phrase in _EACH.items()
        for curve in sweep.of(figure)
        if curve.setting == setting and curve.growth and curve.growth.grows
    ]
    return f"{setting}, each time step more: {', '.join(told)}." if told else None


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
