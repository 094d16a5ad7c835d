"""Is it true that one should unroll only up to about 100 time steps? Answered from the records of part 1."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from kerasunroll.display.colours import COLOURS
from kerasunroll.measurement.statistics.rounds import TimeRatio
from kerasunroll.report.rows import READY, Row
from kerasunroll.report.run import Run
from kerasunroll.report.verdict.costs import Cost, break_even, costs
from kerasunroll.units import format_ratio, format_seconds

from . import time_steps
from .claims import CELLS, NOTHING, in_words, told
from .page import paragraphs, picture
from .runs import Part, loaded
from .time_steps import pairs

ADVISED: Final = 100


def blocks(runs: Path, images: Path) -> dict[str, str]:
    """Return the answer at the top of page and README."""
    found = loaded(runs, time_steps.RUNS)
    return {"part: advice": advice(found, images)} if found else {}


@dataclass(frozen=True)
class Cell:
    """What the advice is held against, of one cell.

    Args:
        name: String.
        near: `Row`. Full unrolling at about as many time steps as advised.
        loop: `Row`. The loop at the longest sequences at which full unrolling was timed.
        full: `Row`. Full unrolling there.
    """

    name: str
    near: Row
    loop: Row
    full: Row

    @classmethod
    def of(cls, run: Run) -> "Cell | None":
        """Return the cell of a run; `None` where nothing beyond the advice was timed."""
        timed = [pair for pair in pairs(run) if pair[1].against_loop and READY in pair[1].each_process]
        if not timed or _length(timed[-1][1]) <= ADVISED:
            return None
        near = min((full for _, full in timed), key=lambda full: abs(_length(full) - ADVISED))
        return cls(CELLS[near.config.stack.cell], near, *timed[-1])

    @property
    def speed(self) -> TimeRatio:
        """The time of a training step of the longest sequences, over the loop's."""
        assert self.full.against_loop is not None  # noqa: S101 - see `of`
        return self.full.against_loop


def _length(row: Row) -> int:
    return row.config.timesteps or 0


def advice(found: Sequence[Run], images: Path) -> str:
    """Put "unroll only up to about 100 time steps" to the test, in two sentences and a picture."""
    cells = [cell for run in found if (cell := Cell.of(run))]
    if not cells:
        return ""
    _draw(found).savefig(images / "advice.png")
    return paragraphs(
        f"**Unroll only up to about {ADVISED} time steps?** {_speed(cells)} {_price(cells)}",
        picture(
            "Time of a training step, fully unrolled over loop, and training steps until that has paid, over T",
            "advice.png",
        ),
    )


def _speed(cells: Sequence[Cell]) -> str:
    """Say whether a training step is still faster at the longest sequences."""
    others = [cell.name for cell in cells if cell.speed.verdict != "faster"]
    times = in_words([told(format_ratio(cell.speed.ratio), cell.speed.ratio, cell.speed) for cell in cells])
    names = ", ".join(cell.name for cell in cells)
    measured = f"{_at(cells)}, an unrolled training step takes {times} of the loop's time ({names})"
    if not others:
        return f"Speed sets no such limit: {measured}."
    return f"Not by speed alone: {measured}; not shown to be faster: {in_words(others)}."


def _at(cells: Sequence[Cell]) -> str:
    return "at " + in_words(list(dict.fromkeys(f"T={_length(cell.full):,}" for cell in cells)))


def _price(cells: Sequence[Cell]) -> str:
    """Say what grows instead: the wait for the first training step and the memory, and with them the break-even."""
    near, far = (
        in_words([_wait(row) for row in rows]) for rows in zip(*((c.near, c.full) for c in cells), strict=True)
    )
    memory = in_words([f"{_memory(cell.full) / _memory(cell.loop):.0f}×" for cell in cells])
    evens = [break_even(*_costs(cell.loop, cell.full)) for cell in cells]
    pays = in_words([told(f"{even.value:,.0f}", even.value, even) if even else "never" for even in evens])
    return (
        f"But the wait for the first training step grows ({near} at about {ADVISED} time steps, {far} {_at(cells)}), "
        f"and so does the memory of the process ({memory} the loop's), so that it pays only after many training steps "
        f"({pays})."
    )


def _wait(row: Row) -> str:
    ends = row.interval(READY)
    return NOTHING if ends is None else told(format_seconds(ends.value), ends.value, ends)


def _memory(row: Row) -> float:
    return row.figures.get("process_growth_bytes", math.nan)


def _costs(loop: Row, full: Row) -> tuple[Cost, Cost]:
    baseline, cost = costs([loop, full])
    return cost, baseline


def _draw(found: Sequence[Run]) -> Figure:
    figure = Figure(figsize=(9.4, 3.6), dpi=100, layout="constrained")
    speed, pays = figure.subplots(1, 2)
    for run, colour, place in zip(found, COLOURS, range(len(found)), strict=False):
        name = CELLS[run.rows[0].config.stack.cell]
        timed = [
            (full.config.timesteps * 1.03**place, full.against_loop) for _, full in pairs(run) if full.against_loop
        ]
        ends = [
            [each.ratio - each.low for _, each in timed],
            [min(each.high, 10.0) - each.ratio if math.isfinite(each.high) else 10.0 for _, each in timed],
        ]
        at = [t for t, _ in timed]
        speed.errorbar(at, [each.ratio for _, each in timed], ends, color=colour, marker="o", capsize=3, label=name)
        evens = {}
        for loop, full in pairs(run):
            even = break_even(*_costs(loop, full))
            evens[full.config.timesteps] = max(even.value, 1.0) if even else math.nan  # a gap where it never pays
        pays.plot(list(evens), list(evens.values()), color=colour, marker="o", label=name)
    ticks = sorted({row.config.timesteps or 0 for run in found for row in run.rows})
    speed.axhline(1, color="black", linewidth=1)
    speed.set_ylim(0, 1.6)
    for axes, title in ((speed, "training step, full over loop"), (pays, "training steps until full has paid")):
        axes.axvline(ADVISED, color="#6b6b6b", linestyle=":", label=f"{ADVISED} time steps")
        axes.set_xscale("log")
        axes.set_xticks(ticks, [str(t) for t in ticks], minor=False)
        axes.set_xticks([], minor=True)
        axes.set_xlabel("time steps T")
        axes.set_title(title, fontsize=10, loc="left")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    pays.set_yscale("log")
    pays.yaxis.set_major_formatter(FuncFormatter(lambda steps, _: f"{steps:,.0f}"))
    return figure


PART: Final = Part("advice", (), blocks)
