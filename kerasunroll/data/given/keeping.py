"""Writing data that were given in Python into a folder."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from kerasunroll.data.given.facts import FACTS_FILE, GivenFacts
from kerasunroll.data.given.nests import as_arrays, leaves, structure_of
from kerasunroll.errors import DataError
from kerasunroll.files import write_whole, written_whole
from kerasunroll.units import format_count

PARTS: Final = ("train", "validation")


def batch_of(x: Any, y: Any, sample_weight: Any, name: str = "") -> tuple[Any, ...]:
    """Return `(x, y, sample_weight)` as nested arrays, without what is `None` at the end.

    Args:
        x: Inputs, nested as `fit` takes them.
        y: Targets, or `None`.
        sample_weight: Weights, or `None`.
        name: String. What the three are called, for the errors, such as `"validation_data: "`.

    Raises:
        DataError: If something is no array, is empty, or they differ in the number of sequences.
    """
    batch = {f"{name}x": x, f"{name}y": y, f"{name}sample_weight": sample_weight}
    arrays = {key: as_arrays(key, value) for key, value in batch.items()}
    lengths = {key: {_length(key, leaf) for leaf in leaves(value)} for key, value in arrays.items()}
    if not lengths[f"{name}x"]:
        raise DataError(f"{name}x is empty: expected arrays of sequences.")
    if len(set().union(*lengths.values())) > 1:
        found = ", ".join(f"{key} has {' and '.join(map(str, sorted(each)))}" for key, each in lengths.items() if each)
        raise DataError(f"All arrays must have the same number of sequences, but {found}.")
    values = list(arrays.values())
    while values[-1] is None:
        values.pop()
    return tuple(values)


def keep_arrays(folder: Path, train: tuple[Any, ...], validation: tuple[Any, ...] | None) -> GivenFacts:
    """Write arrays, of which batches are made, and return what is known of them.

    Args:
        folder: Path. It is made.
        train: What `batch_of` returned.
        validation: Likewise, or `None`.

    Raises:
        InputError: If the folder cannot be written to.
        RunError: If writing failed, such as on a full disk.
    """
    for part, nest in zip(PARTS, (train, validation), strict=True):
        if nest is not None:
            with written_whole(folder / f"{part}.npz") as temporary, temporary.open("wb") as file:
                np.savez(file, *leaves(nest))
    first = next(leaves(train[0]))
    sequences = len(first)
    validated = len(next(leaves(validation[0]))) if validation else 0
    shapes = ", ".join(str(leaf.shape[1:]) for leaf in leaves(train[0]))
    facts = GivenFacts.with_checksums(
        folder,
        kind="arrays",
        description=f"given in Python: {format_count(sequences)} training and {format_count(validated)} validation "
        f"sequences of shape {shapes}",
        training_sequences=sequences,
        validation_sequences=validated,
        input_shape=first.shape[1:],
        structure={
            part: structure_of(nest) for part, nest in zip(PARTS, (train, validation), strict=True) if nest is not None
        },
    )
    write_whole(folder / FACTS_FILE, facts.model_dump_json(indent=1) + "\n")
    return facts


def keep_batches(folder: Path, train: Any, validation: Any = None) -> GivenFacts:
    """Write one epoch of batches, and return what is known of them.

    Args:
        folder: Path. It is made.
        train: A `tf.data.Dataset` of batches of a finite number: see `as_dataset`.
        validation: Likewise, or `None`.

    Raises:
        DataError: If there is no batch, or an element is none.
    """
    batches, batch_size, shapes = 0, 0, [()]
    sizes = []
    for part, dataset in zip(PARTS, (train, validation), strict=True):
        if dataset is None:
            sizes.append(0)
            continue
        dataset.save(str(folder / part))
        count, sequences, first = _measured(_load(folder / part))
        sizes.append(sequences)
        if part == "train":
            batches, batch_size, shapes = count, len(first[0]), [leaf.shape[1:] for leaf in first]
    facts = GivenFacts.with_checksums(
        folder,
        kind="batches",
        description=f"given in Python: {format_count(batches)} training batches of {batch_size} sequences of shape "
        f"{', '.join(map(str, shapes))}, and {format_count(sizes[1])} validation sequences",
        training_sequences=batches * batch_size,
        validation_sequences=sizes[1],
        batch_size=batch_size,
        input_shape=shapes[0],
    )
    write_whole(folder / FACTS_FILE, facts.model_dump_json(indent=1) + "\n")
    return facts


def as_dataset(name: str, batches: Any, steps: int | None) -> Any:
    """Return batches as a `tf.data.Dataset` of a finite number.

    Args:
        name: String. What they are called, for the errors.
        batches: A `tf.data.Dataset`, a `keras.utils.PyDataset` or another iterable of `(x, y)` or
            `(x, y, sample_weight)`.
        steps: Integer, how many of them make an epoch, or `None`: all.

    Raises:
        DataError: If there are infinitely many, or they are no batches.
    """
    import keras
    import tensorflow as tf

    if isinstance(batches, tf.data.Dataset):
        if steps is None and int(batches.cardinality()) == tf.data.INFINITE_CARDINALITY:
            raise DataError(f"{name} never ends. Say how many batches make an epoch: steps_per_epoch=.")
        return batches if steps is None else batches.take(steps)
    if isinstance(batches, keras.utils.PyDataset):
        number = steps or batches.num_batches
        if number is None:
            raise DataError(f"{name} never ends. Say how many batches make an epoch: steps_per_epoch=.")
        items: Iterator[Any] = (batches[index] for index in range(number))
    elif isinstance(batches, Iterable):
        items = islice(iter(batches), steps)
    else:
        raise DataError(
            f"{name}: expected arrays, a tf.data.Dataset, a keras.utils.PyDataset or another iterable of batches, got "
            f"{type(batches).__name__}."
        )
    made = [_batch(name, item) for item in items]  # an epoch of them is kept on the disk anyway
    if not made:
        raise DataError(f"{name} has no batch. Give at least one.")
    signature = tf.nest.map_structure(lambda leaf: tf.TensorSpec((None, *leaf.shape[1:]), leaf.dtype), made[0])
    return tf.data.Dataset.from_generator(lambda: iter(made), output_signature=signature)


def _batch(name: str, item: Any) -> tuple[Any, ...]:
    if not isinstance(item, tuple | list) or not 1 <= len(item) <= 3:
        raise DataError(f"{name}: expected batches (x, y) or (x, y, sample_weight), got {type(item).__name__}.")
    x, y, sample_weight = (*item, None, None)[:3]
    return batch_of(x, y, sample_weight, name=f"a batch of {name}: ")


def _load(path: Path) -> Any:
    import tensorflow as tf

    return tf.data.Dataset.load(str(path))


def _measured(dataset: Any) -> tuple[int, int, list[Any]]:
    """Return how many batches and sequences there are, and the inputs of the first batch."""
    count, sequences = 0, 0
    first: list[Any] = []
    for batch in dataset.as_numpy_iterator():
        if not isinstance(batch, tuple):
            raise DataError(
                f"Expected a dataset of batches (x, y) or (x, y, sample_weight), got one of {type(batch).__name__}."
            )
        inputs = list(leaves(batch[0]))
        if not inputs or inputs[0].ndim == 0:
            raise DataError("Expected a dataset of batches, got single numbers. Call .batch(...) on it.")
        first = first or inputs
        count, sequences = count + 1, sequences + len(inputs[0])
    if not count:
        raise DataError("The dataset has no batch. Give at least one.")
    return count, sequences, first


def _length(name: str, array: Any) -> int:
    if array.ndim == 0:
        raise DataError(f"{name} is a single number, expected an array of sequences.")
    if not len(array):
        raise DataError(f"{name} is empty: expected at least one sequence.")
    return len(array)
