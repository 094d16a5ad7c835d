"""Classes that are not numbered from 0: what number each gets."""

from typing import Final

import numpy as np

from kerasunroll.data.splits import Array

_SHOWN: Final = 12


def classes_of(labels: Array) -> tuple[Array, list[str]]:
    """Return the number of each label's class, and the classes in the order of their numbers.

    Args:
        labels: Array of strings or numbers. Labels that are all numbers are ordered as numbers.

    Returns:
        A tuple of an int32 array of the shape of `labels`, and a list of the classes as strings.

    Example:
    >>> classes_of(np.array(["dog", "cat", "dog"]))
    (array([1, 0, 1], dtype=int32), ['cat', 'dog'])
    """
    found, codes = np.unique(labels, return_inverse=True)
    names = [str(name) for name in found]
    try:
        rank = np.argsort([float(name) for name in names], kind="stable")
    except ValueError:
        rank = np.arange(len(names))
    numbers = np.empty(len(names), np.int32)
    numbers[rank] = np.arange(len(names))
    return numbers[codes].reshape(labels.shape), [names[index] for index in rank]


def describe_classes(classes: list[str]) -> str:
    """Return which class has which number.

    Example:
    >>> describe_classes(["-1", "1"])
    'classes: -1 is 0, 1 is 1'
    """
    shown = [f"{name} is {number}" for number, name in enumerate(classes[:_SHOWN])]
    return f"classes: {', '.join(shown)}" + (", ..." if len(classes) > _SHOWN else "")
