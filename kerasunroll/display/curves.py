"""Norms over time, as curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from kerasunroll.display.colours import COLOURS, MASKED_COLOUR, NOT_FINITE_COLOUR
from kerasunroll.display.heatmap import mark_spans
from kerasunroll.display.shown_figure import ShownFigure


@dataclass(frozen=True)
class Curve:
    """One quantity over time.

    Args:
        name: String.
        values: Array (T,).
        low: Array (T,) or `None`. The lower edge of a band around it.
        high: Array (T,) or `None`. The upper edge.
    """

    name: str
    values: npt.NDArray[Any]
    low: npt.NDArray[Any] | None = None
    high: npt.NDArray[Any] | None = None


@dataclass(frozen=True)
class CurvePanel:
    """The curves of one layer.

    Args:
        title: String.
        curves: Sequence of `Curve`, at least one, none negative.
        unmasked: Boolean array (T,), `False` where nothing is to be seen.
        label: String. What the curves are.
    """

    title: str
    curves: Sequence[Curve]
    unmasked: npt.NDArray[np.bool_]
    label: str


def curves_figure(
    title: str, panels: Sequence[CurvePanel], panel_size: tuple[float, float] = (7.0, 2.3), columns: int = 1
) -> ShownFigure:
    """Draw curves over time, a panel per layer; the axis is logarithmic.

    Masked time steps are grey and hatched, those where a curve is NaN or infinite are pink.

    Args:
        title: String.
        panels: Sequence of `CurvePanel`, at least one.
        panel_size: Tuple: width and height of one panel in inches.
        columns: Integer. How many panels stand side by side.

    Returns:
        A `ShownFigure`; its axes are the panels.
    """
    rows = -(-len(panels) // columns)
    figure = ShownFigure(panel_size[0] * columns, panel_size[1] * rows + 0.6)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for place in places[len(panels) :]:
        place.remove()
    for place, panel in zip(places, panels, strict=False):
        _draw(place, panel)
    figure.suptitle(title, fontsize=11, parse_math=False)
    return figure


def _draw(axes: Axes, panel: CurvePanel) -> None:
    time_steps = np.arange(len(panel.unmasked))
    broken = np.zeros(len(time_steps), bool)
    for number, curve in enumerate(panel.curves):
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(time_steps, curve.values, label=curve.name, color=colour, marker=".", markersize=3)
        if curve.low is not None and curve.high is not None:
            axes.fill_between(time_steps, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)
        broken |= panel.unmasked & ~np.isfinite(curve.values)
    # Without a positive value there is no logarithm to be drawn.
    if any((curve.values[np.isfinite(curve.values)] > 0).any() for curve in panel.curves):
        axes.set_yscale("log")
    mark_spans(axes, ~panel.unmasked, MASKED_COLOUR, hatch="////")
    mark_spans(axes, broken, NOT_FINITE_COLOUR)
    axes.set_title(panel.title, fontsize=10, loc="left", parse_math=False)
    axes.set_xlabel("time step t")
    axes.set_ylabel(panel.label)
    axes.set_xlim(-0.5, len(time_steps) - 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
