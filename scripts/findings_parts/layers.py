"""Part 3: layers unrolled separately. Is the cost of a two-layer stack the sum of what its layers cost?"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from kerasunroll.measurement.planning.plan import Plan
from kerasunroll.measurement.statistics.intervals import Interval
from kerasunroll.report.rows import READY, Row
from kerasunroll.report.run import Run
from kerasunroll.report.verdict.costs import Cost, costs
from kerasunroll.units import format_count, format_seconds

from .claims import CELLS, NARROW, WIDE_NOTE, memory_text, ratio_text, seconds_text
from .page import markdown_table, paragraphs, picture
from .runs import Compared, Part, command_of, grid_plan, loaded, measured_where

SETTINGS: Final = ("loop", "full", "k8", "own-loop")
EXTRA: Final = ("own-full", "own-full")
"""Beside the combinations: for what one matrix product for all inputs saves (docs/concepts.md)."""


def _plan(cell: str, *, quick: bool) -> Plan:
    pairs = [*product(SETTINGS[:2] if quick else SETTINGS, repeat=2), EXTRA]
    return grid_plan(
        source="digits",
        cells=[cell],
        units=[(8, 8) if quick else (64, 64)],
        settings=[",".join(pair) for pair in pairs],
        timesteps=[8 if quick else 64],
    )


RUNS: Final = (
    Compared("layers-lstm", lambda quick: _plan("lstm", quick=quick)),
    Compared("layers-simple_rnn", lambda quick: _plan("simple_rnn", quick=quick)),
)


@dataclass(frozen=True)
class Sum:
    """A combination, and what it would cost if the cost were additive.

    Args:
        pair: Tuple of two strings, the settings of the layers.
        measured: `Interval`.
        expected: `Interval`. Of the two stacks with only one of the layers in another setting than the loop:
            `cost(a, loop) + cost(loop, b) - cost(loop, loop)`.
    """

    pair: tuple[str, str]
    measured: Interval
    expected: Interval

    @property
    def off(self) -> float:
        """How far the measured cost is off the sum, as a share of the sum."""
        return self.measured.value / self.expected.value - 1

    @property
    def margin(self) -> float:
        """The half-width of the interval of `off`."""
        return math.hypot(_half(self.measured), _half(self.expected)) / self.expected.value

    @property
    def is_additive(self) -> bool | None:
        """Whether it is off by no more than 5 %, by the whole of its interval; `None` where that cannot be told."""
        if abs(self.off) + self.margin <= NARROW:
            return True
        return False if abs(self.off) - self.margin > NARROW else None


def sums(values: Mapping[tuple[str, str], Interval], base: str = "loop") -> list[Sum]:
    """Return every combination of two layers of which neither has the base's setting, beside its sum.

    Args:
        values: Dict from the settings of both layers to what that costs.
        base: String. The setting whose stack the sums begin with. Defaults to `"loop"`.
    """
    found = []
    for pair, measured in values.items():
        single = ((pair[0], base), (base, pair[1]), (base, base))
        if base in pair or any(one not in values for one in single):
            continue
        first, second, both = (values[one] for one in single)
        value = first.value + second.value - both.value
        half = math.hypot(*map(_half, (first, second, both)))
        found.append(Sum(pair, measured, Interval(value, value - half, value + half)))
    return found


def _half(interval: Interval) -> float:
    return (interval.high - interval.low) / 2


def _step(row: Row, cost: Cost) -> Interval | None:  # noqa: ARG001
    return cost.ratio


def _ready(row: Row, cost: Cost) -> Interval | None:  # noqa: ARG001
    return row.interval(READY)


def _memory(row: Row, cost: Cost) -> Interval | None:  # noqa: ARG001
    return row.interval("process_growth_bytes")


def _nodes(row: Row, cost: Cost) -> Interval | None:  # noqa: ARG001
    nodes = row.figures.get("training_step_nodes")
    return None if nodes is None else Interval(nodes, nodes, nodes)


FIGURES: Final[Mapping[str, Callable[[Row, Cost], Interval | None]]] = {
    "training step": _step,
    "time to the first training step": _ready,
    "process memory": _memory,
    "graph nodes": _nodes,
}
"""What is looked at. A training step counts as its ratio to the loop's, which was timed in turns."""


