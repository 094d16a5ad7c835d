"""The fast kernels: kerasunroll's loop against the better of Keras's two settings, over batch × T × units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from kerasunroll.measurement.statistics.intervals import Interval
from kerasunroll.report.rows import Row
from kerasunroll.report.run import Run
from kerasunroll.report.verdict.costs import costs, time_ratio
from kerasunroll.units import format_ratio

from . import who_unrolls
from .claims import CELLS, WIDE_NOTE, in_words, is_narrow, told
from .page import paragraphs, picture
from .runs import Compared, Part, loaded, measured_where

OURS: Final = "own-loop"
GOAL, LIMIT = 0.70, 0.90
NAMED: Final = 6
"""So many shapes that miss the limit are named; the picture has all."""

LENGTHS: Final = {"short": (20, 50), "middle": (100,), "long": (300,)}
RUNS: Final = tuple(
    Compared(
        f"kernels-{cell}-{name}",
        lambda quick, cell=cell, lengths=lengths: who_unrolls.plan(lengths, cell=cell, quick=quick),
    )
    for cell in ("gru", "simple_rnn")
    for name, lengths in LENGTHS.items()
)
"""The LSTM's shapes are those of the map of who should unroll."""


@dataclass(frozen=True)
class Shape:
    """What kerasunroll's loop takes at one shape.

    Args:
        cell: String.
        shape: Tuple: batch size, T, units.
        better: String. Keras's setting with the shorter training step.
        step: `Interval`. The time of a training step over that setting's.
        ready: Float or `None`. The time to the first training step over that of Keras's loop.
    """

    cell: str
    shape: tuple[int, int, int]
    better: str
    step: Interval
    ready: float | None


def compared(rows: Sequence[Row]) -> Shape | None:
    """Return how kerasunroll's loop does in a group; `None` if it or both of Keras's settings were not timed."""
    known = {cost.setting: cost for cost in costs(rows) if cost.ratio is not None}
    keras = [known[setting] for setting in who_unrolls.KERAS if setting in known]
    if OURS not in known or not keras:
        return None
    ours, better = known[OURS], min(keras, key=lambda cost: cost.ratio.value if cost.ratio else 0.0)
    step, config = time_ratio(ours, better), rows[0].config
    if step is None:
        return None
    loop = known.get("loop")
    ready = ours.ready_seconds / loop.ready_seconds if loop and loop.ready_seconds and ours.ready_seconds else None
    shape = (config.batch_size, config.stack.timesteps or 0, config.stack.units[0])
    return Shape(config.stack.cell, shape, better.setting, step, ready)


def shapes(found: Sequence[Run]) -> list[Shape]:
    """Return every shape that was measured."""
    return [shape for run in found for rows in run.groups.values() if (shape := compared(rows)) is not None]


def blocks(runs: Path, images: Path) -> dict[str, str]:
    """Return the section of docs/kernels.md."""
    found = loaded(runs, [*who_unrolls.RUNS, *RUNS])
    by_cell = {cell: [each for each in shapes(found) if each.cell == cell] for cell in CELLS}
    by_cell = {cell: each for cell, each in by_cell.items() if each}
    if not by_cell:
        return {}
    draw(by_cell).savefig(images / "kernels.png")
    missing = [f"the {name}" for cell, name in CELLS.items() if cell not in by_cell]
    section = paragraphs(
        *(_answer(cell, each) for cell, each in by_cell.items()),
        f"Not measured yet: {in_words(missing)}." if missing else "",
        picture("Time of a training step of kerasunroll's loop over the better of Keras's two settings", "kernels.png"),
        WIDE_NOTE,
        measured_where(found),
    )
    return {"part: kernels": section}


def _answer(cell: str, each: Sequence[Shape]) -> str:
    ratios = sorted(one.step.value for one in each)
    good = sum(ratio <= GOAL for ratio in ratios)
    bad = sorted((one for one in each if one.step.value > LIMIT), key=lambda one: -one.step.value)
    ready = [one.ready for one in each if one.ready is not None]
    batches, lengths, units = ({one.shape[axis] for one in each} for axis in range(3))
    sentences = [
        f"**{CELLS[cell]}**, {len(each)} shapes (B {min(batches)} to {max(batches)}, T {min(lengths)} to "
        f"{max(lengths)}, U {min(units)} to {max(units)}): a training step takes {ratios[0]:.2f} to {ratios[-1]:.2f} "
        f"of that of Keras's better setting (median {median(ratios):.2f}). The goal of {GOAL:.2f} is met at {good}; "
        f"{len(bad)} {'is' if len(bad) == 1 else 'are'} above {LIMIT:.2f}."
    ]
    if bad:
        named = [f"{one.shape} {told(format_ratio(one.step.value), one.step.value, one.step)}" for one in bad[:NAMED]]
        sentences.append(f"The {'slowest' if len(bad) > NAMED else 'shapes above'}, as (B, T, U): {in_words(named)}.")
    if ready:
        sentences.append(
            f"The first training step is there after {min(ready):.1f} to {max(ready):.1f} times the loop's time "
            f"(median {median(ready):.1f})."
        )
    return " ".join(sentences)


def draw(by_cell: Mapping[str, Sequence[Shape]]) -> Figure:
    """Draw a row of panels for each cell, a panel for each T, a field for each batch size and number of units."""
    lengths = sorted({one.shape[1] for each in by_cell.values() for one in each})
    size = (1.4 + 2.5 * len(lengths), 0.9 + 2.1 * len(by_cell))
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    grid = figure.subplots(len(by_cell), len(lengths), squeeze=False)
    for panels, (cell, each) in zip(grid, by_cell.items(), strict=True):
        for axes, length in zip(panels, lengths, strict=True):
            _panel(axes, [one for one in each if one.shape[1] == length])
            axes.set_title(f"{CELLS[cell]}, T={length}", fontsize=9, loc="left")
    figure.supxlabel("batch size; ≈ marks a wide interval", fontsize=9)
    return figure


def _panel(axes: Any, each: Sequence[Shape]) -> None:
    batches, units = (sorted({one.shape[axis] for one in each}) for axis in (0, 2))
    values = [[float("nan")] * len(batches) for _ in units]
    for one in each:
        column, row = batches.index(one.shape[0]), units.index(one.shape[2])
        values[row][column] = one.step.value
        mark = "" if is_narrow(one.step.value, one.step) else "≈"
        axes.text(column, row, f"{mark}{one.step.value:.2f}", ha="center", va="center", fontsize=9)
    if each:
        # Blue where kerasunroll's loop is faster, orange where Keras is; both light enough for black figures.
        axes.imshow(values, cmap="PuOr_r", norm=TwoSlopeNorm(1, 0, 2), alpha=0.6, aspect="auto", origin="lower")
    axes.set_xticks(range(len(batches)), [str(batch) for batch in batches], fontsize=8)
    axes.set_yticks(range(len(units)), [f"{number} units" for number in units], fontsize=8)
    axes.tick_params(length=0)


PART: Final = Part("kernels", RUNS, blocks)
