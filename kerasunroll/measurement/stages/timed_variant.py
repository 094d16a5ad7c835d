"""What is known of a variant while it is timed: its processes, and the record that comes of them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean
from typing import Any, Final

from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.planning.variant import Variant
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.record import Outcome, Record, Stopped
from kerasunroll.measurement.stages.endings import explained
from kerasunroll.measurement.statistics.rounds import steady_seconds
from kerasunroll.measurement.workers.causes import describe_divergence
from kerasunroll.measurement.workers.worker import Worker, WorkerError

MEASUREMENT: Final = "timing"
STEP: Final = "step_seconds"

PER_PROCESS: Final = (
    *("build_seconds", "trace_seconds", "compile_seconds", "xla_compile_seconds", "first_step_seconds"),
    *("process_growth_bytes", "process_peak_bytes"),
)
"""The figures that every process gives anew: the record has their mean, and each of them among its samples."""


@dataclass
class TimedProcess:
    """One of the processes that a variant is timed in.

    Args:
        worker: `Worker`, or `None` once it runs no more.
        figures: Dict from name to number: what it took until the first training step was done, and what that made.
        rounds: Dict from a figure to the rounds in which it was timed.
        training_steps: Integer. How many it has done.
    """

    worker: Worker | None
    figures: dict[str, float] = field(default_factory=dict)
    rounds: dict[str, list[list[float]]] = field(default_factory=dict)
    training_steps: int = 0

    def end(self) -> None:
        """End it, if it still runs."""
        if self.worker:
            self.worker.kill()
            self.worker = None

    def until_ready(self, step_seconds: float | None) -> dict[str, float]:
        """Return its figures, with the compile time: the rest of the first training step, beyond an ordinary one."""
        own = self.rounds.get(STEP)
        ordinary = steady_seconds([own]) if own else step_seconds
        if ordinary is None or not self.figures:
            return self.figures
        rest = self.figures["first_step_seconds"] - self.figures["trace_seconds"] - ordinary
        return self.figures | {"compile_seconds": max(0.0, rest)}


@dataclass
class TimedVariant:
    """What is known of one variant so far.

    Args:
        variant: `Variant`.
    """

    variant: Variant
    processes: list[TimedProcess] = field(default_factory=list)
    operations: dict[str, int] = field(default_factory=dict)
    path: str | None = None
    import_seconds: float | None = None
    count: int = 1
    loss: float = 0.0
    error: WorkerError | None = None

    @property
    def phase(self) -> str:
        """What its last process was doing."""
        return next((each.worker.phase for each in reversed(self.processes) if each.worker), "start")

    @property
    def is_known(self) -> bool:
        """Whether one of its processes came to its first training step."""
        return any(each.figures for each in self.processes)

    @property
    def running(self) -> Iterator[TimedProcess]:
        """Those of its processes that can be asked for something."""
        return (each for each in self.processes if each.worker and each.figures and not self.error)

    def rounds(self, figure: str) -> list[list[list[float]]]:
        """Return for each process the rounds of a figure that all of its processes have."""
        taken = [each.rounds[figure] for each in self.processes if each.rounds.get(figure)]
        fewest = min(map(len, taken), default=0)
        return [rounds[:fewest] for rounds in taken]

    def receive(self, process: TimedProcess, rules: Rules) -> dict[str, Any] | None:
        """Return a worker's answer; where there is none, note why, and that it runs no more."""
        assert process.worker is not None  # noqa: S101
        try:
            return process.worker.receive(timeout=rules.seconds_left)
        except WorkerError as caught:
            error = explained(caught, rules)
            process.worker = None
            # Who has taken turns when the time is over has been measured.
            if error.outcome is not Outcome.INTERRUPTED or not process.rounds:
                self.fail(error)
            return None

    def fail(self, error: WorkerError) -> None:
        """Note how it ended, and end its other processes: they take memory from those that go on."""
        self.error = self.error or error
        for process in self.processes:
            process.end()

    def record(self, session: str, started: datetime, stopped_by: Stopped | None) -> Record:
        """Return what was found, as a record."""
        outcome, cause, phase = self._ending()
        timed = {name: rounds for name in self._timed() if (rounds := self.rounds(name))}
        steady = {name: steady_seconds(rounds) for name, rounds in timed.items()}
        each = [process.until_ready(steady.get(STEP)) for process in self.processes if process.figures]
        once = {name: [one[name] for one in each if name in one] for name in PER_PROCESS}
        means = {name: fmean(values) for name, values in once.items() if values}
        return Record(
            configuration=self.variant.question(MEASUREMENT),
            variant=self.variant.setting,
            outcome=outcome,
            cause=cause,
            phase=phase,
            figures={**(each[0] if each else {}), **means, **steady},
            samples={**{name: [[[value]] for value in values] for name, values in once.items() if values}, **timed},
            operations=self.operations,
            path=self.path,
            session=session,
            stopped_by=None if self.error else stopped_by,
            environment=environment().model_copy(update={"import_seconds": self.import_seconds}),
            node=self.variant.node,
            started=started,
        )

    def _timed(self) -> list[str]:
        return list(dict.fromkeys(name for process in self.processes for name in process.rounds))

    def _ending(self) -> tuple[Outcome, str | None, str | None]:
        if self.error:
            return self.error.outcome, self.error.cause, self.error.phase
        if not math.isfinite(self.loss):
            most = max(process.training_steps for process in self.processes)
            return (
                Outcome.DIVERGED,
                describe_divergence(self.loss, f"within {most} training steps on one batch"),
                "steady",
            )
        return Outcome.DONE, None, None
