"""The pictures of a comparison: what is drawn, and what is said of it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from matplotlib.figure import Figure

from kerasunroll.display.svg import inline_svg
from kerasunroll.figures.break_even import Total, break_even_figure
from kerasunroll.figures.flow import comparison_figure
from kerasunroll.figures.growth import growth_figure
from kerasunroll.figures.settings import Bar, settings_figure
from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.measurement.statistics.intervals import mean_interval
from kerasunroll.report.page.drawn import growth_panels, trained_histories
from kerasunroll.report.rows import Row
from kerasunroll.report.sweeps import Sweep
from kerasunroll.report.verdict.costs import Cost, break_even
from kerasunroll.report.verdict.verdict import Verdict
from kerasunroll.units import format_bytes, format_count, format_seconds

_FIGURES: Final = (
    ("process_memory", "process_growth_bytes", "process memory, added", format_bytes),
    ("tensor_memory", "tensor_peak_bytes", "tensor memory, peak of a training step", format_bytes),
    ("graph_nodes", "training_step_nodes", "graph nodes, training step", format_count),
)


@dataclass(frozen=True)
class Picture:
    """A picture with what is said below it.

    Args:
        place: String. Where on a page it stands: letters and digits.
        what: String. What it shows: the same in every group, and no two pictures of one group share it.
        draw: Function that draws it as a Matplotlib figure.
        label: String. What is told to those who do not see it.
        caption: String.
        wide: Boolean. Whether it takes the whole width.
    """

    place: str
    what: str
    draw: Callable[[], Figure]
    label: str
    caption: str = ""
    wide: bool = False

    @property
    def svg(self) -> str:
        """The picture as HTML."""
        return inline_svg(self.draw, f"{self.place}-{self.what}", self.label)


def cost_pictures(rows: Sequence[Row], verdict: Verdict, colours: Mapping[str, str], place: str) -> list[Picture]:
    """Return what each setting of a group costs: compile, time, memory, graph.

    Args:
        rows: The rows of the group.
        verdict: `Verdict` on it.
        colours: Dict from setting to colour.
        place: String. Where on a page they stand: letters and digits.
    """
    order = {cost.setting: number for number, cost in enumerate(verdict.costs)}
    rows = sorted(rows, key=lambda row: order[row.setting])
    each = "batch" if verdict.constraints.inference else "training step"
    drawn: list[tuple[str, str, Callable[[float], str], list[Bar]]] = [
        ("compile", "build, trace and compile", format_seconds, _ready(verdict, colours)),
        (each.replace(" ", "_"), f"a {each}", format_seconds, _steps(verdict, colours)),
    ]
    for what, figure, title, show in _FIGURES:
        bars = [Bar(row.setting, row.figures[figure], colours[row.setting]) for row in rows if figure in row.figures]
        drawn.append((what, title, show, bars))
    return [_bars(place, what, title, show, bars) for what, title, show, bars in drawn if bars]


def break_even_picture(verdict: Verdict, colours: Mapping[str, str], place: str) -> Picture | None:
    """Return the time in all over the number of training steps; `None` where fewer than two settings have one."""
    baseline, totals = verdict.cost(verdict.baseline), times_in_all(verdict)
    if len(totals) < 2 or totals[0].setting != baseline.setting:
        return None
    unit = "batches" if verdict.constraints.inference else "training steps"
    planned = verdict.constraints.training_steps
    crossing = [f"{total.setting} after {total.break_even:,.0f}" for total in totals if total.break_even]
    label = f"Time in all over the number of {unit}. " + (
        f"Less than {baseline.setting}: {', '.join(crossing)}." if crossing else f"None overtakes {baseline.setting}."
    )
    caption = (
        f"Compiling and {unit} together. Where a line falls below that of {baseline.setting}, its longer compile has "
        "paid for itself (circle). The bands are the 95 % intervals of the time ratios."
    )
    draw = partial(break_even_figure, totals, colours, planned, unit)
    return Picture(place, "time_in_all", draw, label, caption, wide=True)


def gradient_picture(measured: Sequence[Measured], colours: Mapping[str, str], place: str) -> Picture | None:
    """Return the gradients through time of all settings of a group; `None` where none was trained to the end."""
    trained = trained_histories(measured)
    if not trained:
        return None
    label = f"Norm of the gradient on its way back through time, per layer, in {', '.join(trained)}"
    caption = (
        "The gradient on its way back through time (from right to left), at the first training step, where all "
        "settings have the same weights. Unrolling changes what it costs, not what it is: the lines lie on each other."
    )
    draw = partial(comparison_figure, trained, colours)
    return Picture(place, "gradient_through_time", draw, label, caption, wide=True)


def all_pictures(
    rows: Sequence[Row], verdict: Verdict, measured: Sequence[Measured], colours: Mapping[str, str], place: str
) -> list[Picture]:
    """Return all pictures of a group that there is something to draw in: costs, time in all, gradients.

    Args:
        rows: The rows of the group.
        verdict: `Verdict` on it.
        measured: What was measured of it.
        colours: Dict from setting to colour: of all settings of the comparison, from `Run.colours`.
        place: String. Where on a page they stand: letters and digits.
    """
    last = (break_even_picture(verdict, colours, place), gradient_picture(measured, colours, place))
    return [*cost_pictures(rows, verdict, colours, place), *(picture for picture in last if picture)]


def growth_pictures(sweep: Sweep, colours: Mapping[str, str], number: int) -> list[Picture]:
    """Return what a sweep costs over the number of time steps, a picture per figure, both axes logarithmic."""
    pictures = []
    for place, panel in enumerate(growth_panels(sweep, colours)):
        label = f"{panel.title} over the number of time steps: {'; '.join(line.label for line in panel.lines)}"
        pictures.append(Picture(f"s{number}", f"p{place}", partial(growth_figure, sweep.name, [panel]), label))
    return pictures


def _bars(place: str, what: str, title: str, show: Callable[[float], str], bars: Sequence[Bar]) -> Picture:
    values = ", ".join(f"{bar.setting} {show(bar.value)}" for bar in bars)
    return Picture(place, what, lambda: settings_figure(title, show, bars), f"{title}: {values}")


def _ready(verdict: Verdict, colours: Mapping[str, str]) -> list[Bar]:
    bars = []
    for cost in verdict.costs:
        if cost.ready_seconds is not None:
            ends = mean_interval(cost.ready_each) if len(cost.ready_each) > 1 else None
            low, high = (ends.low, ends.high) if ends else (None, None)
            bars.append(Bar(cost.setting, cost.ready_seconds, colours[cost.setting], low, high))
    return bars


def _steps(verdict: Verdict, colours: Mapping[str, str]) -> list[Bar]:
    # The baseline has no interval: the others' are those of their ratio to it.
    baseline = verdict.cost(verdict.baseline).step_seconds
    bars = []
    for cost in verdict.costs:
        if cost.step_seconds is None:
            continue
        low = high = None
        if cost.ratio and baseline and cost.setting != verdict.baseline and math.isfinite(cost.ratio.high):
            low, high = baseline * cost.ratio.low, baseline * cost.ratio.high
        bars.append(Bar(cost.setting, cost.step_seconds, colours[cost.setting], low, high))
    return bars


def times_in_all(verdict: Verdict) -> list[Total]:
    """Return the time in all of each setting that was timed in turns with the baseline."""
    baseline = verdict.cost(verdict.baseline)
    return [total for cost in verdict.costs if (total := _total(cost, baseline))]


def _total(cost: Cost, baseline: Cost) -> Total | None:
    if cost.ready_seconds is None or cost.ratio is None or not baseline.step_seconds:
        return None
    even = break_even(cost, baseline)
    step = cost.ratio.scaled(baseline.step_seconds)
    return Total(cost.setting, cost.ready_seconds, step.value, step.low, step.high, even.value if even else None)
