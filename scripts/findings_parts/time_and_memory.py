"""Part 5: partial unrolling, recomputation and truncation: time against memory, and what a cut costs in learning."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from kerasunroll.data import open_source
from kerasunroll.display.colours import COLOURS
from kerasunroll.measurement.planning.plan import Plan, source_facts
from kerasunroll.measurement.statistics.intervals import mean_interval
from kerasunroll.report.rows import READY, Row
from kerasunroll.report.run import Run
from kerasunroll.settings import parse_settings
from kerasunroll.training.config import TrainingConfig
from kerasunroll.units import format_bytes, format_ratio

from .claims import WIDE_NOTE, in_words, memory_text, pays_text, ratio_text, seconds_text, told
from .page import markdown_table, paragraphs, picture
from .runs import Compared, Jobs, Part, loaded, measured_where
from .time_steps import known_costs
from .trainings import read, trained_where, truncation_job

SEEDS: Final = 5
SETTINGS: Final = ("loop", "full", "k2", "k4", "k8", "k16", "k32", "own-loop")
SEGMENTS: Final = (4, 8, 16, 32, 64)
TRUNCATIONS: Final = (8, 32, 128)
TIMESTEPS: Final = 256
LEARNING: Final = {"timesteps": 64, "units": 64, "steps": 2000}
SMALL: Final = {"timesteps": 8, "units": 4, "steps": 3}
CUTS: Final = (None, 32, 16, 8)


def _plan(*, quick: bool) -> Plan:
    """Return one group of settings, and one with the loop for each segment and each cut.

    Recomputation and truncation are no settings, so they would not be in one group. All groups have the same loop of
    Keras, which each is compared with, and through it with each other.
    """
    timesteps, units = (8, 4) if quick else (TIMESTEPS, 64)
    source = open_source("adding", timesteps=timesteps, examples=400, seed=0)

    def config(name: str, setting: str, kwargs: Mapping[str, int]) -> TrainingConfig:
        return TrainingConfig.for_source(
            source,
            cell="lstm",
            units=(units,),
            unroll=parse_settings(setting),
            source="adding",
            timesteps=timesteps,
            examples=400,
            epochs=1,
            name=f"lstm-{name}",
            cell_kwargs=dict(kwargs),
        )

    configs = [config("plain", setting, {}) for setting in (("loop", "full", "own-loop") if quick else SETTINGS)]
    for option, sizes in (("recompute", SEGMENTS), ("truncate", TRUNCATIONS)):
        for size in sizes[:1] if quick else sizes:
            name = f"{option}{size}"
            configs += [config(name, "loop", {}), config(name, "own-loop", {option: size})]
    return Plan(
        configs=tuple(configs), follow_up="memory", sources={str(timesteps): source_facts(source)}, inference=False
    )


def _jobs(*, quick: bool) -> dict[str, Callable[[Path], None]]:
    size = SMALL if quick else LEARNING
    return {
        f"{truncate or 'none'}-{seed}.json": partial(truncation_job, truncate=truncate, seed=seed, **size)
        for seed in range(2 if quick else SEEDS)
        for truncate in ((None, 8) if quick else CUTS)
    }


COMPARED: Final = Compared("time-and-memory", lambda quick: _plan(quick=quick))
LEARNED: Final = Jobs("truncation", lambda quick: _jobs(quick=quick), each_seconds=40)


@dataclass(frozen=True)
class Point:
    """A way to run the layer.

    Args:
        name: String, such as `"k8"` or `"own-loop, recompute 16"`.
        ratio: Float. The time of a training step over that of Keras's loop.
        tensors: Float. Bytes that the tensors of a training step add.
        process: Float. Bytes that the process grows by, graph included.
        row: `Row`.
    """

    name: str
    ratio: float
    tensors: float
    process: float
    row: Row


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return which points no other one beats: none is as good in both and better in one.

    Args:
        points: Pairs of what shall be small, such as time and memory.
    """
    return [
        number
        for number, (x, y) in enumerate(points)
        if not any(a <= x and b <= y and (a < x or b < y) for a, b in points)
    ]


def points(run: Run) -> list[Point]:
    """Return all ways that were measured to their end; Keras's loop once, as in the group of the settings."""
    found = []
    for group, rows in run.groups.items():
        name = group.removeprefix("lstm-")
        for row in rows:
            ratio = row.against_loop.ratio if row.against_loop else 1.0
            if (row.baseline is None and name != "plain") or (row.baseline and not row.against_loop):
                continue
            if not {"tensor_added_bytes", "process_growth_bytes"} <= row.figures.keys():
                continue
            option = (
                "" if name == "plain" else f", {name.rstrip('0123456789')} {name.lstrip('abcdefghijklmnopqrstuvwxyz')}"
            )
            tensors, process = row.figures["tensor_added_bytes"], row.figures["process_growth_bytes"]
            found.append(Point(f"{row.setting}{option}", ratio, tensors, process, row))
    return found


def blocks(runs: Path, images: Path) -> dict[str, str]:
    """Return the section of the page."""
    found, learned = loaded(runs, [COMPARED]), read(runs / LEARNED.name)
    known = points(found[0]) if found else []
    if not known and not learned:
        return {}
    parts = ["## What do partial unrolling, recomputation and truncation save?"]
    if known:
        _draw(known).savefig(images / "time-and-memory.png")
        config = found[0].rows[0].config
        parts += [
            _answer(known),
            picture(
                "Time of a training step against memory, with the ways that no other one beats", "time-and-memory.png"
            ),
            f"One LSTM layer of {config.stack.units[0]} units, T={config.stack.timesteps}, batches of "
            f"{config.batch_size}. A line joins the ways that no other one beats in both.",
            _table(found[0], known),
            measured_where(found),
        ]
    if learned:
        parts += [_learning_answer(learned), _learning_table(learned)]
    return {"part: time-and-memory": paragraphs(*parts, WIDE_NOTE)}


