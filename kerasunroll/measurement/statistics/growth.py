"""How a figure grows with the number of time steps T: what it is at any T, and what each further time step adds."""

import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from kerasunroll.errors import InputError
from kerasunroll.measurement.statistics.intervals import student

FEWEST_FOR_A_LINE: Final = 3
"""Through two points goes every line."""

FEWEST_FOR_AN_EXPONENT: Final = 5
WIDEST_EXPONENT: Final = 0.25
"""A power law is said only where its exponent is known to this."""

BEND: Final = 0.1
"""A curve that misses its line by more than this share of its value bends away from it."""


class PowerLaw(BaseModel):
    """A fitted power law, with the 95 % interval of its exponent.

    Args:
        exponent: Float. 0 is constant, 1 grows with T, 2 with its square. The part of a figure that is there at any T
            makes the exponent smaller.
        low: Float. Lower end of the interval.
        high: Float. Upper end of the interval.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    exponent: float
    low: float
    high: float


class Growth(BaseModel):
    """A fitted line, offset plus slope times T, with the 95 % interval of its slope.

    Args:
        offset: Float. What the figure is at any T.
        per_time_step: Float. What each further time step adds.
        low: Float. Lower end of the interval.
        high: Float. Upper end of the interval.
        average: Float. What a time step adds on average between the smallest T and the largest.
        grows: Boolean. Whether it grows between them by more than a tenth, or certainly by a hundredth.
        points: Integer. The points it was fitted to.
        bends: `"up"` or `"down"` where the points leave the line: each time step adds more, or less, the longer the
            sequence is; otherwise `None`.
        power_law: `PowerLaw`, or `None` if there are too few points for one.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    offset: float
    per_time_step: float
    low: float
    high: float
    average: float
    grows: bool
    points: int
    bends: Literal["up", "down"] | None = None
    power_law: PowerLaw | None = None


def fit_growth(t_values: Sequence[float], y_values: Sequence[float]) -> Growth:
    """Fit offset plus slope times T by least squares.

    What is measured is off by a share of its value, so each point has the weight of its value's inverse square. The
    interval is Student's, of the slope (Draper & Smith, *Applied Regression Analysis*, 1998, ch. 1 and 9).

    Args:
        t_values: Numbers of time steps.
        y_values: The figure at each, such as bytes or seconds.

    Raises:
        InputError: If the lengths differ, a value is negative or not finite, or there are fewer than three different T.

    Example:
    >>> growth = fit_growth([10, 20, 40], [30.0, 50.0, 90.0])
    >>> round(growth.offset, 6), round(growth.per_time_step, 6)
    (10.0, 2.0)
    """
    t, y = np.asarray(t_values, dtype=float), np.asarray(y_values, dtype=float)
    if t.shape != y.shape or t.ndim != 1:
        raise InputError(f"Expected as many figures as numbers of time steps, got {y.size} and {t.size}.")
    if not (np.all(t > 0) and np.all(y >= 0) and np.all(np.isfinite([t, y]))):
        raise InputError(f"Growth needs values that are not negative, got T={list(t_values)} and y={list(y_values)}.")
    if len(np.unique(t)) < FEWEST_FOR_A_LINE:
        raise InputError(f"Expected at least three different numbers of time steps, got {list(t_values)}.")
    if not y.any():
        return Growth(offset=0.0, per_time_step=0.0, low=0.0, high=0.0, average=0.0, grows=False, points=len(t))
    scale = np.maximum(y, 0.01 * y.max())
    first, last = t.argmin(), t.argmax()
    average = float((y[last] - y[first]) / (t[last] - t[first]))
    (offset, slope), margin = _fit(np.stack([np.ones_like(t), t]), y, scale)
    return Growth(
        offset=offset,
        per_time_step=slope,
        low=slope - margin,
        high=slope + margin,
        average=average,
        grows=bool(max(slope - margin, BEND * average) * (t[last] - t[first]) > BEND**2 * y.mean()),
        points=len(t),
        bends=_bends(t, y, (y - offset - slope * t) / scale),
        power_law=_power_law(t, y),
    )


def _fit(basis: NDArray[np.float64], y: NDArray[np.float64], scale: NDArray[np.float64]) -> tuple[list[float], float]:
    """Return the coefficients of two functions that make up y, and the half-width of the second one's interval."""
    design, target = (basis / scale).T, y / scale
    coefficients, *_ = np.linalg.lstsq(design, target, rcond=None)
    rest = target - design @ coefficients
    rest[np.abs(rest) < 1e-12] = 0  # rounding
    freedom = len(y) - 2
    variance = np.linalg.inv(design.T @ design)[1, 1] * (rest @ rest) / freedom
    return coefficients.tolist(), student(freedom) * math.sqrt(variance)


def _bends(t: NDArray[np.float64], y: NDArray[np.float64], misses: NDArray[np.float64]) -> Literal["up", "down"] | None:
    if np.abs(misses).max() <= BEND:
        return None
    return "up" if np.polyfit(t, y, 2)[0] > 0 else "down"


def _power_law(t: NDArray[np.float64], y: NDArray[np.float64]) -> PowerLaw | None:
    if len(np.unique(t)) < FEWEST_FOR_AN_EXPONENT or y.min() <= 0:
        return None
    x = np.log(t) - np.log(t).mean()
    # Of equal values the ratio is exactly 1, of which their logarithms less the mean know nothing.
    (_, exponent), margin = _fit(np.stack([np.ones_like(x), x]), np.log(y / y[0]), np.ones_like(x))
    if margin > WIDEST_EXPONENT:
        return None
    return PowerLaw(exponent=exponent, low=exponent - margin, high=exponent + margin)