def sums_of(run: Run) -> dict[str, list[Sum]]:
    """Return the sums of each figure of a run."""
    known = {cost.setting: cost for cost in costs(run.rows)}
    found = {}
    for name, figure in FIGURES.items():
        values = {
            _pair(row): value
            for row in run.rows
            if _pair(row) != EXTRA and (value := figure(row, known[row.setting])) is not None
        }
        found[name] = sums(values)
    return {name: each for name, each in found.items() if each}


def _pair(row: Row) -> tuple[str, str]:
    first, _, second = row.setting.partition(",")
    return first, second or first


def blocks(runs: Path, images: Path) -> dict[str, str]:
    """Return the section of the page."""
    found = loaded(runs, RUNS)
    if not found:
        return {}
    parts = ["## Is each layer of a stack unrolled by itself?"]
    for run in found:
        name, name_of_picture = run.rows[0].config.stack.cell, f"layers-{run.rows[0].config.stack.cell}.png"
        by_figure = sums_of(run)
        if by_figure:
            _draw(by_figure).savefig(images / name_of_picture)
            parts += [
                f"**{CELLS[name]}.** {' '.join(_sentences(by_figure))}",
                picture(f"{CELLS[name]}: measured cost over the sum of both layers' costs", name_of_picture),
            ]
        parts += [_table(run), f"```sh\n{command_of(run.plan)}\n```"]
    return {"part: layers": paragraphs(*parts, WIDE_NOTE, measured_where(found))}


def _sentences(by_figure: Mapping[str, Sequence[Sum]]) -> Iterator[str]:
    yield "Yes: any setting goes with any other. Is what a stack costs the sum of what its layers cost?"
    for name, each in by_figure.items():
        worst = max(each, key=lambda one: abs(one.off))
        judged = [one.is_additive for one in each]
        if all(judged):
            words = "the sum, to 5 %"
        elif False in judged:
            words = f"not the sum in {judged.count(False)} of {len(judged)} combinations"
        else:
            words = f"the sum as far as can be told (within ±5 % in {judged.count(True)} of {len(judged)})"
        yield (
            f"{name[0].upper()}{name[1:]}: {words}; the largest miss is {worst.off:+.0%} "
            f"(±{worst.margin:.0%}, `{','.join(worst.pair)}`)."
        )


def _draw(by_figure: Mapping[str, Sequence[Sum]]) -> Figure:
    pairs = list(dict.fromkeys(one.pair for each in by_figure.values() for one in each))
    figure = Figure(figsize=(2.5 + 2.1 * len(by_figure), 1.1 + 0.28 * len(pairs)), dpi=100, layout="constrained")
    panels = figure.subplots(1, len(by_figure), squeeze=False, sharey=True)[0]
    for axes, (name, each) in zip(panels, by_figure.items(), strict=True):
        at = [pairs.index(one.pair) for one in each]
        axes.axvspan(-100 * NARROW, 100 * NARROW, color="#e8e8e8")
        axes.axvline(0, color="black", linewidth=1)
        off, margins = [100 * one.off for one in each], [100 * one.margin for one in each]
        axes.errorbar(off, at, xerr=margins, fmt="o", capsize=3, color="#0072b2")
        axes.set_title(name, fontsize=9, loc="left")
        axes.set_xlabel("% off the sum")
    panels[0].set_yticks(range(len(pairs)), [",".join(pair) for pair in pairs])
    panels[0].invert_yaxis()
    return figure


def _table(run: Run) -> str:
    head = ("setting", "what ran", "to the first training step", "training step", "against the loop", "process memory")
    known = {cost.setting: cost for cost in costs(run.rows)}
    lines = [
        [
            f"`{row.setting}`",
            row.path or row.outcome,
            seconds_text(row, READY),
            format_seconds(known[row.setting].step_seconds),
            ratio_text(row),
            memory_text(row),
            format_count(row.figures.get("training_step_nodes")),
        ]
        for row in run.rows
    ]
    return markdown_table((*head, "graph nodes"), lines)


PART: Final = Part("layers", RUNS, blocks)
