"""The shapes and the values that arrays of inputs and targets may have."""

from pathlib import Path
from typing import Final

import numpy as np

from kerasunroll.data.splits import Array
from kerasunroll.errors import DataError
from kerasunroll.tasks import Classification, Task

_X_FORMS: Final = "numbers of shape (N, T, F) or integer tokens of shape (N, T)"
_Y_FORMS: Final = "integer classes of shape (N,) or (N, T), or floats of shape (N,), (N, outputs) or (N, T, outputs)"


def check_shapes(path: Path, x: Array, y: Array, timesteps: int | None, *, least: int = 2) -> None:
    """Refuse arrays that are no sequences with one target each, or one at each time step.

    Raises:
        DataError: With the shape that came and those that are accepted.
    """
    if not (x.ndim == 3 or (x.ndim == 2 and x.dtype.kind in "biu")):
        raise DataError(
            f"'{path}': x must be {_X_FORMS}, got {x.dtype} of shape {x.shape}."
            + (" For one feature, save x[..., numpy.newaxis]." if x.ndim == 2 else "")
        )
    if 0 in x.shape or 0 in y.shape:
        raise DataError(f"'{path}': x of shape {x.shape} and y of shape {y.shape} must not be empty.")
    if not _fits(x, y):
        raise DataError(f"'{path}': y must be {_Y_FORMS}, got {y.dtype} of shape {y.shape} for x of shape {x.shape}.")
    if len(x) != len(y):
        raise DataError(
            f"'{path}': x and y must have the same length, got {len(x):,} sequences in x of shape {x.shape} "
            f"and {len(y):,} targets in y of shape {y.shape}."
        )
    if len(x) < least:
        raise DataError(f"'{path}' has {len(x)} sequence, but training and validation need at least 2.")
    if timesteps not in (None, x.shape[1]):
        raise DataError(
            f"'{path}' has sequences of {x.shape[1]} time steps (x of shape {x.shape}), "
            f"got timesteps={timesteps}. Leave timesteps out, or save other sequences."
        )


def _fits(x: Array, y: Array) -> bool:
    """Return whether `y` has one of the accepted forms, whatever its length."""
    if y.dtype.kind in "biu":
        return y.ndim == 1 or (y.ndim == 2 and y.shape[1] == x.shape[1])
    return y.ndim in (1, 2) or (y.ndim == 3 and y.shape[1] == x.shape[1])


def whole(path: Path, key: str, array: Array) -> Array:
    """Return tokens or classes as int32."""
    if array.dtype.kind == "b":
        return array.astype(np.int32)
    # The largest int32 is left out: one more than the largest is the number of classes or tokens.
    bad = (array < 0) | (array >= np.iinfo(np.int32).max)
    _refuse(path, key, array, bad, "integers from 0 to 2,147,483,646")
    return array.astype(np.int32)


def real(path: Path, key: str, array: Array) -> Array:
    """Return numbers as float32."""
    with np.errstate(over="ignore"):
        real = array.astype(np.float32)
    _refuse(path, key, array, ~np.isfinite(real), "finite numbers that float32 can hold")
    return real


def _refuse(path: Path, key: str, array: Array, bad: Array, expected: str) -> None:
    if bad.any():
        index = np.unravel_index(int(np.argmax(bad)), bad.shape)
        place = ", ".join(str(int(position)) for position in index)
        raise DataError(
            f"'{path}': {key} must hold {expected}, got {array[index]} at {key}[{place}] (shape {array.shape})."
        )


def classification(path: Path, classes: int) -> Task:
    """Return the task of telling so many classes apart.

    Raises:
        DataError: If there is one class only.
    """
    if classes < 2:
        raise DataError(f"'{path}': y holds the class 0 only; classification needs at least 2 classes.")
    return Classification(classes)
