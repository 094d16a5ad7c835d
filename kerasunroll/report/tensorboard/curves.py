"""What a comparison found of a setting: numbers, and curves over training steps and over the rounds. No TensorFlow."""

import math
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary

from kerasunroll.callbacks.event_files.event_log import scalar_value
from kerasunroll.figures.break_even import Total, in_sight
from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.measurement.statistics.rounds import round_times
from kerasunroll.report.page.figures import times_in_all
from kerasunroll.report.rows import STEP, Row, processes_of
from kerasunroll.report.tensorboard import tags
from kerasunroll.report.verdict.costs import Cost
from kerasunroll.report.verdict.verdict import Verdict

Summaries: TypeAlias = list[tuple[int, Summary.Value]]
"""Pairs: what TensorBoard calls the step, and what there is to show at it."""

POINTS: Final = 21
"""Of a straight line, so that the mouse finds one everywhere."""


def setting_curves(setting: str, rows: Sequence[Row], measured: Sequence[Measured], verdict: Verdict) -> Summaries:
    """Return what one setting of a group costs, for HParams, and as curves the time in all and its rounds.

    Args:
        setting: String.
        rows: The rows of the group.
        measured: What they were made from, in the same order.
        verdict: `Verdict` on the group.
    """
    row = next(row for row in rows if row.setting == setting)
    summaries = [(0, scalar_value(tag, value)) for tag, value in cost_figures(row, verdict.cost(setting)).items()]
    totals = times_in_all(verdict)
    for total in totals:
        if total.setting == setting:
            summaries += _in_all(total, math.ceil(in_sight(totals, verdict.constraints.training_steps)))
    return [*summaries, *_by_round(rows.index(row), rows, measured)]


def cost_figures(row: Row, cost: Cost) -> dict[str, float]:
    """Return what a setting costs, by tag: the numbers of the verdict. What was not measured is absent."""
    found = {
        tags.STEP: _scaled(cost.step_seconds, 1e3),
        tags.COMPILE: cost.ready_seconds,
        tags.PROCESS_MEMORY: _scaled(cost.process_growth_bytes, 1e-6),
        tags.TENSOR_MEMORY: _scaled(cost.tensor_peak_bytes, 1e-6),
        tags.FINAL_LOSS: row.figures.get("final_loss"),
        tags.FINAL_VALIDATION_LOSS: row.figures.get("final_val_loss"),
    }
    # A loss that is no number has no place on an axis; the verdict says that the training diverged.
    return {tag: value for tag, value in found.items() if value is not None and math.isfinite(value)}


def _in_all(total: Total, last: int) -> Iterator[tuple[int, Summary.Value]]:
    certain = math.isfinite(total.high)
    low, high = (total.low, total.high) if certain else (total.step_seconds, total.step_seconds)
    for step in np.unique(np.linspace(0, last, POINTS).astype(int)).tolist():
        for tag, seconds in ((tags.TIME_IN_ALL, total.step_seconds), (tags.TIME_LOW, low), (tags.TIME_HIGH, high)):
            yield step, scalar_value(tag, total.ready_seconds + step * seconds)


def _by_round(number: int, rows: Sequence[Row], measured: Sequence[Measured]) -> Iterator[tuple[int, Summary.Value]]:
    rounds = _round_times(measured[number])
    for place, seconds in enumerate(rounds, start=1):
        yield place, scalar_value(tags.STEP_BY_ROUND, 1e3 * seconds)
    baseline = next((place for place, row in enumerate(rows) if row.baseline is None), number)
    if number == baseline or STEP in rows[number].comparisons:
        for place, (ours, theirs) in enumerate(zip(rounds, _round_times(measured[baseline]), strict=False), start=1):
            yield place, scalar_value(tags.RATIO_BY_ROUND, ours / theirs)


def _round_times(measured: Measured) -> list[float]:
    processes = processes_of(measured.timing, STEP)
    return list(round_times(processes)) if processes else []


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else factor * value
