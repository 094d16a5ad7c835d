"""Is one variant faster than another? Ratios of interleaved times, with an interval that you can trust.

The machine changes speed while it measures, so variants take turns: a *round* is one short block of training
steps of each process of each variant, in random order. Only times of the same round are compared, as the logarithm of
their ratio.

1. A block's time is its lower quartile. Whatever disturbs a training step makes it longer, so the lower
   quartile stands where up to three quarters of a block were disturbed, the median only up to a half.
2. A variant's time in a round is the geometric mean over its processes. The ratio of two variants is the interquartile
   mean over rounds of the log ratios: a quarter of the rounds may be off on either side, as when a neighbour's load
   hits one block of a round and not the other.
3. How uncertain the rounds leave it: the symmetric bootstrap-t over rounds with the winsorised standard error (Efron &
   Tibshirani, *An Introduction to the Bootstrap*, 1993, ch. 12; Hall, *On symmetric bootstrap confidence intervals*,
   JRSS B 50, 1988; for trimmed means, Wilcox, *Introduction to Robust Estimation*, 2012, ch. 4). Unlike the percentile
   bootstrap it is not too narrow with ten rounds.
4. Rounds are added until that is narrow enough (`needs_more_rounds`). Whoever looks after every round
   and stops when it suits finds differences that are not there: the interval at each look is a 99 % one,
   so that it is at least 95 % at whichever it stops (Pocock, *Group sequential methods*, Biometrika 64, 1977:
   ten to twenty looks need 99 % each). The rule looks at the width only, never at the verdict.
5. How uncertain the processes leave it: two processes of the very same program differ for as long as they live, which
   no number of rounds can show. So each variant runs in several, and Student's t over them gives an interval
   (`kerasunroll.measurement.statistics.intervals`). What is said is the wider of the two intervals.
"""

import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, computed_field

from kerasunroll.errors import InputError
from kerasunroll.measurement.statistics.intervals import half_width as half_width_over_processes

Rounds = Sequence[Sequence[float]]
"""The times of one process: for each round the training-step times of its block, in seconds."""

Processes = Sequence[Rounds]
"""The times of one variant: for each of its processes those of the same rounds."""

Verdict = Literal["faster", "slower", "no difference"]

LOOK_CONFIDENCE: Final = 0.99
"""Of the interval at one look, for 95 % over all looks."""

MIN_ROUNDS: Final = 10
MAX_ROUNDS: Final = 40
TARGET_HALF_WIDTH: Final = 0.03

_FEWEST_ROUNDS: Final = 5  # with fewer, too many resamples are of one round only


