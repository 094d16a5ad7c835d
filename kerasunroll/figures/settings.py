"""Pictures of what each setting costs, one beside the other. No TensorFlow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Bar:
    """One setting.

    Args:
        setting: String.
        value: Float.
        colour: String. That of the setting, from `setting_colours`.
        low: Float or `None`. Lower end of the interval, if there is one.
        high: Float or `None`. Upper end of the interval, if there is one.
    """

    setting: str
    value: float
    colour: str
    low: float | None = None
    high: float | None = None


def settings_figure(title: str, show: Callable[[float], str], bars: Sequence[Bar]) -> Figure:
    """Draw a bar for each setting from zero, with its value, and its interval where there is one.

    Args:
        title: String. What is shown; the shorter the bar the better.
        show: Function that makes a text of a value.
        bars: Sequence of `Bar`, at least one.

    Returns:
        A Matplotlib figure.
    """
    figure = Figure(figsize=(4.6, 0.85 + 0.42 * len(bars)), dpi=100, layout="constrained")
    axes = figure.subplots()
    for place, bar in enumerate(bars):
        axes.barh(place, bar.value, height=0.62, color=bar.colour)
        end = bar.value
        if bar.low is not None and bar.high is not None:
            axes.plot([bar.low, bar.high], [place, place], color="black", linewidth=1.4, marker="|", markersize=9)
            end = max(bar.value, bar.high)
        axes.annotate(show(bar.value), (end, place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9)
    # Room for the value beside the longest bar.
    axes.set_xlim(0, 1.28 * max(max(bar.value, bar.high or 0.0) for bar in bars) or 1.0)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_yticks(range(len(bars)), [bar.setting for bar in bars])
    axes.tick_params(axis="y", length=0)
    axes.set_xticks([])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_title(title, fontsize=10, loc="left")
    return figure
