"""Classes that have names, or numbers of their own, as integers from 0."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from kerasunroll.data.splits import Array

_SHOWN: Final = 20


def as_classes(labels: Array) -> tuple[Array, list[str]]:
    """Return the place of each label among the distinct ones, sorted, and what these are called.

    Args:
        labels: Array of numbers, booleans or strings, none of them missing.

    Returns:
        Int32 array of the shape of `labels`, and a list of strings: the name of each class.

    Example:
    >>> as_classes(numpy.array(["run", "walk", "run"]))
    (array([0, 1, 0], dtype=int32), ['run', 'walk'])
    """
    if labels.dtype == object:
        labels = labels.astype(str)
    names, places = np.unique(labels, return_inverse=True)
    return places.reshape(labels.shape).astype(np.int32), [str(name) for name in names]


def mapping_in_words(names: Sequence[str]) -> str:
    """Return which class is which.

    Example:
    >>> mapping_in_words(["run", "walk"])
    '0 = run, 1 = walk'
    """
    words = ", ".join(f"{number} = {name}" for number, name in enumerate(names[:_SHOWN]))
    return words + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
