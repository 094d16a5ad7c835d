"""The pictures of a page, as SVG."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.figure import Figure

from kerasunroll.figures.break_even import Total, break_even_figure
from kerasunroll.figures.flow import comparison_figure
from kerasunroll.figures.growth import Panel, growth_figure
from kerasunroll.figures.settings import Bar, settings_figure
from kerasunroll.measurement.findings import Measured
from kerasunroll.report.costs import READY_SPREAD, Cost, break_even
from kerasunroll.report.drawn import growth_panels, trained_histories
from kerasunroll.report.growth import Sweep
from kerasunroll.report.rows import Row
from kerasunroll.report.svg import inline_svg
from kerasunroll.report.verdict import Verdict
from kerasunroll.units import format_bytes, format_count, format_seconds

_FIGURES: Final = (
    ("process_growth_bytes", "process memory, added", format_bytes),
    ("tensor_peak_bytes", "tensor memory, peak of a training step", format_bytes),
    ("training_step_nodes", "graph nodes, training step", format_count),
)
_TWO_SIDED_95: Final = 1.96


@dataclass(frozen=True)
class Picture:
    """A picture with what is said below it.

    Args:
        svg: String. HTML.
        caption: String.
        wide: Boolean. Whether it takes the whole width.
    """

    svg: str
    caption: str = ""
    wide: bool = False


def cost_pictures(rows: Sequence[Row], verdict: Verdict, number: int) -> list[Picture]:
    """Return what each setting of a group costs: compile, time, memory, graph.

    Args:
        rows: The rows of the group.
        verdict: `Verdict` on it.
        number: Integer. The number of the group on the page, for the names of its pictures.
    """
    order = {cost.setting: place for place, cost in enumerate(verdict.costs)}
    rows = sorted(rows, key=lambda row: order[row.setting])
    each = "batch" if verdict.constraints.inference else "training step"
    drawn: list[tuple[str, Callable[[float], str], list[Bar]]] = [
        ("build, trace and compile", format_seconds, _ready(verdict)),
        (f"a {each}", format_seconds, _steps(verdict)),
    ]
    for figure, title, show in _FIGURES:
        bars = [Bar(row.setting, row.figures[figure], order[row.setting]) for row in rows if figure in row.figures]
        drawn.append((title, show, bars))
    return [
        Picture(_bars(title, show, bars, f"g{number}-c{place}"))
        for place, (title, show, bars) in enumerate(drawn)
        if bars
    ]


def break_even_picture(verdict: Verdict, number: int) -> Picture | None:
    """Return the time in all over the number of training steps; `None` where fewer than two settings have one."""
    baseline = verdict.cost(verdict.baseline)
    totals = [total for place, cost in enumerate(verdict.costs) if (total := _total(cost, baseline, place))]
    if len(totals) < 2 or totals[0].setting != baseline.setting:
        return None
    unit = "batches" if verdict.constraints.inference else "training steps"
    planned = verdict.constraints.training_steps
    crossing = [f"{total.setting} after {total.break_even:,.0f}" for total in totals if total.break_even]
    label = f"Time in all over the number of {unit}. " + (
        f"Less than {baseline.setting}: {', '.join(crossing)}." if crossing else f"None overtakes {baseline.setting}."
    )
    svg = inline_svg(lambda: break_even_figure(totals, planned, unit), f"g{number}-even", label)
    caption = (
        f"Compiling and {unit} together. Where a line falls below that of {baseline.setting}, its longer compile has "
        "paid for itself (circle). The bands are the 95 % intervals of the time ratios."
    )
    return Picture(svg, caption, wide=True)


def gradient_picture(measured: Sequence[Measured], number: int) -> Picture | None:
    """Return the gradients through time of all settings of a group; `None` where none was trained to the end."""
    trained = trained_histories(measured)
    if not trained:
        return None
    label = f"Norm of the gradient on its way back through time, per layer, in {', '.join(trained)}"
    svg = inline_svg(lambda: comparison_figure(trained), f"g{number}-flow", label)
    caption = (
        "The gradient on its way back through time (from right to left), at the first training step, where all "
        "settings have the same weights. Unrolling changes what it costs, not what it is: the lines lie on each other."
    )
    return Picture(svg, caption, wide=True)


def growth_pictures(sweep: Sweep, number: int) -> list[Picture]:
    """Return what a sweep costs over the number of time steps, a picture per figure, both axes logarithmic."""
    pictures = []
    for place, panel in enumerate(growth_panels(sweep)):
        label = f"{panel.title} over the number of time steps: {'; '.join(line.label for line in panel.lines)}"
        draw = _drawing(sweep.name, panel)
        pictures.append(Picture(inline_svg(draw, f"s{number}-p{place}", label)))
    return pictures


def _drawing(name: str, panel: Panel) -> Callable[[], Figure]:
    return lambda: growth_figure(name, [panel])


def _bars(title: str, show: Callable[[float], str], bars: Sequence[Bar], name: str) -> str:
    values = ", ".join(f"{bar.setting} {show(bar.value)}" for bar in bars)
    return inline_svg(lambda: settings_figure(title, show, bars), name, f"{title}: {values}")


def _ready(verdict: Verdict) -> list[Bar]:
    margin = _TWO_SIDED_95 * READY_SPREAD
    return [
        Bar(cost.setting, ready, place, ready * (1 - margin), ready * (1 + margin))
        for place, cost in enumerate(verdict.costs)
        if (ready := cost.ready_seconds) is not None
    ]


def _steps(verdict: Verdict) -> list[Bar]:
    # The baseline has no interval: the others' are those of their ratio to it.
    baseline = verdict.cost(verdict.baseline).step_seconds
    bars = []
    for place, cost in enumerate(verdict.costs):
        if cost.step_seconds is None:
            continue
        low = high = None
        if cost.ratio and baseline and cost.setting != verdict.baseline and math.isfinite(cost.ratio.high):
            low, high = baseline * cost.ratio.low, baseline * cost.ratio.high
        bars.append(Bar(cost.setting, cost.step_seconds, place, low, high))
    return bars


def _total(cost: Cost, baseline: Cost, place: int) -> Total | None:
    if cost.ready_seconds is None or cost.ratio is None or not baseline.step_seconds:
        return None
    even = break_even(cost, baseline)
    step = cost.ratio.scaled(baseline.step_seconds)
    return Total(cost.setting, cost.ready_seconds, step.value, step.low, step.high, place, even.value if even else None)
