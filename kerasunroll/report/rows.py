"""What a comparison found, as rows: one per variant, with its differences to the loop. No TensorFlow."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any, Final

import numpy as np

from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.measurement.planning.variant import baseline_of
from kerasunroll.measurement.records.node import Node
from kerasunroll.measurement.records.record import Outcome, Record, Stopped
from kerasunroll.measurement.records.table import comparable
from kerasunroll.measurement.statistics.instabilities import Instability, instabilities
from kerasunroll.measurement.statistics.intervals import Interval, mean_interval
from kerasunroll.measurement.statistics.rounds import TARGET_HALF_WIDTH, Processes, TimeRatio, compare_rounds
from kerasunroll.training.config import TrainingConfig

STEP: Final = "step_seconds"
FORWARD: Final = "forward_seconds"
PREDICT: Final = "predict_seconds"
TIMED_IN_ROUNDS: Final = (STEP, FORWARD, PREDICT)
"""The figures that are taken in rounds, and so are compared with the baseline's."""

READY: Final = "ready_seconds"
READY_PARTS: Final = ("build_seconds", "trace_seconds", "compile_seconds")
"""What comes before the first training step."""


@dataclass(frozen=True)
class Row:
    """One variant.

    Args:
        config: `TrainingConfig`. What was measured.
        group: String. Rows of one group are compared with each other.
        setting: String. The short name of the setting, with its threads if these were given: `"full-threads1"`.
        outcome: String: `"done"`, or what did not end so, such as `"timing: timeout, training: crashed"`.
        problems: Tuple of strings. What did not end as `done`, and why.
        path: String or `None`. What really ran.
        figures: Dict from name to number: times in seconds, memory in bytes. What was not measured is absent.
        operations: Dict from operation type to its count in the graph of the training step.
        baseline: String or `None`. The setting that this one is compared with; the baseline itself has none.
        comparisons: Dict from a figure that was timed in rounds to the `TimeRatio` with the baseline's. Only rounds
            of one session are compared.
        marks: Dict from a figure that was timed in rounds to what makes it less certain.
        each_process: Dict from a figure that every process gives once, to the value of each process.
        rounds: Integer. How many rounds were timed.
        stopped_by: `"width"`, `"rounds"`, `"budget"` or `None`. What ended the rounds; see `Record`.
        half_width: Float. The target for the half-width of the intervals, in logarithms.
        node_kind: String or `None`. The kind of node that it was to be measured on, where the kinds are compared.
        nodes: Tuple of `Node`. Where its records come from, as far as they tell.
    """

    config: TrainingConfig
    group: str
    setting: str
    outcome: str
    problems: tuple[str, ...]
    path: str | None
    figures: dict[str, float]
    operations: dict[str, int]
    baseline: str | None
    comparisons: dict[str, TimeRatio]
    marks: dict[str, tuple[Instability, ...]]
    rounds: int
    stopped_by: Stopped | None
    half_width: float
    node_kind: str | None = None
    nodes: tuple[Node, ...] = ()
    each_process: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def interval(self, figure: str) -> Interval | None:
        """Return a figure's interval over the processes, or `None` if fewer than two gave it."""
        values = self.each_process.get(figure, ())
        return mean_interval(values) if len(values) > 1 else None

    @property
    def against_loop(self) -> TimeRatio | None:
        """The time of a training step over that of the loop."""
        return self.comparisons.get(STEP)

    @property
    def forward_against_loop(self) -> TimeRatio | None:
        """The time of the forward pass over that of the loop."""
        return self.comparisons.get(FORWARD)

    @property
    def predict_against_loop(self) -> TimeRatio | None:
        """The time of `predict` over that of the loop."""
        return self.comparisons.get(PREDICT)

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return {
            "group": self.group,
            "setting": self.setting,
            "outcome": self.outcome,
            "problems": list(self.problems),
            "path": self.path,
            "figures": self.figures,
            "baseline": self.baseline,
            "against_loop": _json(self.against_loop),
            "forward_against_loop": _json(self.forward_against_loop),
            "predict_against_loop": _json(self.predict_against_loop),
            "marks": [{"figure": figure} | asdict(mark) for figure, marks in self.marks.items() for mark in marks],
            "intervals": {name: asdict(found) for name in self.each_process if (found := self.interval(name))},
            "rounds": self.rounds,
            "stopped_by": self.stopped_by,
            "node_kind": self.node_kind,
            "nodes": [node.model_dump(mode="json") for node in self.nodes],
            "operations": self.operations,
            "configuration": self.config.model_dump(mode="json"),
        }


def comparison_rows(
    measured: Sequence[Measured], *, allow_different: bool = False, half_width: float = TARGET_HALF_WIDTH
) -> list[Row]:
    """Return one row per variant, in the same order.

    The differences to the loop (or to the first setting, if there is no loop) are the largest absolute ones between the
    networks' outputs for the same validation sequences, before and after training (or the few training steps in which
    memory was counted).

    Args:
        measured: What was measured, the variants of one group in a row. Any record may be missing.
        allow_different: Boolean. Whether to compare records of different environments too. Defaults to `False`.
        half_width: Float. The target for the half-width of the intervals of training steps: wider ones are marked.
            Defaults to 0.03.

    Raises:
        InputError: If records come from different environments; the message lists every fact that differs.
    """
    comparable((record for each in measured for record in each.records), allow_different=allow_different)
    rows = []
    for _, group in groupby(measured, key=lambda each: each.variant.group):
        variants = list(group)
        first = baseline_of([each.variant for each in variants])
        baseline = next(each for each in variants if each.variant is first)
        rows += [_row(each, baseline, half_width) for each in variants]
    return rows


