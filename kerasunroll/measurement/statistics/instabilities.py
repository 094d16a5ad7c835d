"""What is wrong with a set of times, and what to do about it: marks for the report."""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from kerasunroll.measurement.statistics.rounds import (
    MIN_ROUNDS,
    TARGET_HALF_WIDTH,
    Processes,
    TimeRatio,
    block_quantiles,
    round_times,
)

BLOCK_SPREAD: Final = 0.10
"""More than this share of a block's median between its quartiles is unsteady; pyperf marks 10 % as well."""

DRIFT: Final = 1.2
"""The last third of the rounds over the first, or the other way round."""

ROUND_SPREAD: Final = 1.5
"""The 90th percentile of the rounds over the 10th."""

QUIET_MACHINE: Final = "Close other programs, or pin the run to cores of its own (taskset)."


@dataclass(frozen=True)
class Instability:
    """A reason to trust a number less.

    Args:
        reason: String. What is unsteady, in words that are the same for every variant.
        seen: String. How much, of this variant.
        advice: String. What to do.
        concerns: `"time"`, or `"ratio"` where it is the comparison with the baseline that is uncertain.
    """

    reason: str
    seen: str
    advice: str
    concerns: Literal["time", "ratio"] = "time"


def instabilities(
    processes: Processes, comparison: TimeRatio | None = None, target_half_width: float = TARGET_HALF_WIDTH
) -> list[Instability]:
    """Return what makes the times of one variant, or its comparison with the baseline, less certain.

    Args:
        processes: For each process and each round, the times of a block, in seconds.
        comparison: `TimeRatio` of this variant with the baseline, if there is one.
        target_half_width: Float. How narrow the interval of the comparison was to become, in logarithms.

    Returns:
        List of `Instability`, empty for steady times.

    Raises:
        InputError: As `compare_rounds`.
    """
    times = round_times(processes)
    found = [
        _few_rounds(len(times)),
        _block_spread(processes),
        _drift_or_round_spread(times),
        _width(comparison, target_half_width),
        _one_process(comparison),
    ]
    return [instability for instability in found if instability]


def _few_rounds(rounds: int) -> Instability | None:
    if rounds >= MIN_ROUNDS:
        return None
    return Instability(f"fewer than {MIN_ROUNDS} rounds were measured", str(rounds), "Allow more time.")


def _block_spread(processes: Processes) -> Instability | None:
    blocks = [block for rounds in processes for block in rounds]
    low, middle, high = block_quantiles(blocks, (0.25, 0.5, 0.75))
    spread = float(np.median((high - low) / middle))
    if spread <= BLOCK_SPREAD:
        return None
    return Instability("times differ within a block (spread of its middle half)", f"{spread:.0%}", QUIET_MACHINE)


def _drift_or_round_spread(times: NDArray[np.float64]) -> Instability | None:
    third = len(times) // 3
    if third == 0:
        return None
    drift = float(np.median(times[-third:]) / np.median(times[:third]))
    if max(drift, 1 / drift) > DRIFT:
        return Instability(
            "the speed changed from the first third of the rounds to the last",
            f"{drift:.2f}× slower" if drift > 1 else f"{1 / drift:.2f}× faster",
            "Let the machine come to rest (heat, power saving), then measure again.",
        )
    low, high = np.quantile(times, (0.1, 0.9))
    if high / low <= ROUND_SPREAD:
        return None
    return Instability("slow rounds took longer than fast ones", f"{high / low:.2f}×", QUIET_MACHINE)


def _width(comparison: TimeRatio | None, target: float) -> Instability | None:
    if comparison is None or not target < comparison.half_width < math.inf:
        return None
    return Instability(
        f"the ratio is less certain than the {target:.0%} that were aimed for",
        f"{comparison.half_width:.0%} after {comparison.rounds} rounds",
        f"Allow more rounds. {QUIET_MACHINE}",
        concerns="ratio",
    )


def _one_process(comparison: TimeRatio | None) -> Instability | None:
    if comparison is None or comparison.processes > 1:
        return None
    return Instability(
        "one process of each setting was timed: how far two differ is not in the interval",
        "1 process",
        "Allow more time and memory, and measure again.",
        concerns="ratio",
    )
