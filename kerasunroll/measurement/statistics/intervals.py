"""A value with its interval, from the same measurement in several fresh processes.

Two processes of the very same program differ by a little for as long as they live (memory layout; Kalibera & Jones,
*Rigorous benchmarking in reasonable time*, ISMM 2013). So kerasunroll measures in several processes, and the interval
comes from how far they differ. There are few of them, so the quantile is Student's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

_UPPER: Final = 0.975


@dataclass(frozen=True)
class Interval:
    """A value, and the ends of its 95 % interval.

    Args:
        value: Float.
        low: Float.
        high: Float.
    """

    value: float
    low: float
    high: float

    def scaled(self, factor: float) -> "Interval":
        """Return the interval times a positive factor."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the mean over several processes, with its interval: Student's t.

    Args:
        values: One value per process. One alone has no interval: both ends are the value.

    Example:
    >>> mean_interval([1.0, 2.0, 3.0])
    Interval(value=2.0, low=-0.48..., high=4.48...)
    """
    mean = float(np.mean(values))
    margin = half_width(values)
    return Interval(mean, mean - margin, mean + margin)


def difference_interval(a: Sequence[float], b: Sequence[float]) -> Interval:
    """Return the mean of a less that of b, with its interval.

    Args:
        a: One value per process.
        b: One value per process.
    """
    difference = float(np.mean(a) - np.mean(b))
    margin = half_width(a, b)
    return Interval(difference, difference - margin, difference + margin)


def half_width(*samples: Sequence[float]) -> float:
    """Return the half-width of the 95 % interval of a sum or difference of means.

    The variances may differ, so the degrees of freedom are those of Welch (*The generalization of "Student's" problem
    when several different population variances are involved*, Biometrika 34, 1947).

    Args:
        *samples: For each mean the values behind it. One that rests on a single value adds nothing that is known.
    """
    several = [np.asarray(sample, float) for sample in samples if len(sample) > 1]
    squares = [float(sample.var(ddof=1)) / len(sample) for sample in several]
    total = math.fsum(squares)
    if total == 0:
        return 0.0
    freedom = total**2 / math.fsum(s**2 / (len(of) - 1) for s, of in zip(squares, several, strict=True))
    return student(freedom) * math.sqrt(total)


def student(freedom: float) -> float:
    """Return the quantile of Student's distribution that bounds a 95 % interval."""
    from scipy.special import stdtrit  # slow to import, and what only plans does without

    return float(stdtrit(freedom, _UPPER))