class TimeRatio(BaseModel):
    """Time of variant a over time of variant b, with its 95 % interval.

    Args:
        ratio: Float. Below 1, a is faster.
        low: Float. Lower end of the interval.
        high: Float. Upper end of the interval.
        rounds: Integer. The rounds it rests on.
        half_width: Float. The interval's half-width, in logarithms (0.03 is about 3 %), without the spread between
            processes: more rounds narrow it.
        processes: Integer. The processes of each variant that it rests on. With one, the interval cannot hold the
            spread between processes.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    ratio: float
    low: float
    high: float
    rounds: int
    half_width: float
    processes: int = 1

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> Verdict:
        """What the interval says of a: `"faster"` or `"slower"` only if it excludes 1."""
        if self.high < 1:
            return "faster"
        return "slower" if self.low > 1 else "no difference"


def compare_rounds(
    a_processes: Processes, b_processes: Processes, *, rng: np.random.Generator, resamples: int = 2000
) -> TimeRatio:
    """Compare two variants that were timed in the same rounds.

    Args:
        a_processes: For each process of variant a, and each round, the times of a block, in seconds.
        b_processes: The same for variant b, usually the baseline.
        rng: `numpy.random.Generator` for the bootstrap.
        resamples: Integer. Bootstrap samples.

    Returns:
        `TimeRatio`. With fewer than 5 rounds its interval is unbounded.

    Raises:
        InputError: If there is no process or no round, the numbers of rounds differ, or a block holds no time, or one
            that is not positive.

    Example:
    >>> compare_rounds(full, loop, rng=np.random.default_rng(0)).verdict  # doctest: +SKIP
    'faster'
    """
    a, b = _log_times(a_processes), _log_times(b_processes)
    if a.shape[1] != b.shape[1]:
        raise InputError(f"Both variants need the same rounds, got {a.shape[1]} and {b.shape[1]}.")
    log_ratios = a.mean(axis=0) - b.mean(axis=0)
    center, _ = _center_and_error(log_ratios)
    half_width = _bootstrap_half_width(log_ratios, rng, resamples)
    total = max(half_width, _process_half_width(a, b))
    with np.errstate(over="ignore"):  # ratios that jump wildly: what is too large for a float is infinite
        ratio, low, high = (float(np.exp(value)) for value in (center, center - total, center + total))
    return TimeRatio(
        ratio=ratio, low=low, high=high, rounds=a.shape[1], half_width=half_width, processes=min(len(a), len(b))
    )


def needs_more_rounds(
    comparison: TimeRatio,
    *,
    target_half_width: float = TARGET_HALF_WIDTH,
    min_rounds: int = MIN_ROUNDS,
    max_rounds: int = MAX_ROUNDS,
) -> bool:
    """Return whether another round is worth its time.

    Args:
        comparison: `TimeRatio` of the rounds so far.
        target_half_width: Float. How narrow the interval should become, in logarithms.
        min_rounds: Integer. Never stop before.
        max_rounds: Integer. Always stop here.
    """
    if comparison.rounds < min_rounds:
        return True
    return comparison.rounds < max_rounds and comparison.half_width > target_half_width


def steady_seconds(processes: Processes) -> float:
    """Return the time of one training step in seconds: the interquartile mean over the rounds.

    For a table's column. Variants are compared by `compare_rounds`, not by the ratio of these.

    Raises:
        InputError: As `compare_rounds`.
    """
    center, _ = _center_and_error(np.log(round_times(processes)))
    return float(np.exp(center))


def round_times(processes: Processes) -> NDArray[np.float64]:
    """Return each round's time in seconds, of shape `(rounds,)`: the geometric mean over the processes.

    Raises:
        InputError: As `compare_rounds`.
    """
    times: NDArray[np.float64] = np.exp(_log_times(processes).mean(axis=0))
    return times


def block_times(rounds: Rounds) -> NDArray[np.float64]:
    """Return the lower quartile of each round's block, in seconds, of shape `(rounds,)`.

    Raises:
        InputError: If there is no round, or a block holds no time, or one that is not positive.
    """
    if not rounds:
        raise InputError("Expected at least one round of times, got none.")
    for number, block in enumerate(rounds, start=1):
        if not (len(block) and all(0 < time < math.inf for time in block)):
            raise InputError(f"Round {number}: expected a block of positive times in seconds, got {list(block)}.")
    return block_quantiles(rounds, 0.25)


def block_quantiles(blocks: Rounds, shares: float | tuple[float, ...]) -> NDArray[np.float64]:
    """Return quantiles of each block, of shape `(blocks,)` or `(shares, blocks)`."""
    if len({len(block) for block in blocks}) == 1:  # the usual case, far faster all at once
        return np.asarray(np.quantile(np.array(blocks), shares, axis=1))
    return np.array([np.quantile(block, shares) for block in blocks]).T


def _log_times(processes: Processes) -> NDArray[np.float64]:
    """Return the logarithms of the block times, of shape `(processes, rounds)`."""
    if not processes:
        raise InputError("Expected the times of at least one process, got none.")
    times = [block_times(rounds) for rounds in processes]
    if len({len(each) for each in times}) > 1:
        raise InputError(f"All processes need the same rounds, got {', '.join(str(len(each)) for each in times)}.")
    return np.log(times)


def _process_half_width(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the half-width that the spread between processes gives, 0 where each variant has but one."""
    # All ran in the same rounds: without what a round did to all of them, only the processes differ.
    of_the_round = (a.mean(axis=0) + b.mean(axis=0)) / 2
    centers = [_center_and_error(np.round(times - of_the_round, 12))[0].tolist() for times in (a, b)]
    return half_width_over_processes(*centers)


def _bootstrap_half_width(log_ratios: NDArray[np.float64], rng: np.random.Generator, resamples: int) -> float:
    count = len(log_ratios)
    if count < _FEWEST_ROUNDS:
        return math.inf
    # Ratios that differ by rounding alone are equal.
    log_ratios = np.round(log_ratios, 12)
    center, error = _center_and_error(log_ratios)
    centers, errors = _center_and_error(rng.choice(log_ratios, size=(resamples, count)))
    off = np.abs(centers - center)
    # A resample of equal values has no error to measure by: off by nothing, or by infinitely many of them.
    with np.errstate(over="ignore"):  # nearly equal values: by nearly infinitely many
        pivots = np.divide(off, errors, out=np.where(off > 0, np.inf, 0.0), where=errors > 0)
    # The next greater pivot, not one between two: infinity cannot be interpolated.
    return float(np.quantile(pivots, LOOK_CONFIDENCE, method="higher") * error) if error > 0 else 0.0


def _center_and_error(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the interquartile mean along the last axis, and its winsorised standard error.

    Tukey & McLaughlin, *Less vulnerable confidence and significance procedures*, Sankhya A 25, 1963.
    """
    ordered = np.sort(values, axis=-1)
    count = ordered.shape[-1]
    cut = count // 4
    inner = ordered[..., cut : count - cut]
    winsorised = np.clip(ordered, inner[..., :1], inner[..., -1:])
    error = winsorised.std(axis=-1, ddof=min(1, count - 1)) / ((1 - 2 * cut / count) * math.sqrt(count))
    return inner.mean(axis=-1), error
