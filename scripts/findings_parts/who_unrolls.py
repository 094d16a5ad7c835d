"""Part 2: who should unroll? The best setting for batch × units × T, by the number of training steps."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from kerasunroll.measurement.planning.plan import Plan
from kerasunroll.report.rows import Row
from kerasunroll.report.run import Run
from kerasunroll.report.verdict.costs import takes_less
from kerasunroll.report.verdict.verdict import Constraints, verdict

from .claims import WIDE_NOTE, in_words, ratio_text
from .page import markdown_table, paragraphs, picture
from .runs import Compared, Part, command_of, grid_plan, loaded, measured_where

TRAINING_STEPS: Final = (100, 1_000, 10_000, 100_000)
KERAS: Final = ("loop", "full")
SETTINGS: Final = (*KERAS, "own-loop")
BATCH_SIZES: Final = (8, 32, 128)
UNITS: Final = (16, 64, 256)


def plan(timesteps: Sequence[int], *, cell: str = "lstm", quick: bool) -> Plan:
    """Return one layer at every batch size and number of units, for some lengths of sequences."""
    return grid_plan(
        cells=[cell],
        units=[(units,) for units in ((4, 8) if quick else UNITS)],
        settings=SETTINGS,
        timesteps=[max(2, t // 10) for t in timesteps[:1]] if quick else timesteps,
        batch_sizes=(8,) if quick else BATCH_SIZES,
        examples=400,
    )


RUNS: Final = (
    Compared("who-unrolls-short", lambda quick: plan((20, 50), quick=quick)),
    Compared("who-unrolls-middle", lambda quick: plan((100,), quick=quick)),
    Compared("who-unrolls-long", lambda quick: plan((300,), quick=quick)),
)


@dataclass(frozen=True)
class Choice:
    """What to take at one point of the map.

    Args:
        shape: Tuple: batch size, units, T.
        take: String or `None`. The setting; `None` where none can be recommended.
        sure: Boolean. Whether every other setting is ruled out: by the whole of an interval it takes longer.
    """

    shape: tuple[int, int, int]
    take: str | None
    sure: bool


def choose(rows: Sequence[Row], training_steps: int) -> Choice:
    """Return what the package's own verdict takes for so many training steps.

    Args:
        rows: The settings of one shape, those that may be taken.
        training_steps: Integer.
    """
    found = verdict(rows, Constraints(training_steps=training_steps))
    config = rows[0].config
    shape = (config.batch_size, config.stack.units[0], config.stack.timesteps)
    others = [cost for cost in found.candidates if cost.setting != found.take]
    sure = found.take is not None and all(takes_less(found.cost(found.take), other, training_steps) for other in others)
    return Choice(shape, found.take, sure)


def choices(found: Sequence[Run], settings: Sequence[str]) -> dict[int, list[Choice]]:
    """Return the map for each number of training steps, among some settings."""
    groups = [[row for row in rows if row.setting in settings] for run in found for rows in run.groups.values()]
    return {steps: [choose(rows, steps) for rows in groups if rows] for steps in TRAINING_STEPS}


def blocks(runs: Path, images: Path) -> dict[str, str]:
    """Return the section of the page."""
    found = loaded(runs, RUNS)
    if not found:
        return {}
    maps = {"Keras's two settings": choices(found, KERAS), "with own-loop": choices(found, SETTINGS)}
    colours = found[0].colours
    draw(maps, colours).savefig(images / "who-unrolls.png")
    section = paragraphs(
        "## Who should unroll?",
        *(_answer(name, each) for name, each in maps.items()),
        picture(
            "The best setting for each batch size, units and T, by the number of training steps", "who-unrolls.png"
        ),
        "Each field is one LSTM layer; its colour is the setting that takes the least time, compiling included. "
        "Hatched fields could not be told apart by their intervals: there, take the one that compiles soonest.",
        _table(found),
        WIDE_NOTE,
        measured_where(found),
        *(f"```sh\n{command_of(run.plan)}\n```" for run in found),
    )
    return {"part: who-unrolls": section}


def _answer(name: str, by_steps: Mapping[int, Sequence[Choice]]) -> str:
    parts = []
    for steps, each in by_steps.items():
        counts = Counter(choice.take or "none" for choice in each)
        told = in_words([f"`{setting}` in {count}" for setting, count in counts.most_common()])
        unsure = sum(not choice.sure for choice in each)
        parts.append(f"over {steps:,} training steps {told}" + (f" ({unsure} not told apart)" if unsure else ""))
    total = len(next(iter(by_steps.values())))
    return f"**{name[0].upper()}{name[1:]}**, of {total} shapes: take {'; '.join(parts)}."


def draw(maps: Mapping[str, Mapping[int, Sequence[Choice]]], colours: Mapping[str, str]) -> Figure:
    """Draw the maps: a row for each, a panel for each number of training steps."""
    everything = [choice for each in maps.values() for by_steps in each.values() for choice in by_steps]
    columns = sorted({(t, batch) for batch, _, t in (choice.shape for choice in everything)})
    heights = sorted({choice.shape[1] for choice in everything})
    size = (1.5 + 4 * max(1.6, 0.26 * len(columns)), 0.9 + len(maps) * (1.0 + 0.36 * len(heights)))
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    grid = figure.subplots(len(maps), len(TRAINING_STEPS), squeeze=False)
    for panels, (name, by_steps) in zip(grid, maps.items(), strict=True):
        for axes, (steps, each) in zip(panels, by_steps.items(), strict=True):
            _panel(axes, each, columns, heights, colours)
            axes.set_title(f"{steps:,} training steps\n{name}", fontsize=9, loc="left")
    used = dict.fromkeys(choice.take for choice in everything if choice.take)
    keys = [Patch(color=colours[setting], label=setting) for setting in used]
    keys.append(Patch(facecolor="white", edgecolor="black", hatch="////", label="not told apart"))
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys), fontsize=9)
    return figure


def _panel(
    axes: Any,
    each: Sequence[Choice],
    columns: Sequence[tuple[int, int]],
    heights: Sequence[int],
    colours: Mapping[str, str],
) -> None:
    for choice in each:
        batch, units, t = choice.shape
        place = (columns.index((t, batch)) - 0.5, heights.index(units) - 0.5)
        colour = colours[choice.take] if choice.take else "white"
        hatch = None if choice.sure else "////"
        axes.add_patch(Rectangle(place, 1, 1, facecolor=colour, edgecolor="white", hatch=hatch))
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(-0.5, len(heights) - 0.5)
    axes.set_yticks(range(len(heights)), [f"{units} units" for units in heights], fontsize=7)
    axes.set_xticks(range(len(columns)), [f"T={t}, B={batch}" for t, batch in columns], fontsize=6, rotation=90)
    axes.tick_params(length=0)


def _table(found: Sequence[Run]) -> str:
    return markdown_table(("T", "batch", "units", "full over loop", "own-loop over loop"), _lines(found))


def _lines(found: Sequence[Run]) -> Iterator[list[str]]:
    for run in found:
        for rows in run.groups.values():
            config = rows[0].config
            by_setting = {row.setting: row for row in rows}
            shape = [f"{config.stack.timesteps}", f"{config.batch_size}", f"{config.stack.units[0]}"]
            yield shape + [ratio_text(by_setting[setting]) for setting in SETTINGS[1:] if setting in by_setting]


PART: Final = Part("who-unrolls", RUNS, blocks)
