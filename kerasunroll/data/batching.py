"""Batches of arrays, in an order that depends on a seed alone."""

from collections.abc import Iterator
from itertools import chain, count, repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasunroll.backend import require_tensorflow
from kerasunroll.data.splits import Array

if TYPE_CHECKING:
    import tensorflow as tf


def shuffled_batches(arrays: Any, sequences: int, batch_size: int, *, seed: int, looks: int = 0) -> "tf.data.Dataset":
    """Return batches of one size, shuffled anew in every epoch; the sequences left over are dropped from it.

    Args:
        arrays: Arrays of `sequences` sequences each, nested as `fit` takes them.
        sequences: Integer.
        batch_size: Integer, from 1 to `sequences`.
        seed: Integer, at least 0. Fixes the order; TensorFlow's global seed does not matter.
        looks: Integer. How many passes are begun that are no epochs, before the first epoch. Defaults to 0.

    Returns:
        A `tf.data.Dataset`; one pass over it is one epoch.
    """
    require_tensorflow("Batches of a data source")
    import tensorflow as tf

    batches = sequences // batch_size
    rng = np.random.default_rng(seed)
    first = rng.permutation(sequences)
    orders = chain(repeat(first, looks + 1), (rng.permutation(sequences) for _ in count()))

    def epoch() -> Iterator[Array]:
        yield next(orders)[: batches * batch_size].reshape(batches, batch_size)

    # tf.data runs on the CPU: arrays put on a GPU would be copied back for every batch.
    with tf.device("CPU:0"):
        tensors = tf.nest.map_structure(tf.constant, arrays)
    # Dataset.shuffle would mix in the global seed, so the order comes from NumPy, once per epoch.
    indices = tf.data.Dataset.from_generator(
        epoch, output_signature=tf.TensorSpec((batches, batch_size), tf.int64)
    ).unbatch()
    return (
        indices.map(lambda index: tf.nest.map_structure(lambda tensor: tf.gather(tensor, index), tensors))
        .apply(tf.data.experimental.assert_cardinality(batches))
        .prefetch(tf.data.AUTOTUNE)
    )


def batches_in_order(arrays: Any, batch_size: int) -> "tf.data.Dataset":
    """Return the batches of arrays in order, complete; the last one may be smaller.

    Args:
        arrays: Arrays of one length, nested as `evaluate` takes them.
        batch_size: Integer, at least 1.
    """
    require_tensorflow("Batches of a data source")
    import tensorflow as tf

    with tf.device("CPU:0"):
        sequences = tf.data.Dataset.from_tensor_slices(arrays)
    return sequences.batch(batch_size).prefetch(tf.data.AUTOTUNE)
