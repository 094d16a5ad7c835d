"""When measuring ends: how narrow an interval has to be, how many rounds it may take, and until when there is time."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.statistics.rounds import MAX_ROUNDS, TARGET_HALF_WIDTH
from kerasunroll.measurement.workers.worker import Limits
from kerasunroll.training.config import TrainingConfig

PROCESSES: Final = 3
"""How many processes each variant is timed in."""


@dataclass(frozen=True)
class Rules:
    """What a measurement may take.

    Args:
        limits: `Limits`. What each worker may use.
        half_width: Float. How narrow the interval of every ratio should become, as the part of its half-width that
            more rounds narrow, in logarithms. Defaults to 0.03.
        max_rounds: Integer, at least 10. Stop here in any case. Defaults to 40.
        inference: Boolean. Whether to time the forward pass and `predict` too, which have to be compiled for that.
            Defaults to `True`.
        processes: Integer. In how many fresh processes each variant is built, compiled and timed; fewer where the time
            or the memory does not suffice. Defaults to 3.
        places: Integer or `None`. How many of them compile at once; `None` for one on each core where that changes
            nothing, see `compiling_at_once`.
        deadline: Float. Until when there is time, on the clock of `time.monotonic`. Defaults to infinity.
    """

    limits: Limits = field(default_factory=Limits)
    half_width: float = TARGET_HALF_WIDTH
    max_rounds: int = MAX_ROUNDS
    inference: bool = True
    processes: int = PROCESSES
    places: int | None = None
    deadline: float = math.inf

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline; 0 once it has passed."""
        return max(0.0, self.deadline - time.monotonic())

    def compiling_at_once(self, configs: Iterable[TrainingConfig]) -> int:
        """Return how many processes may compile side by side.

        Tracing and compiling keep one core busy, so that on two cores two take as long as one alone (measured: 0.97 to
        1.03 of it). XLA compiles on several cores, replicas and GPUs are shared: there, one compiles after the other.
        """
        facts = environment()
        if self.places is not None:
            return self.places
        if facts.gpus or any(config.jit_compile or config.distribute for config in configs):
            return 1
        cores = facts.physical_cores or facts.logical_cores or 1
        return max(1, min(self.processes, cores, int(facts.usable_cores)))
