"""What a comparison found, as rows: one per variant, with its differences to the loop. No TensorFlow."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Final

import numpy as np

from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.measurement.planning.variant import LOOP
from kerasunroll.measurement.records.node import Node
from kerasunroll.measurement.records.record import Outcome, Record, Stopped
from kerasunroll.measurement.records.table import comparable
from kerasunroll.measurement.statistics.instabilities import Instability, instabilities
from kerasunroll.measurement.statistics.rounds import TARGET_HALF_WIDTH, Comparison, compare_rounds
from kerasunroll.training.config import TrainingConfig

STEP: Final = "step_seconds"
FORWARD: Final = "forward_seconds"
PREDICT: Final = "predict_seconds"
TIMED_IN_ROUNDS: Final = (STEP, FORWARD, PREDICT)
"""The figures that are taken in rounds, and so are compared with the baseline's."""


@dataclass(frozen=True)
class Row:
    """One variant.

    Args:
        config: `TrainingConfig`. What was measured.
        group: String. Rows of one group are compared with each other.
        setting: String. The short name of the setting.
        outcome: String: `"done"`, or what ended otherwise, such as `"timing: timeout, training: crashed"`.
        problems: Tuple of strings. What ended otherwise than `done`, and why.
        path: String or `None`. What really ran.
        figures: Dict from name to number: times in seconds, memory in bytes. What was not measured is absent.
        operations: Dict from operation type to its count in the graph of the training step.
        baseline: String or `None`. The setting that this one is compared with; the baseline itself has none.
        comparisons: Dict from a figure that was timed in rounds to the `Comparison` with the baseline's. Only rounds
            of one session are compared.
        marks: Dict from a figure that was timed in rounds to what makes it less certain.
        rounds: Integer. How many rounds were timed.
        stopped_by: `"width"`, `"rounds"`, `"budget"` or `None`. What ended the rounds; see `Record`.
        half_width: Float. How narrow the intervals were to become, in logarithms.
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
    comparisons: dict[str, Comparison]
    marks: dict[str, tuple[Instability, ...]]
    rounds: int
    stopped_by: Stopped | None
    half_width: float
    node_kind: str | None = None
    nodes: tuple[Node, ...] = ()

    @property
    def against_loop(self) -> Comparison | None:
        """The time of a training step over that of the loop."""
        return self.comparisons.get(STEP)

    @property
    def forward_against_loop(self) -> Comparison | None:
        """The time of the forward pass over that of the loop."""
        return self.comparisons.get(FORWARD)

    @property
    def predict_against_loop(self) -> Comparison | None:
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

    The differences to the loop (to the first setting, where there is no loop) are the largest absolute ones between
    the networks' outputs for the same validation sequences, before and after training (or the few training steps in
    which memory was counted).

    Args:
        measured: What was measured, the variants of one group in a row. Any record may be missing.
        allow_different: Boolean. Compare records of different environments, too. Defaults to `False`.
        half_width: Float. How narrow the intervals of training steps were to become: wider ones are marked. Defaults
            to 0.03.

    Raises:
        InputError: If records come from different environments; the message lists every fact that differs.
    """
    comparable((record for each in measured for record in each.records), allow_different=allow_different)
    rows = []
    for _, group in groupby(measured, key=lambda each: each.variant.group):
        variants = list(group)
        baseline = next((each for each in variants if each.variant.setting == LOOP), variants[0])
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
        rounds=len(_rounds(timing, STEP)),
        stopped_by=timing.stopped_by if timing else None,
        half_width=half_width,
        node_kind=measured.variant.node_kind,
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


def _rounds(timing: Record | None, figure: str) -> Sequence[Sequence[float]]:
    return timing.samples.get(figure, ()) if timing else ()


def _compare_times(timing: Record | None, baseline: Record | None) -> dict[str, Comparison]:
    if not (timing and baseline and timing.session and timing.session == baseline.session):
        return {}
    comparisons = {}
    for figure in TIMED_IN_ROUNDS:
        ours, theirs = _rounds(timing, figure), _rounds(baseline, figure)
        both = min(len(ours), len(theirs))  # one of the two may have died early
        if both:
            # The seed is that of the look at which the rounds ended, or its interval would be another one.
            rng = np.random.default_rng(both)
            comparisons[figure] = compare_rounds(ours[:both], theirs[:both], rng=rng)
    return comparisons


def _marks(
    timing: Record | None, figure: str, comparisons: dict[str, Comparison], half_width: float
) -> tuple[Instability, ...]:
    rounds = _rounds(timing, figure)
    # Of the others, there are as few rounds as possible: no width is aimed for.
    comparison = comparisons.get(figure) if figure == STEP else None
    return tuple(instabilities(rounds, comparison, half_width)) if rounds else ()


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


def _json(comparison: Comparison | None) -> dict[str, Any] | None:
    return comparison.model_dump(mode="json") if comparison else None
