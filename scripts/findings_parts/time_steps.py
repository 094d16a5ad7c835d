"""Part 1: what one more time step costs, where full unrolling fails, and the advice of about 100 time steps."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from kerasunroll.display.colours import COLOURS
from kerasunroll.measurement.planning.plan import Plan
from kerasunroll.measurement.statistics.rounds import TimeRatio
from kerasunroll.report.page.pictures import write_growth_pictures
from kerasunroll.report.rows import READY, Row
from kerasunroll.report.run import Run
from kerasunroll.report.sweeps import Sweep, find_sweeps
from kerasunroll.report.tables.growth import growth_tables
from kerasunroll.report.verdict.costs import Cost, break_even, costs
from kerasunroll.report.verdict.verdict import ENDINGS
from kerasunroll.units import format_count, format_ratio, format_seconds

from .claims import CELLS, NOTHING, WIDE_NOTE, in_words, memory_text, pays_text, ratio_text, seconds_text, told
from .page import as_markdown, markdown_table, paragraphs, picture
from .runs import LIMITS, Compared, Part, command_of, grid_plan, loaded, measured_where

Pair = tuple[Row, Row]
"""The loop and the full unrolling of one network."""

ADVISED: Final = 100
TIMESTEPS: Final = (8, 16, 32, 64, 100, 200, 400, 800)
SETTINGS: Final = ("loop", "full", "k8", "own-loop")


def _plan(cell: str, *, quick: bool) -> Plan:
    timesteps = (4, 6, 8) if quick else TIMESTEPS
    units = (8,) if quick else (64,)
    return grid_plan(cells=[cell], units=[units], settings=SETTINGS, timesteps=timesteps, examples=400)


RUNS: Final = tuple(Compared(f"time-steps-{cell}", lambda quick, cell=cell: _plan(cell, quick=quick)) for cell in CELLS)


def blocks(runs: Path, images: Path) -> dict[str, str]:
    """Return the section of the page, and the answer at the top of page and README."""
    found = loaded(runs, RUNS)
    if not found:
        return {}
    return {"part: time-steps": section(found, images), "part: advice": advice(found, images)}


def section(found: Sequence[Run], images: Path) -> str:
    """Return what one more time step costs, cell by cell."""
    parts = ["## What do longer sequences cost?", *(_answer(run) for run in found), _failures(found), WIDE_NOTE]
    parts.append(measured_where(found))
    for run in found:
        sweeps = find_sweeps(run.rows)
        parts += [f"### {CELLS[run.rows[0].config.stack.cell]}", *_pictures(run, sweeps, images)]
        parts += as_markdown(growth_tables(sweeps))
        parts += [_table(run), f"```sh\n{command_of(run.plan)}\n```"]
    return paragraphs(*parts)


def _answer(run: Run) -> str:
    """Compare the two settings of Keras at the longest sequence at which both were measured."""
    pairs = [(row, loop) for loop, row in _pairs(run) if READY in row.each_process and row.against_loop]
    if not pairs:
        return ""
    full, loop = pairs[-1]
    ready, theirs = seconds_text(full, READY), seconds_text(loop, READY)
    memory = [memory_text(row) for row in (full, loop)]
    nodes = [format_count(row.figures.get("training_step_nodes")) for row in (full, loop)]
    return (
        f"**{CELLS[full.config.stack.cell]}, T={full.config.timesteps:,}:** fully unrolled it takes {ready} to its "
        f"first training step (the loop {theirs}), {memory[0]} of process memory ({memory[1]}) and {nodes[0]} graph "
        f"nodes ({nodes[1]}). Its training step takes {ratio_text(full)} of the loop's."
    )


def _pairs(run: Run) -> list[Pair]:
    """Return the loop and the full unrolling of each T, in ascending order."""
    pairs = []
    for rows in run.groups.values():
        by_setting = {row.setting: row for row in rows}
        if {"loop", "full"} <= by_setting.keys():
            pairs.append((by_setting["loop"], by_setting["full"]))
    return sorted(pairs, key=lambda pair: pair[0].config.timesteps or 0)


def _failures(found: Sequence[Run]) -> str:
    """Say where full unrolling failed, and why, within the limits."""
    failed = []
    for run in found:
        for _, full in _pairs(run):
            endings = [word for ending, word in ENDINGS.items() if f": {ending}" in full.outcome]
            if endings:
                name = CELLS[full.config.stack.cell]
                failed.append(f"the {name} at T={full.config.timesteps:,} {endings[0]}")
    longest = max(full.config.timesteps or 0 for run in found for _, full in _pairs(run))
    if failed:
        return f"Within {LIMITS}, full unrolling fails: {in_words(failed)}."
    return f"Within {LIMITS}, full unrolling fails nowhere up to T={longest:,}."


def _pictures(run: Run, sweeps: Sequence[Sweep], images: Path) -> Iterator[str]:
    for path in write_growth_pictures(sweeps, run.colours, images):
        yield picture("Memory, time and graph over the number of time steps", path.name)


def _table(run: Run) -> str:
    head = ("T", "setting", "what ran", "to the first training step", "training step", "against the loop", "pays after")
    lines = []
    for rows in run.groups.values():
        known = {cost.setting: cost for cost in costs(rows)}
        for row in rows:
            cost = known[row.setting]
            pays = pays_text(cost, known[row.baseline]) if row.against_loop and row.baseline else NOTHING
            lines.append(
                [
                    f"{row.config.timesteps:,}",
                    f"`{row.setting}`",
                    row.path or row.outcome,
                    seconds_text(row, READY),
                    format_seconds(cost.step_seconds),
                    ratio_text(row),
                    pays,
                ]
            )
    return markdown_table(head, lines)


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
        timed = [pair for pair in _pairs(run) if pair[1].against_loop and READY in pair[1].each_process]
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
            (full.config.timesteps * 1.03**place, full.against_loop) for _, full in _pairs(run) if full.against_loop
        ]
        ends = [
            [each.ratio - each.low for _, each in timed],
            [min(each.high, 10.0) - each.ratio if math.isfinite(each.high) else 10.0 for _, each in timed],
        ]
        at = [t for t, _ in timed]
        speed.errorbar(at, [each.ratio for _, each in timed], ends, color=colour, marker="o", capsize=3, label=name)
        evens = {}
        for loop, full in _pairs(run):
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


def known_costs(run: Run) -> dict[tuple[str, str], Cost]:
    """Return what each variant costs, by its group and its setting."""
    return {(group, cost.setting): cost for group, rows in run.groups.items() for cost in costs(rows)}


PART: Final = Part("time-steps", RUNS, blocks)
