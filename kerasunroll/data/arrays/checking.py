"""What arrays must be like, and errors that name the first index where they are not."""

from typing import Final

import numpy as np

from kerasunroll.data.arrays.reading import Named
from kerasunroll.data.splits import Array
from kerasunroll.errors import DataError

X_FORMS: Final = "numbers of shape (N, T, F) or integer tokens of shape (N, T)"
Y_FORMS: Final = (
    "integer classes of shape (N,) or (N, T), their names, one-hot of shape (N, classes), or floats of shape (N,), "
    "(N, outputs) or (N, T, outputs)"
)


def check_inputs(x: Named, timesteps: int | None) -> None:
    """Refuse inputs that are no sequences.

    Raises:
        DataError: If their form, or their number of time steps, is not as expected.
    """
    array = x.array
    if array.dtype.kind not in "biuf":
        raise DataError(f"{x} must hold numbers, got an array of {array.dtype}.")
    if not (array.ndim == 3 or (array.ndim == 2 and array.dtype.kind in "biu")):
        raise DataError(
            f"{x} must be {X_FORMS}, got {array.dtype} of shape {array.shape}."
            + (f" For one feature, save {x.key}[..., numpy.newaxis]." if array.ndim == 2 else "")
        )
    if timesteps not in (None, array.shape[1]):
        raise DataError(
            f"'{x.file}' has sequences of {array.shape[1]} time steps ({x.key} of shape {array.shape}), "
            f"got timesteps={timesteps}. Leave timesteps out, or save other sequences."
        )


def check_pair(x: Named, y: Named) -> None:
    """Refuse inputs and targets that do not belong together.

    Raises:
        DataError: If they are empty or of different lengths, or the targets hold neither numbers nor strings.
    """
    if y.array.dtype.kind not in "biufUS":
        raise DataError(f"{y} must hold numbers or the names of classes, got an array of {y.array.dtype}.")
    if y.array.ndim == 0:
        raise DataError(f"{y} must be {Y_FORMS}, got {y.array.dtype} of shape () for {x.key} of shape {x.array.shape}.")
    if 0 in x.array.shape or 0 in y.array.shape:
        raise DataError(
            f"'{x.file}': {x.key} of shape {x.array.shape} and {y.key} of shape {y.array.shape} must not be empty."
        )
    if len(x.array) != len(y.array):
        raise DataError(
            f"'{x.file}': {x.key} and {y.key} must have the same length, got {len(x.array):,} sequences in {x.key} of "
            f"shape {x.array.shape} and {len(y.array):,} targets in {y.key} of shape {y.array.shape}."
        )


def whole(named: Named, array: Array) -> Array:
    """Return tokens or classes as int32."""
    if array.dtype.kind == "b":
        return array.astype(np.int32)
    # The largest int32 is left out: one more than the largest is the number of classes or tokens.
    bad = (array < 0) | (array >= np.iinfo(np.int32).max)
    _refuse(named, array, bad, "integers from 0 to 2,147,483,646")
    return array.astype(np.int32)


def real(named: Named, array: Array) -> Array:
    """Return numbers as float32."""
    with np.errstate(over="ignore"):
        numbers = array.astype(np.float32)
    _refuse(named, array, ~np.isfinite(numbers), "finite numbers that float32 can hold")
    return numbers


def _refuse(named: Named, array: Array, bad: Array, expected: str) -> None:
    if bad.any():
        index = np.unravel_index(int(np.argmax(bad)), bad.shape)
        place = ", ".join(str(int(position)) for position in index)
        raise DataError(
            f"{named} must hold {expected}, got {array[index]} at {named.key}[{place}] (shape {array.shape})."
        )
