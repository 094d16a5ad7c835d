"""The data that were passed: arrays, batches, or a data source by its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tensorflow as tf
from keras import tree

from kerasunroll.api.request.class_weights import with_class_weights
from kerasunroll.data import Source, open_source
from kerasunroll.data.checks import whole_number
from kerasunroll.data.given import GivenData, keep_arrays, keep_batches
from kerasunroll.data.given.keeping import as_dataset, batch_of
from kerasunroll.data.given.nests import leaves
from kerasunroll.data.names import GIVEN, SourceName
from kerasunroll.errors import DataError, InputError

FOLDER: Final = "given/data"
_GIVEN: Final = str(SourceName(GIVEN, (FOLDER,)))


@dataclass(frozen=True)
class Data:
    """The sequences that were passed.

    Args:
        name: String. The name of the source, as a `TrainingConfig` has it.
        source: `Source` of that name, which stays where it is; `None` for what came from Python.
        train: Nested arrays `(x, y, sample_weight)`, or a `tf.data.Dataset` of batches.
        validation: Likewise, or `None`.
        batch: One batch of nested arrays.
        validation_batch: Likewise of the validation data, or `None`.
        batch_size: Integer.
    """

    name: str
    source: Source | None
    train: Any
    validation: Any
    batch: tuple[Any, ...]
    batch_size: int
    validation_batch: tuple[Any, ...] | None = None

    def write(self, folder: Path) -> Source | GivenData:
        """Write what does not lie in files already, and return what a worker will train on."""
        if self.source:
            return self.source
        place = folder / FOLDER
        if isinstance(self.train, tuple):
            return GivenData(place, keep_arrays(place, self.train, self.validation), seed=0)
        return GivenData(place, keep_batches(place, self.train, self.validation), seed=0)


def data_of(
    x: Any,
    y: Any,
    *,
    sample_weight: Any,
    class_weight: Mapping[int, float] | None,
    validation_data: Any,
    batch_size: int | None,
    steps_per_epoch: int | None,
) -> Data:
    """Return the data that were passed to `compare`, whose arguments these are.

    Raises:
        InputError: If something is missing, or does not go with the rest.
        DataError: If arrays or batches cannot be used.
    """
    if batch_size is not None:
        batch_size = whole_number("batch_size", batch_size, at_least=1)
    if class_weight is not None and not isinstance(class_weight, Mapping):
        raise InputError(f"class_weight must be a dict from class to weight, got {type(class_weight).__name__}.")
    if x is None:
        raise InputError("Expected data: compare(model, x, y), compare(model, dataset) or compare(model, 'digits').")
    if isinstance(x, str):
        _refuse("a data source has its own", y=y, sample_weight=sample_weight, validation_data=validation_data)
        source = open_source(x)
        size = source.check_batch_size(batch_size or 32)
        return Data(str(SourceName.parse(x)), source, None, None, source.batch(size), size)
    if isinstance(x, Source):
        _refuse("a data source has its own", y=y, sample_weight=sample_weight, validation_data=validation_data)
        x, y, validation_data = x.x_train, x.y_train, (x.x_validation, x.y_validation)
    if _are_arrays(x):
        train = batch_of(x, y, sample_weight)
        train = train if class_weight is None else with_class_weights(train, class_weight)
        if steps_per_epoch is not None:
            raise InputError("steps_per_epoch is for a dataset; arrays have as many batches as there are sequences.")
        size = batch_size or 32
        sequences = len(next(leaves(train[0])))
        if size > sequences:
            raise DataError(f"batch_size={size} is more than the {sequences} sequences. Take at most {sequences}.")
        validation = _validation_arrays(validation_data)
        checked = None if validation is None else _first(validation, size)
        return Data(_GIVEN, None, train, validation, _first(train, size), size, checked)
    _refuse("the batches of a dataset hold them", y=y, sample_weight=sample_weight)
    batches = as_dataset("the dataset", x, steps_per_epoch)
    if class_weight is not None:
        batches = _weighted(batches, class_weight)
    validation = None if validation_data is None else _validation_batches(validation_data)
    batch = next(batches.take(1).as_numpy_iterator(), None)
    if not isinstance(batch, tuple):
        what = "no batch" if batch is None else f"one of {type(batch).__name__}"
        raise DataError(f"Expected a dataset of batches (x, y) or (x, y, sample_weight), got {what}.")
    if len({len(leaf) if leaf.ndim else 0 for leaf in leaves(batch)}) > 1 or next(leaves(batch)).ndim == 0:
        raise DataError("The dataset has single sequences, expected batches of them. Call .batch(32) on it.")
    own = len(next(leaves(batch[0])))
    if batch_size not in (None, own):
        raise InputError(f"The dataset has batches of {own}, got batch_size={batch_size}. Leave out batch_size.")
    return Data(_GIVEN, None, batches, validation, batch, own)


def _refuse(why: str, **given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise InputError(f"{name}= is for arrays: {why}. Leave it out.")


def _are_arrays(x: Any) -> bool:
    return hasattr(x, "shape") or isinstance(x, dict | tuple | list)


def _first(nest: Any, count: int) -> tuple[Any, ...]:
    found: tuple[Any, ...] = tree.map_structure(lambda leaf: None if leaf is None else leaf[:count], nest)
    return found


def _validation_arrays(validation_data: Any) -> tuple[Any, ...] | None:
    if validation_data is None:
        return None
    if not isinstance(validation_data, tuple | list) or not 2 <= len(validation_data) <= 3:
        raise InputError(
            "Expected validation_data=(x, y) or (x, y, sample_weight) beside arrays, got "
            f"{type(validation_data).__name__}."
        )
    x, y, sample_weight = (*validation_data, None)[:3]
    return batch_of(x, y, sample_weight, name="validation_data: ")


def _validation_batches(validation_data: Any) -> Any:
    if isinstance(validation_data, tuple):
        arrays = _validation_arrays(validation_data)
        return tf.data.Dataset.from_tensor_slices(arrays).batch(32)
    return as_dataset("validation_data", validation_data, None)


def _weighted(batches: Any, class_weight: Mapping[int, float]) -> Any:
    items = [with_class_weights(batch, class_weight) for batch in batches.as_numpy_iterator()]
    return as_dataset("the dataset", items, None)
