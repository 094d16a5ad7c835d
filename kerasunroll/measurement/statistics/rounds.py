"""Is one variant faster than another? Ratios of interleaved times, with an interval that can be believed.

The machine changes speed while it measures, so variants take turns: a *round* is one short block of training
steps of each variant, in random order. Only times of the same round are compared, as the logarithm of their ratio.

1. A block's time is its lower quartile. Whatever disturbs a training step makes it longer, so the lower
   quartile stands where up to three quarters of a block were disturbed, the median only up to a half.
2. The ratio is the interquartile mean over rounds of the log ratios: a quarter of the rounds may be off on
   either side, as when a neighbour's load hits one block of a round and not the other.
3. Its interval is the symmetric bootstrap-t over rounds with the winsorised standard error (Efron & Tibshirani,
   *An Introduction to the Bootstrap*, 1993, ch. 12; Hall, *On symmetric bootstrap confidence intervals*, JRSS B 50,
   1988; for trimmed means, Wilcox, *Introduction to Robust Estimation*, 2012, ch. 4). Unlike the percentile
   bootstrap it is not too narrow with ten rounds.
4. Rounds are added until the interval is narrow enough (`needs_more_rounds`). Whoever looks after every round
   and stops when it suits finds differences that are not there: the interval at each look is a 99 % one,
   so that it is at least 95 % at whichever it stops (Pocock, *Group sequential methods*, Biometrika 64, 1977:
   ten to twenty looks need 99 % each). The rule looks at the width only, never at the verdict.
5. Two processes of the very same program differ by a little for as long as they live (memory layout; Kalibera &
   Jones, *Rigorous benchmarking in reasonable time*, ISMM 2013), which no number of rounds of one pair of
   processes can show. That spread was measured, and widens every interval.
"""

import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, computed_field

from kerasunroll.errors import InputError

Rounds = Sequence[Sequence[float]]
"""The times of one variant: for each round the training-step times of its block, in seconds."""

Verdict = Literal["faster", "slower", "no difference"]

LOOK_CONFIDENCE: Final = 0.99
"""Of the interval at one look, for 95 % over all looks."""

PROCESS_SPREAD: Final = 0.015
"""Standard deviation of the log time between fresh processes of one program.

Measured with TensorFlow 2.21 on 2 shared cores: 5 sets of 6 to 8 workers alive at once, an LSTM as loop and full,
gave 0.003 to 0.027. With 0.015, 4 of the 101 pairs of like workers were called different, without it 9.
"""

MIN_ROUNDS: Final = 10
MAX_ROUNDS: Final = 40
TARGET_HALF_WIDTH: Final = 0.03

_FEWEST_ROUNDS: Final = 5  # with fewer, too many resamples are of one round only
_TWO_SIDED_95: Final = 1.96


class Comparison(BaseModel):
    """Time of variant a over time of variant b, with its 95 % interval.

    Args:
        ratio: Float. Below 1, a is faster.
        low: Float. Lower end of the interval.
        high: Float. Upper end of the interval.
        rounds: Integer. The rounds it rests on.
        half_width: Float. The part of the interval's half-width, in logarithms (0.03 is about 3 %), that more
            rounds would narrow.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    ratio: float
    low: float
    high: float
    rounds: int
    half_width: float

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> Verdict:
        """What the interval says of a: `"faster"` or `"slower"` only if it excludes 1."""
        if self.high < 1:
            return "faster"
        return "slower" if self.low > 1 else "no difference"


def compare_rounds(
    a_rounds: Rounds,
    b_rounds: Rounds,
    *,
    rng: np.random.Generator,
    process_spread: float = PROCESS_SPREAD,
    resamples: int = 2000,
) -> Comparison:
    """Compare two variants that were timed in the same rounds.

    Args:
        a_rounds: For each round, the times of variant a's block, in seconds.
        b_rounds: The same for variant b, usually the baseline.
        rng: `numpy.random.Generator` for the bootstrap.
        process_spread: Float. Standard deviation of the log time between processes of one program; divide it by
            the square root of the number of processes that each variant's rounds come from.
        resamples: Integer. Bootstrap samples.

    Returns:
        `Comparison`. With fewer than 5 rounds its interval is unbounded.

    Raises:
        InputError: If there is no round, the numbers of rounds differ, or a block holds no time, or one that is
            not positive.

    Example:
    >>> compare_rounds(full, loop, rng=np.random.default_rng(0)).verdict  # doctest: +SKIP
    'faster'
    """
    a, b = block_times(a_rounds), block_times(b_rounds)
    if len(a) != len(b):
        raise InputError(f"Both variants need the same rounds, got {len(a)} and {len(b)}.")
    log_ratios = np.log(a) - np.log(b)
    center, _ = _center_and_error(log_ratios)
    half_width = _bootstrap_half_width(log_ratios, rng, resamples)
    total = math.hypot(half_width, _TWO_SIDED_95 * math.sqrt(2) * process_spread)
    with np.errstate(over="ignore"):  # ratios that jump wildly: what is too large for a float is infinite
        ratio, low, high = (float(np.exp(value)) for value in (center, center - total, center + total))
    return Comparison(ratio=ratio, low=low, high=high, rounds=len(a), half_width=half_width)


def needs_more_rounds(
    comparison: Comparison,
    *,
    target_half_width: float = TARGET_HALF_WIDTH,
    min_rounds: int = MIN_ROUNDS,
    max_rounds: int = MAX_ROUNDS,
) -> bool:
    """Return whether another round is worth its time.

    Args:
        comparison: `Comparison` of the rounds so far.
        target_half_width: Float. How narrow the interval should become, in logarithms.
        min_rounds: Integer. Never stop before.
        max_rounds: Integer. Always stop here.
    """
    if comparison.rounds < min_rounds:
        return True
    return comparison.rounds < max_rounds and comparison.half_width > target_half_width


def steady_seconds(rounds: Rounds) -> float:
    """Return the time of one training step in seconds: the interquartile mean over the rounds' blocks.

    For a table's column. Variants are compared by `compare_rounds`, not by the ratio of these.

    Raises:
        InputError: If there is no round, or a block holds no time, or one that is not positive.
    """
    center, _ = _center_and_error(np.log(block_times(rounds)))
    return float(np.exp(center))


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
    return np.array([np.quantile(block, 0.25) for block in rounds])


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
