"""Timing the variants of one group: alone while they compile, in turns afterwards.

This machine, like most, changes its speed while one looks. So all workers of a group are alive at once and take
turns in random order, a short block of training steps each; what is compared is the ratio within a round.
"""

import random
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import numpy as np

from kerasunroll.measurement.environment import environment
from kerasunroll.measurement.processes import Limits, Worker, WorkerError
from kerasunroll.measurement.progress import Tally
from kerasunroll.measurement.records import Outcome, Record
from kerasunroll.measurement.stats import (
    MAX_ROUNDS,
    MIN_ROUNDS,
    compare_rounds,
    needs_more_rounds,
    steady_seconds,
)
from kerasunroll.measurement.variant import Variant
from kerasunroll.measurement.worker_env import TIMED

BLOCK_SECONDS: Final = 0.08
"""About how long a block of training steps is to take."""

MEASUREMENT: Final = "timing"


@dataclass
class _Timed:
    """What is known of one variant so far."""

    variant: Variant
    worker: Worker | None = None
    figures: dict[str, float] = field(default_factory=dict)
    path: str | None = None
    count: int = 1
    rounds: list[list[float]] = field(default_factory=list)
    error: WorkerError | None = None


def time_group(variants: Sequence[Variant], limits: Limits, tally: Tally, rng: random.Random) -> list[Record]:
    """Time variants against each other and return one record each.

    A variant that fails, crashes, hangs or takes too much memory gives a record that says so; the others go on.

    Args:
        variants: The variants, the same but for the setting.
        limits: What each worker may use.
        tally: Is told about the work done: one piece per variant and one for the rounds.
        rng: Draws the order of turns.
    """
    group = variants[0].group
    timed = [_Timed(variant) for variant in variants]
    with ExitStack() as alive:
        for each in timed:
            _start(each, limits, tally, alive)
        while running := [each for each in timed if each.error is None]:
            for each in rng.sample(running, len(running)):
                _take_turn(each)
            rounds = max(len(each.rounds) for each in timed)
            tally.report(f"{group} rounds", f"{group}: training steps in turns, round {rounds}", rounds / MAX_ROUNDS)
            if not _needs_another_round([each for each in running if each.error is None]):
                break
    return [_record(each) for each in timed]


def _start(timed: _Timed, limits: Limits, tally: Tally, alive: ExitStack) -> None:
    variant = timed.variant
    phases = ["start", "import", "build", "compile", "steady"]

    def tell(phase: str) -> None:
        tally.report(f"{variant.group} {variant}", f"{variant}: {phase}", phases.index(phase) / (len(phases) - 1))

    try:
        timed.worker = alive.enter_context(
            Worker(
                variant.config.model_dump(mode="json"),
                module="kerasunroll.measurement.timing_worker",
                log_path=variant.folder / "timing.log",
                limits=limits,
                env=TIMED,
                on_phase=tell,
            )
        )
        ready = timed.worker.receive()
        timed.figures, timed.path = dict(ready["figures"]), ready["path"]
        timed.figures["process_peak_bytes"] = timed.worker.peak_bytes
        trial = _block(timed.worker, 3)
        timed.count = min(50, max(2, round(BLOCK_SECONDS / median(trial))))
    except WorkerError as error:
        timed.error = error


def _take_turn(timed: _Timed) -> None:
    assert timed.worker is not None  # noqa: S101
    try:
        timed.rounds.append(_block(timed.worker, timed.count))
    except WorkerError as error:
        timed.error = error


def _needs_another_round(running: Sequence[_Timed]) -> bool:
    """Tell whether the interval of any variant's ratio to the first one's is still too wide."""
    if not running or len(running[0].rounds) < MIN_ROUNDS:
        return bool(running)
    baseline, *others = (each.rounds for each in running)
    rng = np.random.default_rng(len(baseline))
    return any(needs_more_rounds(compare_rounds(rounds, baseline, rng=rng)) for rounds in others)


def _block(worker: Worker, count: int) -> list[float]:
    worker.send({"count": count})
    seconds: list[float] = worker.receive()["seconds"]
    return seconds


def _record(timed: _Timed) -> Record:
    figures = dict(timed.figures)
    if timed.rounds:
        step_seconds = steady_seconds(timed.rounds)
        figures["step_seconds"] = step_seconds
        # The rest of the first training step, beyond an ordinary one: the work on the graph.
        figures["compile_seconds"] = max(0.0, figures["first_step_seconds"] - figures["trace_seconds"] - step_seconds)
    error = timed.error
    return Record(
        configuration=timed.variant.question(MEASUREMENT),
        variant=timed.variant.setting,
        outcome=error.outcome if error else Outcome.DONE,
        cause=error.cause if error else None,
        phase=error.phase if error else None,
        figures=figures,
        samples={"step_seconds": timed.rounds} if timed.rounds else {},
        path=timed.path,
        environment=environment(),
    )
