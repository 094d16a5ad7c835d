"""Timing the variants of one group: alone while they compile, in turns afterwards.

This machine, like most, changes its speed while one looks. So all workers of a group are alive at once and take
turns in random order, a short block of training steps each; what is compared is the ratio within a round. Once the
training steps are known, the forward pass and `predict` take their turns in the same manner.
"""

import math
import random
import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Any, Final

import numpy as np

from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.planning.variant import LOOP, Variant
from kerasunroll.measurement.progress import ProgressCounter
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.record import Outcome, Record, Stopped
from kerasunroll.measurement.stages.endings import budget_spent, describe_interrupt, explained
from kerasunroll.measurement.statistics.rounds import MIN_ROUNDS, compare_rounds, needs_more_rounds, steady_seconds
from kerasunroll.measurement.workers.causes import describe_divergence
from kerasunroll.measurement.workers.environment_variables import TIMED
from kerasunroll.measurement.workers.worker import Worker, WorkerError
from kerasunroll.measurement.workers.xla_log import xla_compile_seconds

MEASUREMENT: Final = "timing"

TRIAL_CALLS: Final = 3
"""Calls before the first round, to find out how many make a block."""


@dataclass(frozen=True)
class Kind:
    """What is timed in rounds.

    Args:
        what: String. What the worker is asked for.
        figure: String. The name of the figure and of the samples.
        doing: String. What the user is told.
        block_seconds: Float. About how long a block is to take.
    """

    what: str
    figure: str
    doing: str
    block_seconds: float


TRAINING_STEP: Final = Kind("training_step", "step_seconds", "training steps", block_seconds=0.08)
FORWARD: Final = Kind("forward", "forward_seconds", "forward passes", block_seconds=0.04)
PREDICT: Final = Kind("predict", "predict_seconds", "predictions", block_seconds=0.04)


def time_group(
    variants: Sequence[Variant],
    rules: Rules,
    counter: ProgressCounter,
    rng: random.Random,
    *,
    keep: Callable[[Record], object] = lambda record: None,  # noqa: ARG005
) -> list[Record]:
    """Time variants against each other and return one record each.

    A variant that fails, crashes, hangs or takes too much memory gives a record that says so; the others go on. One
    for which the time of `rules` does not suffice gives the outcome `interrupted`, with whatever is known of it.

    Args:
        variants: The variants, the same but for the setting.
        rules: What each worker may use, and when the rounds end.
        counter: Is told about the work done: one piece per variant and one for the rounds.
        rng: Draws the order of turns.
        keep: Called with each record at the end. After Ctrl-C, or any other exception, it is called for the variants
            of which something is known, and the exception goes on.
    """
    group = _Group([_Timed(variant) for variant in variants], rules, counter, rng)
    try:
        with ExitStack() as alive:
            group.measure(alive)
    except BaseException as error:
        group.interrupt(describe_interrupt(error))
        for record in group.records():
            keep(record)
        raise
    records = group.records()
    for record in records:
        keep(record)
    return records


@dataclass
class _Timed:
    """What is known of one variant so far."""

    variant: Variant
    worker: Worker | None = None
    figures: dict[str, float] = field(default_factory=dict)
    operations: dict[str, int] = field(default_factory=dict)
    path: str | None = None
    count: int = 1
    rounds: dict[str, list[list[float]]] = field(default_factory=dict)
    training_steps: int = 0
    loss: float = 0.0
    error: WorkerError | None = None

    @property
    def phase(self) -> str:
        return self.worker.phase if self.worker else "start"