def _answer(known: Sequence[Point]) -> str:
    by_tensors = front([(point.ratio, point.tensors) for point in known])
    loop = known[0]
    least, fastest = min(known, key=lambda each: each.tensors), min(known, key=lambda each: each.ratio)
    return (
        f"By the measured values, no other way beats {in_words([f'`{known[at].name}`' for at in by_tensors])} in both "
        f"time and tensor memory. The fastest is `{fastest.name}` ({_ratio(fastest)} of the loop's time, "
        f"{format_bytes(fastest.tensors)} of tensors where the loop takes {format_bytes(loop.tensors)}); the "
        f"leanest is `{least.name}` ({format_bytes(least.tensors)}, {_ratio(least)})."
    )


def _ratio(point: Point) -> str:
    ends = point.row.against_loop
    return told(format_ratio(point.ratio), point.ratio, ends) if ends else format_ratio(point.ratio)


def _table(run: Run, known: Sequence[Point]) -> str:
    head = ("way", "what ran", "to the first training step", "against the loop", "pays after", "tensors", "process")
    cost = known_costs(run)
    lines = []
    for point in known:
        row = point.row
        mine, baseline = cost[row.group, row.setting], cost.get((row.group, row.baseline or ""))
        lines.append(
            [
                f"`{point.name}`",
                row.path or "",
                seconds_text(row, READY),
                ratio_text(row),
                pays_text(mine, baseline) if baseline else "–",
                format_bytes(point.tensors),
                memory_text(row),
            ]
        )
    return markdown_table(head, lines)


def _cuts(learned: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int | None, list[float]]]:
    for truncate in dict.fromkeys(each["truncate"] for each in learned):
        yield truncate, [each["validation_loss"] for each in learned if each["truncate"] == truncate]


def _learning_answer(learned: Sequence[Mapping[str, Any]]) -> str:
    losses = {truncate: mean_interval(each) for truncate, each in _cuts(learned)}
    whole = losses.get(None)
    if whole is None:
        return ""
    worse = [f"every {cut} time steps" for cut, loss in losses.items() if cut and loss.low > whole.high]
    others = [f"every {cut} time steps" for cut, loss in losses.items() if cut and loss.low <= whole.high]
    sentences = ["What does a cut cost in learning?"]
    if worse:
        sentences.append(f"Cut {in_words(worse)}, the network learns less than with the whole gradient.")
    if others:
        sentences.append(f"Cut {in_words(others)}, no loss of learning could be shown.")
    return " ".join(sentences)


def _learning_table(learned: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for cut, losses in sorted(_cuts(learned), key=lambda each: each[0] or 0):
        mean = mean_interval(losses)
        shown = told(f"{mean.value:.3g} ({mean.low:.3g} to {mean.high:.3g})", mean.value, mean)
        lines.append(["the whole gradient" if cut is None else f"cut every {cut} time steps", shown, f"{len(losses)}"])
    first = learned[0]
    note = (
        f"{first['describe']}; one LSTM layer of {first['units']} units after {first['training_steps']:,} training "
        "steps. Always answering 1 gives a loss of 1/6."
    )
    return paragraphs(markdown_table(("gradient", "validation loss", "seeds"), lines), note, trained_where(learned))


FAMILIES: Final[Mapping[str, Callable[[Point], bool]]] = {
    "Keras": lambda point: point.name in ("loop", "full"),
    "k time steps per iteration": lambda point: point.name.startswith("k"),
    "own-loop": lambda point: point.name == "own-loop",
    "own-loop, recompute": lambda point: "recompute" in point.name,
    "own-loop, truncate": lambda point: "truncate" in point.name,
}
"""How the ways are grouped in the picture: by colour; a label then needs the number alone."""


def _draw(known: Sequence[Point]) -> Figure:
    figure = Figure(figsize=(10.5, 5.0), dpi=100, layout="constrained")
    for axes, what, title in zip(
        figure.subplots(1, 2),
        ("tensors", "process"),
        ("tensors of a training step", "growth of the process"),
        strict=True,
    ):
        pairs = [(point.ratio, getattr(point, what) / 1e6) for point in known]
        best = sorted(pairs[at] for at in front(pairs))
        axes.plot([x for x, _ in best], [y for _, y in best], color="#6b6b6b", linewidth=1, drawstyle="steps-post")
        for colour, (family, belongs) in zip(COLOURS, FAMILIES.items(), strict=False):
            members = [(pair, point) for pair, point in zip(pairs, known, strict=True) if belongs(point)]
            for (x, y), point in members:
                ends = point.row.against_loop
                if ends:
                    axes.plot([ends.low, min(ends.high, 10 * x)], [y, y], color=colour, linewidth=1, alpha=0.4)
                label = point.name.rpartition(" ")[2]
                axes.annotate(label, (x, y), xytext=(4, 4), textcoords="offset points", fontsize=8, color=colour)
            axes.plot([x for (x, _), _ in members], [y for (_, y), _ in members], "o", color=colour, label=family)
        axes.set_xlabel("time of a training step, over the loop's")
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:g} MB"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_title(f"{title}: lower left is better", fontsize=10, loc="left")
        axes.set_xlim(left=0.4)
        axes.grid(alpha=0.3)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)
    return figure


PART: Final = Part("time-and-memory", (COMPARED, LEARNED), blocks)
