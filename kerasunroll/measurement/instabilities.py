"""What is wrong with a set of times, and what to do about it: marks for the report."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kerasunroll.measurement.stats import MIN_ROUNDS, TARGET_HALF_WIDTH, Comparison, Rounds, block_times

BLOCK_SPREAD: Final = 0.10
"""More than this share of a block's median between its quartiles is unsteady; pyperf marks 10 % as well."""

DRIFT: Final = 1.2
"""The last third of the rounds over the first, or the other way round."""

ROUND_SPREAD: Final = 1.5
"""The 90th percentile of the rounds over the 10th."""

QUIET_MACHINE: Final = "Close other programs, or pin the run to cores of its own (taskset)."


@dataclass(frozen=True)
class Instability:
    """A reason to trust numbers less.

    Args:
        reason: String. What was seen, with its number.
        advice: String. What to do.
    """

    reason: str
    advice: str


def instabilities(rounds: Rounds, comparison: Comparison | None = None) -> list[Instability]:
    """Return what makes the times of one variant, or its comparison with the baseline, less certain.

    Args:
        rounds: For each round, the training-step times of a block, in seconds.
        comparison: `Comparison` of this variant with the baseline, if there is one.

    Returns:
        List of `Instability`, empty for steady times.

    Raises:
        InputError: If there is no round, or a block holds no time, or one that is not positive.
    """
    times = block_times(rounds)
    found = [_few_rounds(rounds), _block_spread(rounds), _drift_or_round_spread(times), _width(comparison)]
    return [instability for instability in found if instability]


def _few_rounds(rounds: Rounds) -> Instability | None:
    if len(rounds) >= MIN_ROUNDS:
        return None
    return Instability(f"only {len(rounds)} of at least {MIN_ROUNDS} rounds were measured", "Allow more time.")


def _block_spread(rounds: Rounds) -> Instability | None:
    low, middle, high = np.array([np.quantile(block, (0.25, 0.5, 0.75)) for block in rounds]).T
    spread = float(np.median((high - low) / middle))
    if spread <= BLOCK_SPREAD:
        return None
    return Instability(f"within a block, the middle half of the training steps spreads by {spread:.0%}", QUIET_MACHINE)


def _drift_or_round_spread(times: NDArray[np.float64]) -> Instability | None:
    third = len(times) // 3
    if third == 0:
        return None
    drift = float(np.median(times[-third:]) / np.median(times[:third]))
    if max(drift, 1 / drift) > DRIFT:
        became = f"{drift:.2f}× slower" if drift > 1 else f"{1 / drift:.2f}× faster"
        return Instability(
            f"from the first third of the rounds to the last, training steps became {became}",
            "Let the machine come to rest (heat, power saving), then measure again.",
        )
    low, high = np.quantile(times, (0.1, 0.9))
    if high / low <= ROUND_SPREAD:
        return None
    return Instability(f"the slow rounds took {high / low:.2f}× the time of the fast ones", QUIET_MACHINE)


def _width(comparison: Comparison | None) -> Instability | None:
    if comparison is None or not TARGET_HALF_WIDTH < comparison.half_width < math.inf:
        return None
    return Instability(
        f"after {comparison.rounds} rounds the ratio is still uncertain by {comparison.half_width:.0%}, "
        f"{TARGET_HALF_WIDTH:.0%} was aimed for",
        f"Allow more rounds. {QUIET_MACHINE}",
    )
