"""When measuring ends: how narrow an interval has to be, how many rounds it may take, and until when there is time."""

import math
import time
from dataclasses import dataclass, field

from kerasunroll.measurement.statistics.rounds import MAX_ROUNDS, TARGET_HALF_WIDTH
from kerasunroll.measurement.workers.worker import Limits


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
        deadline: Float. Until when there is time, on the clock of `time.monotonic`. Defaults to infinity.
    """

    limits: Limits = field(default_factory=Limits)
    half_width: float = TARGET_HALF_WIDTH
    max_rounds: int = MAX_ROUNDS
    inference: bool = True
    deadline: float = math.inf

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline; 0 once it has passed."""
        return max(0.0, self.deadline - time.monotonic())
