"""Timing the variants of one group: several fresh processes of each compile, then all take turns.

This machine, like most, changes its speed while one looks. So all workers of a group are alive at once and take
turns in random order, a short block of training steps each; what is compared is the ratio within a round. Once the
training steps are known, the forward pass and `predict` take their turns in the same manner.

Two processes of one program differ, in what they compile and in how fast they run. So each variant has several
(`Rules.processes`), and what they differ by is in its intervals.

A long module: the course of one measurement, from the first process to the last round.
"""

import math
import random
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Final

import numpy as np
import psutil

from kerasunroll.measurement.planning.estimate import compile_seconds
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.planning.variant import Variant, baseline_of
from kerasunroll.measurement.progress import ProgressCounter
from kerasunroll.measurement.records.record import Outcome, Record, Stopped
from kerasunroll.measurement.stages.endings import budget_spent, describe_interrupt
from kerasunroll.measurement.stages.timed_variant import MEASUREMENT, STEP, TimedProcess, TimedVariant
from kerasunroll.measurement.statistics.rounds import MIN_ROUNDS, compare_rounds, needs_more_rounds
from kerasunroll.measurement.workers.environment_variables import TIMED
from kerasunroll.measurement.workers.worker import Worker, WorkerError
from kerasunroll.measurement.workers.xla_log import xla_compile_seconds

__all__ = ["MEASUREMENT", "time_group"]

TRIAL_CALLS: Final = 3
"""Calls before the first round, to find out how many make a block."""

INFERENCE_PROCESSES: Final = 2
"""How many processes of each variant compile the forward pass as well."""

MEMORY_LEFT: Final = 2
"""A process beyond the first of a variant goes on only while as much memory as this times its growth is left."""

_PHASES: Final = ("start", "import", "build", "compile", "steady")


@dataclass(frozen=True)
class TimedQuantity:
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


