"""Part 1: what one more time step costs, where full unrolling fails, and the advice of about 100 time steps."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from kerasunroll.display.colours import COLOURS
from kerasunroll.measurement.planning.plan import Plan
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


def _pairs(run: Run) -> list[tuple[Row, Row]]:
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


def advice(found: Sequence[Run], images: Path) -> str:
    """Put "unroll only up to about 100 time steps" to the test, in two sentences and a picture."""
    faster, others = [], []
    for run in found:
        timed = [full for _, full in _pairs(run) if full.against_loop]
        beyond = [full for full in timed if (full.config.timesteps or 0) > ADVISED]
        name = f"the {CELLS[run.rows[0].config.stack.cell]}"
        won = [full for full in beyond if full.against_loop and full.against_loop.verdict == "faster"]
        if won:
            ratio = won[-1].against_loop
            assert ratio is not None  # noqa: S101 - of those that were timed
            shown = told(format_ratio(ratio.ratio), ratio.ratio, ratio)
            faster.append(f"{name} at T={won[-1].config.timesteps:,} ({shown})")
        elif beyond:
            others.append(name)
    speed = []
    if faster:
        speed.append(
            "speed sets no such limit: fully unrolled, a training step is shown to be faster than the loop's for "
            f"{in_words(faster)}"
        )
    if others:
        speed.append(f"beyond {ADVISED} time steps it was not shown to be faster for {in_words(others)}")
    if not speed:
        return ""
    _draw(found).savefig(images / "advice.png")
    return paragraphs(
        f"**Unroll only up to about {ADVISED} time steps?** Measured, {'; '.join(speed)}. {_price(found)}",
        picture(
            "Time of a training step, fully unrolled over loop, and training steps until that has paid, over T",
            "advice.png",
        ),
    )


def _price(found: Sequence[Run]) -> str:
    """Say what grows instead: the time until the first training step, and with it the break-even."""
    told_of = []
    for run in found:
        pairs = [(loop, full) for loop, full in _pairs(run) if READY in full.each_process]
        if not pairs:
            continue
        near = min(pairs, key=lambda pair: abs((pair[0].config.timesteps or 0) - ADVISED))
        shown = [f"{seconds_text(full, READY)} at T={full.config.timesteps:,}" for _, full in (near, pairs[-1])]
        told_of.append(f"{' and '.join(dict.fromkeys(shown))} for the {CELLS[near[0].config.stack.cell]}")
    return (
        f"What grows is the time until the first training step ({'; '.join(told_of)}) and the memory of the graph, so "
        "the number of training steps decides, together with T."
    )


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
        evens = []
        for loop, full in _pairs(run):
            baseline, cost = costs([loop, full])
            if even := break_even(cost, baseline):
                evens.append((full.config.timesteps, even.value))
        pays.plot([t for t, _ in evens], [even for _, even in evens], color=colour, marker="o", label=name)
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
    pays.set_ylim(bottom=0)
    return figure


def known_costs(run: Run) -> dict[tuple[str, str], Cost]:
    """Return what each variant costs, by its group and its setting."""
    return {(group, cost.setting): cost for group, rows in run.groups.items() for cost in costs(rows)}


PART: Final = Part("time-steps", RUNS, blocks)
