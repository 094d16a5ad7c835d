"""One sequence in five is kept for validation."""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

_ONE_IN = 5


class Split(NamedTuple):
    """Inputs and targets, for training and for validation; the names are those of `Source`'s fields."""

    x_train: Array
    y_train: Array
    x_validation: Array
    y_validation: Array


def validation_count(count: int) -> int:
    """Return how many of `count` sequences are for validation: a fifth, rounded up."""
    return math.ceil(count / _ONE_IN)


def ordered_split(x: Array, y: Array) -> Split:
    """Keep the last fifth for validation, as a series in time asks for."""
    cut = len(x) - validation_count(len(x))
    return Split(x[:cut], y[:cut], x[cut:], y[cut:])


def random_split(x: Array, y: Array, seed: int) -> Split:
    """Keep a fifth for validation, drawn with `seed`."""
    order = np.random.default_rng(seed).permutation(len(x))
    return ordered_split(x[order], y[order])
