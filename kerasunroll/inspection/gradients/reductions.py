"""Norms of tensors, in float64: the square of a vanishing float32 gradient is 0 long before the gradient is."""

from typing import Any

import tensorflow as tf


def norms_per_sample(values: Any) -> Any:
    """Return the Euclidean norm for each sample and time step: (B, T, ...) to (B, T)."""
    axes = list(range(2, values.shape.rank))
    return tf.sqrt(tf.reduce_sum(tf.square(tf.cast(values, tf.float64)), axis=axes))


def total_norm(values: Any) -> Any:
    """Return the Euclidean norm of a whole tensor, a scalar."""
    return tf.sqrt(tf.reduce_sum(tf.square(tf.cast(values, tf.float64))))


def at_least_float32(values: Any) -> Any:
    """Return float16 and bfloat16 values as float32, others as they are."""
    return tf.cast(values, tf.float32) if values.dtype.size < 4 else values


def loss_scale(model: Any, dtype: Any) -> Any:
    """Return the factor by which the model's optimiser scales the loss before the backward pass, a scalar."""
    one = tf.ones((), dtype)
    return one if model.optimizer is None else model.optimizer.scale_loss(one)