def _row(measured: Measured, baseline: Measured, half_width: float) -> Row:
    timing = measured.timing
    is_baseline = measured is baseline
    problems = [record for record in measured.records if not _is_done(record)]
    comparisons = {} if is_baseline else _compare_times(timing, baseline.timing)
    return Row(
        config=measured.variant.config,
        group=measured.variant.group,
        setting=measured.variant.setting,
        outcome=", ".join(([] if timing else ["not measured"]) + [_outcome(record) for record in problems]) or "done",
        problems=(*(() if timing else ("timing: not measured yet",)), *map(_problem, problems)),
        path=timing.path if timing else None,
        figures=_figures(measured) | ({} if is_baseline else _differences(measured, baseline)),
        operations=dict(timing.operations) if timing else {},
        baseline=None if is_baseline else baseline.variant.setting,
        comparisons=comparisons,
        marks={
            figure: found for figure in TIMED_IN_ROUNDS if (found := _marks(timing, figure, comparisons, half_width))
        },
        rounds=min(map(len, processes_of(timing, STEP)), default=0),
        stopped_by=timing.stopped_by if timing else None,
        half_width=half_width,
        node_kind=measured.variant.node_kind,
        each_process=_each_process(timing),
        nodes=tuple(dict.fromkeys(record.node for record in measured.records if record.node)),
    )


def _figures(measured: Measured) -> dict[str, float]:
    # What the memory record has was counted in a pass of its own, without the callbacks of a training.
    return {
        name: value
        for record in (measured.timing, measured.training, measured.memory)
        if record
        for name, value in record.figures.items()
    }


def processes_of(timing: Record | None, figure: str) -> Processes:
    """Return the rounds of each process that a figure was timed in, as many of each as all of them have."""
    processes = timing.samples.get(figure, ()) if timing else ()
    both = min(map(len, processes), default=0)  # one of them may have died early
    return [rounds[:both] for rounds in processes] if both else ()


def _each_process(timing: Record | None) -> dict[str, tuple[float, ...]]:
    """Return what each process gave once, the time until the first training step included."""
    if timing is None:
        return {}
    each = {
        name: tuple(rounds[0][0] for rounds in processes)
        for name, processes in timing.samples.items()
        if name not in TIMED_IN_ROUNDS
    }
    parts = [each.get(part, ()) for part in READY_PARTS]
    if all(len(values) == len(parts[0]) for values in parts) and parts[0]:
        each[READY] = tuple(map(sum, zip(*parts, strict=True)))
    return each


def _compare_times(timing: Record | None, baseline: Record | None) -> dict[str, TimeRatio]:
    if not (timing and baseline and timing.session and timing.session == baseline.session):
        return {}
    comparisons = {}
    for figure in TIMED_IN_ROUNDS:
        ours, theirs = processes_of(timing, figure), processes_of(baseline, figure)
        if not (ours and theirs):
            continue
        both = min(len(ours[0]), len(theirs[0]))
        # The seed is that of the look at which the rounds ended, or its interval would be another one.
        rng = np.random.default_rng(both)
        comparisons[figure] = compare_rounds(
            [rounds[:both] for rounds in ours], [rounds[:both] for rounds in theirs], rng=rng
        )
    return comparisons


def _marks(
    timing: Record | None, figure: str, comparisons: dict[str, TimeRatio], half_width: float
) -> tuple[Instability, ...]:
    processes = processes_of(timing, figure)
    # Of the others, there are as few rounds as possible: no width is aimed for.
    comparison = comparisons.get(figure) if figure == STEP else None
    return tuple(instabilities(processes, comparison, half_width)) if processes else ()


def _differences(measured: Measured, baseline: Measured) -> dict[str, float]:
    both = (measured, baseline)
    files = [each.variant.folder / "outputs.npz" for each in both]
    # Of a worker that was ended, half a file may have been left.
    trained = all(_is_done(each.training) for each in both)
    counted = all(_is_done(each.memory) for each in both)
    if not ((trained or counted) and all(file.exists() for file in files)):
        return {}
    with np.load(files[0]) as ours, np.load(files[1]) as theirs:
        return {
            f"largest_difference_{when}": float(np.max(np.abs(ours[when].astype(float) - theirs[when].astype(float))))
            for when in ("before", "after")
        }


def _is_done(record: Record | None) -> bool:
    return record is not None and record.outcome is Outcome.DONE


def _outcome(record: Record) -> str:
    return f"{record.configuration['measurement']}: {record.outcome}"


def _problem(record: Record) -> str:
    where = f" in phase {record.phase}" if record.phase else ""
    return f"{_outcome(record)}{where}: {record.cause}"


def _json(comparison: TimeRatio | None) -> dict[str, Any] | None:
    return comparison.model_dump(mode="json") if comparison else None
