"""The picture of when a longer compile has paid for itself. No TensorFlow."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from kerasunroll.units import format_seconds

_LINES: Final = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Total:
    """The time that one setting takes over a number of training steps.

    Args:
        setting: String.
        ready_seconds: Float. What comes before the first training step.
        step_seconds: Float. Each training step.
        low: Float. Lower end of the interval of `step_seconds`.
        high: Float. Upper end of the interval of `step_seconds`.
        break_even: Float or `None`. After how many training steps it has taken less than the baseline.
    """

    setting: str
    ready_seconds: float
    step_seconds: float
    low: float
    high: float
    break_even: float | None = None


def break_even_figure(
    totals: Sequence[Total], colours: Mapping[str, str], planned: int | None = None, unit: str = "training steps"
) -> Figure:
    """Draw the time that each setting takes over the training steps: where two lines cross, the one overtakes.

    Args:
        totals: Sequence of `Total`, the baseline first.
        colours: Dict from setting to colour, from `setting_colours`.
        planned: Integer or `None`. How many training steps there will be, marked if it is in sight.
        unit: String. What is counted. Defaults to `"training steps"`.

    Returns:
        A Matplotlib figure, from the first training step to the last one `in_sight`.
    """
    last = in_sight(totals, planned)
    steps = np.linspace(0, last, 60)
    figure = Figure(figsize=(7.0, 3.6), dpi=100, layout="constrained")
    axes = figure.subplots()
    baseline = totals[0]
    for number, total in enumerate(totals):
        colour, line = colours[total.setting], _LINES[number % len(_LINES)]
        axes.plot(steps, total.ready_seconds + steps * total.step_seconds, line, color=colour, label=total.setting)
        if math.isfinite(total.high):
            low, high = (total.ready_seconds + steps * end for end in (total.low, total.high))
            axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
        if total.break_even and total.break_even <= last:
            height = baseline.ready_seconds + total.break_even * baseline.step_seconds
            axes.plot(total.break_even, height, "o", color=colour, markersize=8, markerfacecolor="none")
            axes.annotate(
                f"{total.setting}: {total.break_even:,.0f}",
                (total.break_even, height),
                xytext=(8, -12),
                textcoords="offset points",
                fontsize=9,
            )
    if planned is not None and planned <= last:
        axes.axvline(planned, color="black", linewidth=1, linestyle=(0, (2, 3)))
        axes.annotate(
            f"planned: {planned:,}",
            (planned, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4 if planned < last / 2 else -4, -4),
            textcoords="offset points",
            ha="left" if planned < last / 2 else "right",
            va="top",
            fontsize=9,
        )
    axes.set_xlim(0, last)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(unit)
    axes.set_ylabel("time in all")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: format_seconds(seconds) if seconds else "0"))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9, loc="lower right")
    return figure


def in_sight(totals: Sequence[Total], planned: int | None = None) -> float:
    """Return how many training steps show the comparison: twice the last break-even.

    Where there is none, to where training steps take as long as what came before them, or the planned number.

    Args:
        totals: Sequence of `Total`, at least one.
        planned: Integer or `None`. How many training steps there will be.
    """
    crossings = [total.break_even for total in totals if total.break_even]
    if crossings:
        last = 2 * max(crossings)
    else:
        last = max(total.ready_seconds for total in totals) / min(total.step_seconds for total in totals)
    # What is planned may be a hundred times as much: then the crossing would be a speck in the corner.
    return max(last, 1.1 * planned, 10) if planned is not None and planned <= 5 * last else max(last, 10)
