"""How a figure grows with the number of time steps: y proportional to T to the power of an exponent."""

import math
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from kerasunroll.errors import InputError


class Growth(BaseModel):
    """A fitted power law, with the 95 % interval of its exponent.

    Args:
        exponent: Float. 0 is constant, 1 grows with T, 2 with its square.
        low: Float. Lower end of the interval.
        high: Float. Upper end of the interval.
        points: Integer. The points it was fitted to.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    exponent: float
    low: float
    high: float
    points: int


def growth_exponent(t_values: Sequence[float], y_values: Sequence[float]) -> Growth:
    """Fit the exponent of a power law by least squares on logarithms.

    The interval is Student's, of the slope (Draper & Smith, *Applied Regression Analysis*, 1998, ch. 1). Take off
    y what does not depend on T before: with a large constant part the exponent comes out too small.

    Args:
        t_values: Numbers of time steps.
        y_values: The figure at each, such as bytes or seconds.

    Returns:
        `Growth`. With two points the interval is unbounded.

    Raises:
        InputError: If the lengths differ, a value is not positive, or there are fewer than two different T.

    Example:
    >>> round(growth_exponent([10, 20, 40], [3.0, 12.0, 48.0]).exponent, 6)
    2.0
    """
    t, y = np.asarray(t_values, dtype=float), np.asarray(y_values, dtype=float)
    if t.shape != y.shape or t.ndim != 1:
        raise InputError(f"Expected as many figures as numbers of time steps, got {y.size} and {t.size}.")
    if not (np.all(t > 0) and np.all(y > 0) and np.all(np.isfinite([t, y]))):
        raise InputError(f"A power law needs positive values, got T={list(t_values)} and y={list(y_values)}.")
    if len(np.unique(t)) < 2:
        raise InputError(f"Expected at least two different numbers of time steps, got {list(t_values)}.")
    x = np.log(t) - np.log(t).mean()
    ratios = np.log(y / y[0])  # of equal values exactly 0, which their logarithms less the mean are not
    z = ratios - ratios.mean()
    exponent = float(x @ z / (x @ x))
    half_width = _half_width(x, z - exponent * x)
    return Growth(exponent=exponent, low=exponent - half_width, high=exponent + half_width, points=len(t))


def _half_width(x: np.ndarray, residuals: np.ndarray) -> float:
    freedom = len(x) - 2
    if freedom == 0:
        return math.inf
    from scipy.special import stdtrit

    error = math.sqrt(residuals @ residuals / freedom / (x @ x))
    return float(stdtrit(freedom, 0.975) * error)