@dataclass
class _Group:
    """The variants of a group, and the rules by which they take turns."""

    timed: list[_Timed]
    rules: Rules
    counter: ProgressCounter
    rng: random.Random
    session: str = field(default_factory=lambda: secrets.token_hex(6))
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    stopped_by: Stopped | None = None

    def measure(self, alive: ExitStack) -> None:
        for each in self.timed:
            self._start(each, alive)
        self.stopped_by = self._take_rounds(TRAINING_STEP)
        for each in self.timed:
            if each.error is None and not each.rounds.get(TRAINING_STEP.figure):
                each.error = budget_spent(each.phase)
        if self.rules.inference:
            self._compile_forward()
            for kind in (FORWARD, PREDICT):
                self._take_rounds(kind)
        self._tell("measured", 1)

    def interrupt(self, cause: str) -> None:
        """Forget the variants of which nothing is known; note that the others were not measured to the end."""
        self.timed = [each for each in self.timed if each.figures or each.error]
        for each in self.timed:
            if each.error is None:
                each.error = WorkerError(Outcome.INTERRUPTED, cause, each.phase)

    def records(self) -> list[Record]:
        return [self._record(each) for each in self.timed]

    @property
    def _running(self) -> list[_Timed]:
        return [each for each in self.timed if each.worker and not each.error]

    def _start(self, timed: _Timed, alive: ExitStack) -> None:
        variant, log = timed.variant, timed.variant.folder / "timing.log"
        if self.rules.seconds_left == 0:
            timed.error = budget_spent("start")
            return
        phases = ["start", "import", "build", "compile", "steady"]

        def on_progress(phase: str) -> None:
            if phase in phases:
                done = phases.index(phase) / (len(phases) - 1)
                self.counter.report(f"{variant.group} {variant}", f"{variant}: {phase}", done)

        timed.worker = alive.enter_context(
            Worker(
                variant.job,
                module="kerasunroll.measurement.stages.timing_worker",
                log_path=log,
                limits=self.rules.limits,
                env=TIMED,
                on_phase=on_progress,
                preloaded=True,
            )
        )
        if ready := self._receive(timed):
            timed.figures = dict(ready["figures"])
            if timed.worker and timed.worker.imported:
                timed.figures["process_start_bytes"] = timed.worker.imported.resident_bytes
            timed.figures["process_peak_bytes"] = (
                timed.figures["process_start_bytes"] + timed.figures["process_growth_bytes"]
            )
            timed.operations, timed.path = ready["operations"], ready["path"]
            timed.training_steps = 1
            if (seconds := xla_compile_seconds(log)) is not None:
                timed.figures["xla_compile_seconds"] = seconds

    def _compile_forward(self) -> None:
        """Have all compile at once: none of it is timed."""
        if self.rules.seconds_left == 0:
            return
        self._tell("compile the forward pass", self._share(TRAINING_STEP, self.rules.max_rounds))
        compiling = self._running
        for each in compiling:
            each.worker.send({"what": "compile_forward"})  # type: ignore[union-attr]
        for each in compiling:
            if answer := self._receive(each):
                each.figures |= answer["figures"]

    def _take_rounds(self, kind: Kind) -> Stopped | None:
        """Let all that run take turns until the rules say that it is enough; return which of them did."""
        for each in self._running:
            if self.rules.seconds_left > 0 and (trial := self._block(each, kind, TRIAL_CALLS)):
                each.count = min(50, max(2, round(kind.block_seconds / median(trial))))
        taken = 0
        while running := self._running:
            for each in self.rng.sample(running, len(running)):
                if self.rules.seconds_left == 0:
                    return "budget"
                if block := self._block(each, kind, each.count):
                    each.rounds.setdefault(kind.figure, []).append(block)
            taken += 1
            self._tell(f"{kind.doing} in turns, round {taken}", self._share(kind, taken))
            if stopped_by := self._stops(kind, taken):
                return stopped_by
        return "budget" if self.rules.seconds_left == 0 else None

    def _stops(self, kind: Kind, taken: int) -> Stopped | None:
        running = self._running
        if taken < MIN_ROUNDS or not running:
            return None
        if kind is not TRAINING_STEP:
            return "rounds"
        baseline = next((each for each in running if each.variant.setting == LOOP), running[0])
        comparisons = [
            # As in the report, so that it shows the interval that ended the rounds.
            compare_rounds(each.rounds[kind.figure], baseline.rounds[kind.figure], rng=np.random.default_rng(taken))
            for each in running
            if each is not baseline
        ]
        target, most = self.rules.half_width, self.rules.max_rounds
        if any(needs_more_rounds(each, target_half_width=target, max_rounds=most) for each in comparisons):
            return None
        return "width" if all(each.half_width <= target for each in comparisons) else "rounds"

    def _block(self, timed: _Timed, kind: Kind, count: int) -> list[float] | None:
        """Return the seconds of each of `count` calls, or `None` where the worker is no more."""
        assert timed.worker is not None  # noqa: S101
        timed.worker.send({"what": kind.what, "count": count})
        answer = self._receive(timed)
        if answer is None:
            return None
        if "loss" in answer:
            timed.loss = answer["loss"]
            timed.training_steps += count
        seconds: list[float] = answer["seconds"]
        return seconds

    def _receive(self, timed: _Timed) -> dict[str, Any] | None:
        """Return a worker's answer; where there is none, note why, and that it runs no more."""
        assert timed.worker is not None  # noqa: S101
        try:
            return timed.worker.receive(timeout=self.rules.seconds_left)
        except WorkerError as caught:
            error = explained(caught, self.rules)
            timed.worker = None
            # Who has taken turns when the time is over has been measured.
            if error.outcome is not Outcome.INTERRUPTED or not timed.rounds:
                timed.error = error
            return None

    def _tell(self, doing: str, done: float) -> None:
        group = self.timed[0].variant.group
        self.counter.report(f"{group} rounds", f"{group}: {doing}", done)

    def _share(self, kind: Kind, taken: int) -> float:
        """Return the share of all rounds that are over, the training steps' being as many as there may be."""
        most = self.rules.max_rounds
        before = {TRAINING_STEP: 0, FORWARD: most, PREDICT: most + MIN_ROUNDS}[kind]
        return (before + taken) / (most + 2 * MIN_ROUNDS)

    def _record(self, timed: _Timed) -> Record:
        figures = timed.figures | {name: steady_seconds(rounds) for name, rounds in timed.rounds.items()}
        if "step_seconds" in figures:
            # The rest of the first training step, beyond an ordinary one: the work on the graph.
            rest = figures["first_step_seconds"] - figures["trace_seconds"] - figures["step_seconds"]
            figures["compile_seconds"] = max(0.0, rest)
        outcome, cause, phase = _ending(timed)
        return Record(
            configuration=timed.variant.question(MEASUREMENT),
            variant=timed.variant.setting,
            outcome=outcome,
            cause=cause,
            phase=phase,
            figures=figures,
            samples=timed.rounds,
            operations=timed.operations,
            path=timed.path,
            session=self.session,
            stopped_by=None if timed.error else self.stopped_by,
            environment=environment(),
            node=timed.variant.node,
            started=self.started,
        )


def _ending(timed: _Timed) -> tuple[Outcome, str | None, str | None]:
    if timed.error:
        return timed.error.outcome, timed.error.cause, timed.error.phase
    if not math.isfinite(timed.loss):
        when = f"within {timed.training_steps} training steps on one batch"
        return Outcome.DIVERGED, describe_divergence(timed.loss, when), "steady"
    return Outcome.DONE, None, None
