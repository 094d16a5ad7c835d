"""Part 4: how far gradients reach in each cell, before and after training, and that every setting has the same."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from kerasunroll.display.colours import COLOURS
from kerasunroll.figures.states import state_heatmap
from kerasunroll.measurement.statistics.intervals import Interval, mean_interval

from .claims import CELLS, WIDE_NOTE, told
from .page import markdown_table, paragraphs, picture
from .runs import Jobs, Part
from .trainings import SOURCES, gradients_job, read, trained_where

SEEDS: Final = 5
WHEN: Final = ("at initialisation", "after training")
FULL: Final = {"timesteps": 64, "units": 64, "steps": 1000}
SMALL: Final = {"timesteps": 21, "units": 8, "steps": 3}

Found = Mapping[str, Any]


def _jobs(cell: str, *, quick: bool) -> dict[str, Callable[[Path], None]]:
    size, seeds = (SMALL, 2) if quick else (FULL, SEEDS)
    return {
        f"{task}-{cell}-{seed}.json": partial(gradients_job, task=task, cell=cell, seed=seed, **size)
        for seed in range(seeds)
        for task in (["adding", "copy"] if quick else SOURCES)
    }


RUNS: Final = tuple(
    Jobs(f"gradients-{cell}", lambda quick, cell=cell: _jobs(cell, quick=quick), each_seconds=50) for cell in CELLS
)


def half_life(slopes: Sequence[float]) -> Interval | None:
    """Return the time steps in which the gradient halves, over several seeds; `None` where it does not shrink.

    The interval is Student's, of the mean doublings per time step, and its ends are inverted: where these reach zero,
    the half-life has no upper limit.

    Args:
        slopes: Doublings per time step on the way back, one per seed.
    """
    known = [slope for slope in slopes if math.isfinite(slope)]
    if not known:
        return None
    mean = mean_interval(known)
    if mean.value >= 0:
        return None
    return Interval(-1 / mean.value, -1 / mean.low, -1 / mean.high if mean.high < 0 else math.inf)


def blocks(runs: Path, images: Path) -> dict[str, str]:
    """Return the section of the page."""
    found = [each for run in RUNS for each in read(runs / run.name)]
    if not found:
        return {}
    _draw(found).savefig(images / "gradients.png")
    state = next((each["states"] for each in found if "states" in each), None)
    if state:
        arrays = {name: np.asarray(values)[None] for name, values in state.items()}
        unmasked = np.ones(next(iter(arrays.values())).shape[:2], dtype=bool)
        state_heatmap("lstm_1", arrays, unmasked).savefig(images / "state.png")
    seeds = len({each["seed"] for each in found})
    steps, timesteps, units = (found[0][name] for name in ("training_steps", "timesteps", "units"))
    section = paragraphs(
        "## How far back do gradients reach?",
        " ".join(_sentences(found)),
        _equal(found),
        picture("Norm of the gradient by time steps gone back, in each cell and task", "gradients.png"),
        _table(found),
        f"The half-life is the number of time steps in which the norm of dL/dh_t halves on its way back, by a straight "
        f"line through its logarithm; R² tells how well that fits. One layer of {units} units, T={timesteps}, {seeds} "
        f"seeds, {steps:,} training steps. Where the task has a loss at every time step, that of the last one is "
        "followed.",
        WIDE_NOTE,
        trained_where(found),
    )
    return {"part: gradients": section}


def _groups(found: Sequence[Found]) -> Iterator[tuple[str, str, list[Found]]]:
    for task in dict.fromkeys(each["task"] for each in found):
        for cell in CELLS:
            members = [each for each in found if (each["task"], each["cell"]) == (task, cell)]
            if members:
                yield task, cell, members


def _slopes(members: Sequence[Found], when: str) -> list[float]:
    return [each[when]["doublings_per_time_step"] for each in members]


def _sentences(found: Sequence[Found]) -> Iterator[str]:
    """Say how the cells compare at initialisation, and what training changes."""
    for cell, name in CELLS.items():
        parts = []
        for when in WHEN:
            lives = {task: half_life(_slopes(members, when)) for task, of, members in _groups(found) if of == cell}
            known = {task: each.value for task, each in lives.items() if each}
            if known:
                shortest, longest = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
                parts.append(
                    f"{when} within {known[shortest]:.1f} ({shortest}) to {known[longest]:.1f} time steps ({longest})"
                    if len(known) > 1
                    else f"{when} within {known[shortest]:.1f} time steps ({shortest})"
                )
            if not_shrinking := [task for task, each in lives.items() if not each]:
                parts.append(f"{when} not at all in {' and '.join(not_shrinking)}")
        if parts:
            yield f"**{name}:** the gradient halves {'; '.join(parts)}."


def _equal(found: Sequence[Found]) -> str:
    largest: dict[str, float] = {}
    for each in found:
        for when in WHEN:
            for setting, difference in each[when]["differences"].items():
                largest[setting] = max(difference, largest.get(setting, 0.0))
    if not largest:
        return ""
    told_of = ", ".join(f"`{setting}` {value:.0e}" for setting, value in largest.items())
    return (
        "Every setting has the same gradients: the largest difference from the loop's, as a share of the largest "
        f"norm, is {told_of}."
    )


def _table(found: Sequence[Found]) -> str:
    head = ("task", "cell", *(f"half-life {when}" for when in WHEN), "R²", "validation loss")
    lines = []
    for task, cell, members in _groups(found):
        losses = mean_interval([each["validation_loss"] for each in members])
        fits = [float(np.mean([each[when]["r_squared"] for each in members])) for when in WHEN]
        lines.append(
            [
                task,
                CELLS[cell],
                *(life_text(half_life(_slopes(members, when))) for when in WHEN),
                " and ".join(f"{fit:.2f}" for fit in fits),
                told(f"{losses.value:.3g} ({losses.low:.3g} to {losses.high:.3g})", losses.value, losses),
            ]
        )
    return markdown_table(head, lines)


def life_text(life: Interval | None) -> str:
    """Return a half-life in words."""
    if life is None:
        return "does not shrink"
    high = f"{life.high:.1f}" if math.isfinite(life.high) else "no limit"
    return told(f"{life.value:.1f} ({life.low:.1f} to {high})", life.value, life)


def _draw(found: Sequence[Found]) -> Figure:
    tasks = list(dict.fromkeys(each["task"] for each in found))
    figure = Figure(figsize=(1 + 2.6 * len(tasks), 5.4), dpi=100, layout="constrained")
    grid = figure.subplots(len(WHEN), len(tasks), squeeze=False, sharex=True, sharey=True)
    colours = dict(zip(CELLS, COLOURS, strict=False))
    for task, cell, members in _groups(found):
        for axes, when in zip(grid[:, tasks.index(task)], WHEN, strict=True):
            norms = np.array([each[when]["norms"] for each in members], float)[:, ::-1]
            with np.errstate(divide="ignore", invalid="ignore"):
                relative = norms / norms[:, :1]
            back = np.arange(relative.shape[1])
            axes.plot(back, np.median(relative, axis=0), color=colours[cell], label=CELLS[cell])
            axes.fill_between(back, relative.min(axis=0), relative.max(axis=0), color=colours[cell], alpha=0.2)
            axes.set_title(f"{task}, {when}", fontsize=9, loc="left")
            axes.set_yscale("log")
            axes.set_ylim(1e-8, 1e2)
            axes.grid(alpha=0.3)
    for axes in grid[-1]:
        axes.set_xlabel("time steps gone back")
    grid[0, 0].legend(fontsize=8)
    figure.suptitle("Norm of dL/dh_t over that of the last time step: median and range over the seeds", fontsize=10)
    return figure


PART: Final = Part("gradients", RUNS, blocks)
