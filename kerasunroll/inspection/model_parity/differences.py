"""Compare what two models computed, array by array, and tell rounding from more. Loads without TensorFlow.

Rounding is told by its size. A sum of n products, computed in two orders, differs by about n·eps times the sum of the
products' sizes (Higham 2002, Accuracy and Stability of Numerical Algorithms, 3.1), and a recurrence adds that up over T
time steps. Hence, with a hundredfold reserve, what is allowed in an array is

    max(1e-9, 100·eps·T) · (largest value in the array) + 100·eps·T · (largest value of all arrays of this kind)

times 1 + n after n training steps. The second term is for what cancels: the gradient of a weight that has hardly any
is the rounding of those that have. In float64 that is 1e-9 up to T=45,000, while a wrong mask, state or weight is far
above; in float32 it is 1e-3 at T=100, which is why copies in float64 decide.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kerasunroll.inspection.gradients.norms import Array
from kerasunroll.inspection.model_parity.result import Difference

LEAST: Final = 1e-9
"""The relative difference that is always allowed."""

_RESERVE: Final = 100.0


@dataclass(frozen=True)
class Reading:
    """One array that a model computed.

    Args:
        kind: String, one of `kerasunroll.inspection.model_parity.result.KINDS`.
        name: String. As in `Difference`.
        layer: String. As in `Difference`.
        training_steps: Integer. As in `Difference`.
        training: Boolean. As in `Difference`.
        value: Array.
        batch: Boolean. Whether the first axis counts samples.
        time: `None`, or whether the second axis counts time steps: 1 in sequence order, -1 from the last to the first.
    """

    kind: str
    name: str
    layer: str
    training_steps: int
    training: bool
    value: Array
    batch: bool = False
    time: int | None = None


def rounding(eps: float, timesteps: int) -> float:
    """Return the relative difference that rounding explains over so many time steps.

    Args:
        eps: Float. The distance of 1 to the next number, in the precision of the computation.
        timesteps: Integer. T of the longest sequence.
    """
    return max(LEAST, _RESERVE * eps * timesteps)


def differences(
    a: Sequence[Reading], b: Sequence[Reading], *, dtype: str, eps: float, timesteps: int
) -> tuple[Difference, ...]:
    """Compare readings of two models that correspond to each other one by one.

    Args:
        a: Readings of the first model; names are taken from it.
        b: Readings of the second, as many.
        dtype: String. The precision in which both computed.
        eps: Float. As in `rounding`.
        timesteps: Integer. As in `rounding`.
    """
    scales = [max(_scale(one.value), _scale(other.value)) for one, other in zip(a, b, strict=True)]
    of_kind: dict[str, float] = {}
    for reading, scale in zip(a, scales, strict=True):
        of_kind[reading.kind] = max(scale, of_kind.get(reading.kind, 0.0))
    found = []
    for one, other, scale in zip(a, b, scales, strict=True):
        allowed = rounding(eps, timesteps) * scale + _RESERVE * eps * timesteps * of_kind[one.kind]
        found.append(_difference(one, other, dtype, scale, allowed * (1 + one.training_steps)))
    return tuple(found)


def _difference(a: Reading, b: Reading, dtype: str, scale: float, allowed: float) -> Difference:
    one, other = (np.asarray(reading.value, np.float64) for reading in (a, b))
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    finite = np.isfinite(one) & np.isfinite(other)
    distance = np.where(same, 0.0, np.inf)
    np.subtract(one, other, out=distance, where=finite)
    np.abs(distance, out=distance)
    largest = float(distance.max(initial=0.0))
    at = tuple(int(index) for index in np.unravel_index(np.argmax(distance), distance.shape)) if largest > 0 else ()
    return Difference(
        kind=a.kind,
        name=a.name,
        layer=a.layer,
        training_steps=a.training_steps,
        training=a.training,
        dtype=dtype,
        largest=largest,
        scale=scale,
        allowed=allowed,
        at=at,
        sample=at[0] if a.batch and at else None,
        time_step=_time_step(a, at),
        values=(float(one[at]), float(other[at])) if len(at) == one.ndim else (math.nan, math.nan),
        not_finite=int((same & ~finite).sum()),
        same_bits=bool(same.all()),
    )


def _time_step(reading: Reading, at: Sequence[int]) -> int | None:
    if reading.time is None or len(at) < 2:
        return None
    return at[1] if reading.time > 0 else reading.value.shape[1] - 1 - at[1]


def _scale(values: Array) -> float:
    sizes = np.abs(np.asarray(values, np.float64))
    return float(sizes[np.isfinite(sizes)].max(initial=0.0))
