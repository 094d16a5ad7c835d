"""Matrix products over all time steps of all sequences at once."""

import tensorflow as tf

from kerasunroll.layers.kernels.cell import Tensor


def product(rows: Tensor, weight: Tensor) -> Tensor:
    """Return `rows W` for rows of shape `(batch, timesteps, n)`."""
    result = tf.reshape(rows, (-1, rows.shape[2])) @ weight
    return tf.reshape(result, (tf.shape(rows)[0], rows.shape[1], weight.shape[1]))


def weight_gradient(rows: Tensor, d_z: Tensor) -> Tensor:
    """Return the sum over batch and time steps of `rows^T d_z`."""
    return tf.matmul(tf.reshape(rows, (-1, rows.shape[2])), tf.reshape(d_z, (-1, d_z.shape[2])), transpose_a=True)