TRAINING_STEP: Final = TimedQuantity("training_step", STEP, "training steps", block_seconds=0.08)
FORWARD: Final = TimedQuantity("forward", "forward_seconds", "forward passes", block_seconds=0.04)
PREDICT: Final = TimedQuantity("predict", "predict_seconds", "predictions", block_seconds=0.04)


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
        variants: The variants, the same but for the setting and the threads.
        rules: What each worker may use, and when the rounds end.
        counter: Is told about the work done: one piece per process (see `pieces`), and one for the rounds.
        rng: Draws the order of turns.
        keep: Called with each record at the end. After Ctrl-C, or any other exception, it is called for the variants
            of which something is known, and the exception goes on.
    """
    group = _Group([TimedVariant(variant) for variant in variants], rules, counter, rng)
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


def pieces(variants: int, rules: Rules) -> int:
    """Return into how many pieces of work the timing of so many variants falls."""
    return variants * rules.processes + 1


@dataclass
class _Group:
    """The variants of a group, and the rules by which they take turns."""

    timed: list[TimedVariant]
    rules: Rules
    counter: ProgressCounter
    rng: random.Random
    session: str = field(default_factory=lambda: secrets.token_hex(6))
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    stopped_by: Stopped | None = None
    _ending: threading.Event = field(default_factory=threading.Event)

    def measure(self, alive: ExitStack) -> None:
        self._compile(alive)
        self.stopped_by = self._take_rounds(TRAINING_STEP)
        for each in self.timed:
            if each.error is None and not each.rounds(STEP):
                each.fail(budget_spent(each.phase))
        if self.rules.inference:
            self._compile_forward()
            for quantity in (FORWARD, PREDICT):
                self._take_rounds(quantity)
        self._tell("measured", 1)
        self._end_all()  # at once: nothing of theirs is to be saved

    def interrupt(self, cause: str) -> None:
        """Forget the variants of which nothing is known; note that the others were not measured to the end."""
        ended = [each for each in self.timed if each.error and each.error.outcome is not Outcome.INTERRUPTED]
        self.timed = [each for each in self.timed if each.is_known or each in ended]
        for each in self.timed:
            if each not in ended:
                each.error = WorkerError(Outcome.INTERRUPTED, cause, each.phase)

    def records(self) -> list[Record]:
        return [each.record(self.session, self.started, self.stopped_by) for each in self.timed]

    @property
    def _running(self) -> list[tuple[TimedVariant, TimedProcess]]:
        return [(timed, process) for timed in self.timed for process in timed.running]

    def _compile(self, alive: ExitStack) -> None:
        """Start the processes; if the time is limited, the second of each only once it is known that it suffices."""
        # The longest first: the short ones fill the time of the cores beside them. Then to and fro: a process that
        # begins later is a little faster (seen: 4 % from the first to the sixth, forked or not).
        timed = sorted(self.timed, key=lambda each: -compile_seconds(each.variant.config))
        first = [(each, 1) for each in timed]
        others = [
            (each, number)
            for number in range(2, self.rules.processes + 1)
            for each in (timed[::-1] if number % 2 == 0 else timed)
        ]
        if math.isinf(self.rules.deadline):
            self._start_at_once([*first, *others], alive)
            return
        left_before = self.rules.seconds_left
        self._start_at_once(first, alive)
        left = self.rules.seconds_left
        # As long again for the rounds.
        if left > (left_before - left) * self.rules.processes:
            self._start_at_once(others, alive)

    def _start_at_once(self, turns: Sequence[tuple[TimedVariant, int]], alive: ExitStack) -> None:
        """Start processes, one for each core: tracing and compiling keep a single core busy."""
        with ThreadPoolExecutor(self.rules.compiling_at_once(each.variant.config for each in self.timed)) as pool:
            starting = [pool.submit(self._start, timed, number, alive) for timed, number in turns]
            try:
                for future in starting:
                    future.result()
            except BaseException:  # Ctrl-C too: the threads wait for workers that are to end now
                self._ending.set()
                for future in starting:
                    future.cancel()
                self._end_all()
                raise

    def _end_all(self) -> None:
        for timed in self.timed:
            for process in timed.processes:
                process.end()

    def _start(self, timed: TimedVariant, number: int, alive: ExitStack) -> None:
        if timed.error or self._ending.is_set():
            return
        try:
            self._start_and_compile(timed, number, alive)
        except BaseException:
            self._ending.set()
            raise

    def _start_and_compile(self, timed: TimedVariant, number: int, alive: ExitStack) -> None:
        if self.rules.seconds_left == 0:
            if number == 1:
                timed.error = budget_spent("start")
            return
        variant = timed.variant
        name = "timing.log" if number == 1 else f"timing_{number}.log"
        which = "" if number == 1 else f", process {number}"

        def on_progress(phase: str) -> None:
            if phase in _PHASES:
                done = _PHASES.index(phase) / (len(_PHASES) - 1)
                self.counter.report(f"{variant.group} {variant} {number}", f"{variant}: {phase}{which}", done)

        worker = alive.enter_context(
            Worker(
                variant.job,
                module="kerasunroll.measurement.stages.timing_worker",
                log_path=variant.folder / name,
                limits=self.rules.limits,
                env=TIMED,
                on_phase=on_progress,
                preloaded=True,
            )
        )
        process = TimedProcess(worker)
        timed.processes.append(process)
        if self._ending.is_set():
            worker.kill()
        if answer := timed.receive(process, self.rules):
            figures: dict[str, float] = dict(answer["figures"])
            imported = worker.imported
            timed.import_seconds = imported.seconds if imported else figures["import_seconds"]
            del figures["import_seconds"]
            if imported:
                figures["process_start_bytes"] = imported.resident_bytes
            figures["process_peak_bytes"] = figures["process_start_bytes"] + figures["process_growth_bytes"]
            if (seconds := xla_compile_seconds(variant.folder / name)) is not None:
                figures["xla_compile_seconds"] = seconds
            timed.operations, timed.path = answer["operations"], answer["path"]
            process.training_steps = 1
            process.figures = figures
            if number > 1 and psutil.virtual_memory().available < MEMORY_LEFT * figures["process_growth_bytes"]:
                process.end()  # what it took to compile is known; the first one has the memory to take turns

    def _compile_forward(self) -> None:
        """Have all compile at once: none of it is timed."""
        if self.rules.seconds_left == 0:
            return
        self._tell("compile the forward pass", self._share(TRAINING_STEP, self.rules.max_rounds))
        for timed in self.timed:
            for process in list(timed.running)[INFERENCE_PROCESSES:]:
                process.end()
        compiling = self._running
        for _, process in compiling:
            process.worker.send({"what": "compile_forward"})  # type: ignore[union-attr]
        for timed, process in compiling:
            if process.worker and (answer := timed.receive(process, self.rules)):
                process.figures |= answer["figures"]

    def _take_rounds(self, quantity: TimedQuantity) -> Stopped | None:
        """Let all that run take turns until the rules say that it is enough; return which of them did."""
        for timed, process in self._running:
            if process.worker and self.rules.seconds_left > 0:
                trial = self._block(timed, process, quantity, TRIAL_CALLS)
                if trial and process is next(iter(timed.running), None):
                    timed.count = min(50, max(1, round(quantity.block_seconds / median(trial))))
        taken = 0
        while running := self._running:
            for timed, process in self.rng.sample(running, len(running)):
                if self.rules.seconds_left == 0:
                    return "budget"
                if process.worker and (block := self._block(timed, process, quantity, timed.count)):
                    process.rounds.setdefault(quantity.figure, []).append(block)
            taken += 1
            self._tell(f"{quantity.doing} in turns, round {taken}", self._share(quantity, taken))
            if stopped_by := self._stops(quantity, taken):
                return stopped_by
        return "budget" if self.rules.seconds_left == 0 else None

    def _stops(self, quantity: TimedQuantity, taken: int) -> Stopped | None:
        running = [timed for timed in self.timed if any(timed.running)]
        if taken < MIN_ROUNDS or not running:
            return None
        if quantity is not TRAINING_STEP:
            return "rounds"
        baseline = baseline_of([each.variant for each in running])
        theirs = next(each for each in running if each.variant is baseline).rounds(STEP)
        comparisons = [
            # As in the report, so that it shows the interval that ended the rounds.
            compare_rounds(each.rounds(STEP), theirs, rng=np.random.default_rng(taken))
            for each in running
            if each.variant is not baseline
        ]
        target, most = self.rules.half_width, self.rules.max_rounds
        if any(needs_more_rounds(each, target_half_width=target, max_rounds=most) for each in comparisons):
            return None
        return "width" if all(each.half_width <= target for each in comparisons) else "rounds"

    def _block(
        self, timed: TimedVariant, process: TimedProcess, quantity: TimedQuantity, count: int
    ) -> list[float] | None:
        """Return the seconds of each of `count` calls, or `None` where the worker is no more."""
        assert process.worker is not None  # noqa: S101
        process.worker.send({"what": quantity.what, "count": count})
        answer = timed.receive(process, self.rules)
        if answer is None:
            return None
        if "loss" in answer:
            timed.loss = answer["loss"]
            process.training_steps += count
        seconds: list[float] = answer["seconds"]
        return seconds

    def _tell(self, doing: str, done: float) -> None:
        group = self.timed[0].variant.group
        self.counter.report(f"{group} rounds", f"{group}: {doing}", done)

    def _share(self, quantity: TimedQuantity, taken: int) -> float:
        """Return the share of all rounds that are over, the training steps' being as many as there may be."""
        most = self.rules.max_rounds
        before = {TRAINING_STEP: 0, FORWARD: most, PREDICT: most + MIN_ROUNDS}[quantity]
        return (before + taken) / (most + 2 * MIN_ROUNDS)
