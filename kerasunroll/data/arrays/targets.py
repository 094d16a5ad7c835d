"""Targets as people keep them: numbers of classes, their names, -1 and 1, one-hot, booleans, numbers to predict."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kerasunroll.data.arrays.checking import Y_FORMS, real, whole
from kerasunroll.data.arrays.reading import Named
from kerasunroll.data.classes import as_classes, mapping_in_words
from kerasunroll.data.splits import Array
from kerasunroll.errors import DataError
from kerasunroll.tasks import Classification, Regression, Task


class Targets(NamedTuple):
    """The targets of each part, their task, and notes on what was made of them."""

    parts: list[Array]
    task: Task
    notes: list[str]


def read_targets(named: Sequence[Named], xs: Sequence[Array]) -> Targets:
    """Return targets as a network learns them: int32 classes, or float32 numbers.

    Args:
        named: The targets of the training part, and of the validation part if it was given.
        xs: Their inputs.

    Raises:
        DataError: If they have none of the known forms.
    """
    arrays = [_without_last_axis_of_one(each.array, x) for each, x in zip(named, xs, strict=True)]
    kinds = {_kind(array) for array in arrays}
    if len(kinds) > 1:
        raise DataError(
            f"{named[0]} holds {arrays[0].dtype} and {named[1].key} {arrays[1].dtype}. Save both in the same way."
        )
    if "name" in kinds or _are_minus_and_plus_one(arrays):
        return _named_classes(named, arrays, xs)
    if all(_is_one_hot(array, x) for array, x in zip(arrays, xs, strict=True)):
        width = arrays[0].shape[-1]
        parts = [array.argmax(axis=-1).astype(np.int32) for array in arrays]
        _check_forms(named, arrays, xs, classes=False)
        return Targets(parts, Classification(width), ["one-hot targets as classes"])
    classes = kinds == {"whole"}
    _check_forms(named, arrays, xs, classes=classes)
    if not classes:
        parts = [real(each, array) for each, array in zip(named, arrays, strict=True)]
        parts = [part[:, np.newaxis] if part.ndim == 1 else part for part in parts]
        return Targets(parts, Regression(parts[0].shape[-1]), [])
    parts = [whole(each, array) for each, array in zip(named, arrays, strict=True)]
    number = max(int(part.max()) for part in parts) + 1
    if number < 2:
        raise DataError(f"{named[0]} holds the class 0 only; classification needs at least 2 classes.")
    return Targets(parts, Classification(number), [])


def _kind(array: Array) -> str:
    if array.dtype.kind in "US":
        return "name"
    return "whole" if array.dtype.kind in "biu" else "real"


def _without_last_axis_of_one(y: Array, x: Array) -> Array:
    """Return classes of shape (N, 1), as a column of a table gives them, as (N,)."""
    per_sequence = y.ndim == 2 and y.shape[1] == 1 and x.shape[1] != 1
    return y[:, 0] if per_sequence and _kind(y) != "real" else y


def _are_minus_and_plus_one(arrays: Sequence[Array]) -> bool:
    return all(array.dtype.kind in "if" and array.ndim == 1 for array in arrays) and set(
        np.unique(np.concatenate(arrays)).tolist()
    ) == {-1, 1}


def _named_classes(named: Sequence[Named], arrays: Sequence[Array], xs: Sequence[Array]) -> Targets:
    texts = [array.astype(str) if array.dtype.kind == "S" else array for array in arrays]
    _check_forms(named, texts, xs, classes=True)
    places, names = as_classes(np.concatenate([text.ravel() for text in texts]))
    if len(names) < 2:
        raise DataError(f"{named[0]} holds the class {names[0]!r} only; classification needs at least 2 classes.")
    cuts = np.cumsum([text.size for text in texts])[:-1]
    parts = [part.reshape(text.shape) for part, text in zip(np.split(places, cuts), texts, strict=True)]
    return Targets(parts, Classification(len(names)), [f"classes: {mapping_in_words(names)}"])


def _is_one_hot(y: Array, x: Array) -> bool:
    """Return whether every row has a single 1 among zeros; integers of shape (N, T) are classes at each time step."""
    if y.ndim not in (2, 3) or y.shape[-1] < 2 or (y.ndim == 2 and y.dtype.kind in "biu" and y.shape[1] == x.shape[1]):
        return False
    return bool(((y == 0) | (y == 1)).all() and (y.sum(axis=-1) == 1).all())


def _check_forms(named: Sequence[Named], arrays: Sequence[Array], xs: Sequence[Array], *, classes: bool) -> None:
    for each, y, x in zip(named, arrays, xs, strict=True):
        whole_form = y.ndim == 1 or (y.ndim == 2 and y.shape[1] == x.shape[1])
        real_form = y.ndim in (1, 2) or (y.ndim == 3 and y.shape[1] == x.shape[1])
        if not (whole_form if classes else real_form):
            raise DataError(
                f"{each} must be {Y_FORMS}, got {each.array.dtype} of shape {each.array.shape} "
                f"for x of shape {x.shape}."
            )
        if y.shape[1:] != arrays[0].shape[1:]:
            raise DataError(f"{each} of shape {y.shape} does not fit {named[0].key} of shape {arrays[0].shape}.")
