"""Pictures of what grows with the number of time steps. No TensorFlow."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

MARKERS: Final = "os^Dv<>"
TICKS: Final = 20
"""So many numbers at most stand side by side below a panel."""

COLUMNS: Final = 2


@dataclass(frozen=True)
class Line:
    """One setting in a panel.

    Args:
        label: String. What the legend says.
        timesteps: T of each point.
        values: The figure at each.
        colour: String. That of the setting, from `setting_colours`.
        marker: String, one of `MARKERS`. That of the setting, in every panel. Defaults to a circle.
    """

    label: str
    timesteps: Sequence[int]
    values: Sequence[float]
    colour: str
    marker: str = MARKERS[0]


@dataclass(frozen=True)
class Panel:
    """One figure over T.

    Args:
        title: String.
        show: Function that makes a text of a value, for the axis.
        lines: Sequence of `Line`.
    """

    title: str
    show: Callable[[float], str]
    lines: Sequence[Line]


def growth_figure(title: str, panels: Sequence[Panel], note: str = "") -> Figure:
    """Draw figures over T, from 0 on: what costs the same for each time step more is a straight line.

    Args:
        title: String. What was measured.
        panels: Sequence of `Panel`, at least one.
        note: String. What stands below, such as what is missing. Defaults to nothing.

    Returns:
        A Matplotlib figure.
    """
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    labels = 0.18 * max(len(panel.lines) for panel in panels)
    size = (0.6 + 4.7 * columns, 0.9 + (2.9 + labels) * rows)
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _draw(axes, panel)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    how = "lower is better, and flatter grows less; the legend says what each time step more adds"
    figure.suptitle(f"{title}: the cost of longer sequences\n{how}", fontsize=11)
    if note:
        figure.supxlabel(note, fontsize=9)
    return figure


def _draw(axes: Any, panel: Panel) -> None:
    for line in panel.lines:
        axes.plot(
            line.timesteps,
            line.values,
            label=line.label,
            color=line.colour,
            marker=line.marker,
            markersize=5,
        )
    axes.set_title(panel.title, fontsize=10, loc="left")
    axes.set_xlabel("time steps T")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(FixedLocator(_apart({t for line in panel.lines for t in line.timesteps})))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda t, _: f"{t:g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: panel.show(value)))
    axes.grid(alpha=0.3)
    # Below the panel: inside, it would hide a line that rises from corner to corner.
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.2), borderaxespad=0, frameon=False)


def _apart(timesteps: Iterable[int]) -> list[int]:
    """Return those that can stand side by side without touching, from the largest on."""
    kept: list[int] = []
    for t in sorted(timesteps, reverse=True):
        if not kept or kept[-1] - t >= kept[0] / TICKS:
            kept.append(t)
    return kept[::-1]
