"""What a comparison found as curves: over training steps, over the rounds of timing, over T. No TensorFlow."""

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
from kerasunroll.report.sweeps import Sweep
from kerasunroll.report.tensorboard import tags
from kerasunroll.report.verdict.costs import Cost
from kerasunroll.report.verdict.verdict import Verdict

Summaries: TypeAlias = list[tuple[int, Summary.Value]]
"""Pairs: what TensorBoard calls the step, and what there is to show at it."""

POINTS: Final = 21
"""Of a straight line, so that the mouse finds one everywhere."""


def setting_curves(setting: str, rows: Sequence[Row], measured: Sequence[Measured], verdict: Verdict) -> Summaries:
    """Return the curves of one setting of a group: what it costs, the time in all, and its rounds.

    What it costs once or in every training step is a level line, as long as the time in all is shown.

    Args:
        setting: String.
        rows: The rows of the group.
        measured: What they were made from, in the same order.
        verdict: `Verdict` on the group.
    """
    totals = times_in_all(verdict)
    planned = verdict.constraints.training_steps
    last = math.ceil(in_sight(totals, planned) if totals else planned or 1)
    row = next(row for row in rows if row.setting == setting)
    levels = cost_figures(row, verdict.cost(setting)).items()
    summaries = [(step, scalar_value(tag, value)) for tag, value in levels for step in (0, last)]
    for total in totals:
        if total.setting == setting:
            summaries += _in_all(total, last)
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


def sweep_curves(setting: str, sweep: Sweep) -> Summaries:
    """Return what one setting costs over T: TensorBoard's "step" is the number of time steps.

    Args:
        setting: String.
        sweep: `Sweep`.
    """
    summaries: Summaries = []
    for curve in sweep.curves:
        if curve.setting == setting:
            shown = tags.OVER_TIME_STEPS[curve.figure]
            points = zip(curve.timesteps, curve.values, strict=True)
            summaries += [(t, scalar_value(shown.tag, shown.factor * value)) for t, value in points]
    return summaries


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
