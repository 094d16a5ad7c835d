"""Part 1: what one more time step costs, and where full unrolling fails."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from kerasunroll.measurement.planning.plan import Plan
from kerasunroll.report.page.pictures import write_growth_pictures
from kerasunroll.report.rows import READY, Row
from kerasunroll.report.run import Run
from kerasunroll.report.sweeps import Sweep, find_sweeps
from kerasunroll.report.tables.growth import growth_tables
from kerasunroll.report.verdict.costs import Cost, costs
from kerasunroll.report.verdict.verdict import ENDINGS
from kerasunroll.units import format_count, format_seconds

from .claims import CELLS, NOTHING, WIDE_NOTE, in_words, memory_text, pays_text, ratio_text, seconds_text
from .page import as_markdown, markdown_table, paragraphs, picture
from .runs import LIMITS, Compared, Part, command_of, grid_plan, loaded, measured_where

Pair = tuple[Row, Row]
"""The loop and the full unrolling of one network."""

TIMESTEPS: Final = (8, 16, 32, 64, 100, 200, 400, 800)
SETTINGS: Final = ("loop", "full", "k8", "own-loop")


def _plan(cell: str, *, quick: bool) -> Plan:
    timesteps = (4, 6, 8) if quick else TIMESTEPS
    units = (8,) if quick else (64,)
    return grid_plan(cells=[cell], units=[units], settings=SETTINGS, timesteps=timesteps, examples=400)


RUNS: Final = tuple(Compared(f"time-steps-{cell}", lambda quick, cell=cell: _plan(cell, quick=quick)) for cell in CELLS)


def blocks(runs: Path, images: Path) -> dict[str, str]:
    """Return the section of the page."""
    found = loaded(runs, RUNS)
    if not found:
        return {}
    return {"part: time-steps": section(found, images)}


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
    timed = [(row, loop) for loop, row in pairs(run) if READY in row.each_process and row.against_loop]
    if not timed:
        return ""
    full, loop = timed[-1]
    ready, theirs = seconds_text(full, READY), seconds_text(loop, READY)
    memory = [memory_text(row) for row in (full, loop)]
    nodes = [format_count(row.figures.get("training_step_nodes")) for row in (full, loop)]
    return (
        f"**{CELLS[full.config.stack.cell]}, T={full.config.timesteps:,}:** fully unrolled it takes {ready} to its "
        f"first training step (the loop {theirs}), {memory[0]} of process memory ({memory[1]}) and {nodes[0]} graph "
        f"nodes ({nodes[1]}). Its training step takes {ratio_text(full)} of the loop's."
    )


def pairs(run: Run) -> list[Pair]:
    """Return the loop and the full unrolling of each T, in ascending order."""
    found = []
    for rows in run.groups.values():
        by_setting = {row.setting: row for row in rows}
        if {"loop", "full"} <= by_setting.keys():
            found.append((by_setting["loop"], by_setting["full"]))
    return sorted(found, key=lambda pair: pair[0].config.timesteps or 0)


def _failures(found: Sequence[Run]) -> str:
    """Say where full unrolling failed, and why, within the limits."""
    failed = []
    for run in found:
        for _, full in pairs(run):
            endings = [word for ending, word in ENDINGS.items() if f": {ending}" in full.outcome]
            if endings:
                name = CELLS[full.config.stack.cell]
                failed.append(f"the {name} at T={full.config.timesteps:,} {endings[0]}")
    longest = max(full.config.timesteps or 0 for run in found for _, full in pairs(run))
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


def known_costs(run: Run) -> dict[tuple[str, str], Cost]:
    """Return what each variant costs, by its group and its setting."""
    return {(group, cost.setting): cost for group, rows in run.groups.items() for cost in costs(rows)}


PART: Final = Part("time-steps", RUNS, blocks)
