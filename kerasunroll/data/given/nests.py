"""Nested arrays (dicts and tuples of them) as a list of arrays and a description of the nest, in JSON values."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kerasunroll.data.splits import Array
from kerasunroll.errors import DataError


def as_arrays(name: str, nest: Any) -> Any:
    """Return nested values with every leaf as a NumPy array, and lists as tuples.

    A list of numbers, or of lists of numbers, is a leaf, as it is for `fit`.

    Args:
        name: String. What it is called, for the error: `"x"`.
        nest: Arrays, tensors, data frames or lists of numbers, in dicts, tuples or lists; `None` stays.

    Raises:
        DataError: If a leaf is no array of numbers.
    """
    if nest is None:
        return None
    if isinstance(nest, dict):
        return {key: as_arrays(f"{name}[{key!r}]", value) for key, value in nest.items()}
    if isinstance(nest, tuple) or (isinstance(nest, list) and any(map(_is_array_like, nest))):
        return tuple(as_arrays(f"{name}[{place}]", value) for place, value in enumerate(nest))
    try:
        array = np.asarray(nest)
    except Exception as error:  # lists of unequal lengths, ragged tensors: each library has its own
        raise DataError(
            f"{name} is no array: {str(error).rstrip('.')}. Give arrays, or a tf.data.Dataset of batches."
        ) from error
    if array.dtype.kind == "O" and all(isinstance(value, str) for value in array.flat):
        return array.astype(str)
    if array.dtype.kind not in "biufUS":
        raise DataError(f"{name} holds values of type {array.dtype.name}, expected numbers or text.")
    return array.astype(_floatx()) if array.dtype.kind == "f" else array


def leaves(nest: Any) -> Iterator[Array]:
    """Yield the arrays of a nest, in the order of `structure_of`."""
    if isinstance(nest, dict):
        for value in nest.values():
            yield from leaves(value)
    elif isinstance(nest, tuple):
        for value in nest:
            yield from leaves(value)
    elif nest is not None:
        yield nest


def structure_of(nest: Any) -> Any:
    """Return how a nest is built, in JSON values: `{"dict": ...}`, `{"tuple": ...}`, `"array"` or `None`."""
    if isinstance(nest, dict):
        return {"dict": {key: structure_of(value) for key, value in nest.items()}}
    if isinstance(nest, tuple):
        return {"tuple": [structure_of(value) for value in nest]}
    return None if nest is None else "array"


def rebuilt(structure: Any, arrays: Sequence[Array]) -> Any:
    """Return the nest of a structure and its arrays."""
    return _rebuilt(structure, iter(arrays))


def _rebuilt(structure: Any, arrays: Iterator[Array]) -> Any:
    if structure is None:
        return None
    if structure == "array":
        return next(arrays)
    if "dict" in structure:
        return {key: _rebuilt(value, arrays) for key, value in structure["dict"].items()}
    return tuple(_rebuilt(value, arrays) for value in structure["tuple"])


def _floatx() -> str:
    """Return the type to which `fit` casts arrays of floating-point numbers."""
    import keras

    return str(keras.config.floatx())


def _is_array_like(value: Any) -> bool:
    return hasattr(value, "shape") or isinstance(value, dict)
