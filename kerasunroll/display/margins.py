"""Figures beside the most that they may be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kerasunroll.display.colours import COLOURS, NOT_FINITE_COLOUR
from kerasunroll.display.shown_figure import ShownFigure


@dataclass(frozen=True)
class Margin:
    """A figure and its limit.

    Args:
        name: String.
        value: Float. 0 or more; infinity for what is beyond every limit.
        allowed: Float. The limit.
    """

    name: str
    value: float
    allowed: float


def margins_figure(title: str, margins: Sequence[Margin]) -> ShownFigure:
    """Draw a dot for each figure and a bar up to its limit, on a logarithmic axis.

    Args:
        title: String.
        margins: Sequence of `Margin`, at least one.

    Returns:
        A `ShownFigure`. A figure within its limit is blue, one beyond it is red. 0 is at the left end; an infinite one
        is pink, at the right end.
    """
    figure = ShownFigure(6.4, 0.9 + 0.26 * len(margins))
    axes = figure.subplots()
    finite = [size for each in margins for size in (each.value, each.allowed) if 0 < size < math.inf]
    low, high = min(finite, default=1e-16) / 10, max(finite, default=1.0) * 10
    for place, each in enumerate(margins):
        within = each.value <= each.allowed
        axes.barh(place, max(each.allowed, low), height=0.7, color="#8c8c8c", alpha=0.3)
        colour = COLOURS[0] if within else COLOURS[1] if math.isfinite(each.value) else NOT_FINITE_COLOUR
        axes.plot(min(max(each.value, low), high), place, "o", color=colour, clip_on=False)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_yticks(range(len(margins)), [each.name for each in margins], fontsize=8)
    axes.set_ylim(len(margins) - 0.4, -0.6)
    axes.set_xlabel("relative difference; grey: what rounding explains", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=11, parse_math=False)
    return figure
