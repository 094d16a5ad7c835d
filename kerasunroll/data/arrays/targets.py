"""What targets mean: classes, however they are written, or values."""

from typing import Final

import numpy as np

from kerasunroll.data.classes import classes_of, describe_classes
from kerasunroll.data.splits import Array

_SIGNS: Final = (-1, 1)


def understood(x: Array, parts: list[Array]) -> tuple[list[Array], list[str]]:
    """Return targets in a form that tells the task: integers are classes, floats are values.

    | targets | become |
    |---|---|
    | strings | classes, numbered in alphabetical order |
    | -1 and 1, nothing else | the classes 0 and 1 |
    | rows of one 1 and zeros else (one-hot) | the place of the 1 |

    Args:
        x: Array. The inputs, (N, T, ...).
        parts: List of arrays: the targets for training, and for validation if they are given apart.

    Returns:
        A tuple of the targets and a list of notes on what was made of them.
    """
    together = np.concatenate([part.ravel() for part in parts]) if parts[0].dtype.kind != "U" else None
    if together is None:
        codes, classes = classes_of(np.concatenate([part.astype(str).ravel() for part in parts]))
        cuts = np.cumsum([part.size for part in parts])[:-1]
        shaped = [code.reshape(part.shape) for code, part in zip(np.split(codes, cuts), parts, strict=True)]
        return shaped, [describe_classes(classes)]
    if together.size and parts[0].ndim <= 2 and tuple(np.unique(together)) == _SIGNS:
        return [((part + 1) // 2).astype(np.int32) for part in parts], [describe_classes(["-1", "1"])]
    if all(_is_one_hot(x, part) for part in parts) and len({part.shape[-1] for part in parts}) == 1:
        return [part.argmax(axis=-1).astype(np.int32) for part in parts], ["one-hot targets, read as classes"]
    return parts, []


def _is_one_hot(x: Array, y: Array) -> bool:
    """Tell whether every row holds one 1; integers of shape (N, T) are classes at each time step all the same."""
    per_time_step = y.ndim == 3 and y.shape[1] == x.shape[1]
    per_sequence = y.ndim == 2 and not (y.dtype.kind in "biu" and y.shape[1] == x.shape[1])
    if not (per_time_step or per_sequence) or y.shape[-1] < 2 or not y.size:
        return False
    return bool((((y == 0) | (y == 1)).all()) and (y.sum(axis=-1) == 1).all())
