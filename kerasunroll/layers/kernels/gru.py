"""The gated recurrent unit (Cho et al. 2014), with the reset gate after the matrix product as in cuDNN."""

from dataclasses import dataclass
from typing import Unpack

import tensorflow as tf

from kerasunroll.layers.kernels.cell import Cell, Tensor, Tensors
from kerasunroll.layers.kernels.recurrence import Options, recurrence


def gru(
    x: Tensor,
    h0: Tensor,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    **options: Unpack[Options],
) -> tuple[Tensor, Tensors]:
    """Run a GRU over sequences: what `keras.layers.GRU` computes with `reset_after=True` and its default activations.

    Args:
        x: Tensor of shape `(batch, timesteps, features)`.
        h0: Tensor of shape `(batch, units)`. The state before the first time step.
        kernel: Tensor of shape `(features, 3 * units)`, gates in Keras's order: update, reset, candidate.
        recurrent_kernel: Tensor of shape `(units, 3 * units)`.
        bias: Tensor of shape `(2, 3 * units)`, for the input and for the recurrence, or `None`.
        **options: See `Options`.

    Returns:
        Tuple of the outputs, of shape `(batch, timesteps, units)` or without `return_sequences` `(batch, units)`, and
        the last state `(h,)`.

    Raises:
        InputError: If an option does not fit.
    """
    biases = (None, None) if bias is None else (bias[0], bias[1])
    return recurrence(_GRUCell(), x, (h0,), kernel, recurrent_kernel, *biases, **options)


@dataclass(frozen=True)
class _GRUCell(Cell):
    name = "gru"
    gradients = 4

    def fold(self, weight: Tensor) -> Tensor:
        z, r, n = tf.split(weight, 3, axis=-1)
        return tf.concat([z / 2, r / 2, n], axis=-1)

    def step(self, z_x: Tensor, z_h: Tensor, states: Tensors) -> Tensors:
        z, _, n = _gates(z_x, z_h)
        return (n + z * (states[0] - n),)

    def factors(self, z: Tensors, before: Tensors, after: Tensors) -> tuple[Tensors, Tensors]:  # noqa: ARG002
        z_x, z_h = z
        update, r, n = _gates(z_x, z_h)
        q = z_h[..., z_h.shape[-1] // 3 * 2 :]
        to_n = (1 - update) * (1 - n * n)
        to_update = (before[0] - n) * update * (1 - update)
        # Of z_h's gates, then the candidate's of z_x.
        return (to_update, to_n * q * r * (1 - r), to_n * r, to_n), (update,)

    def back(self, factors: Tensors, d_states: Tensors) -> tuple[Tensors, Tensors]:
        (d_h,) = d_states
        return (d_h,) * 4, (d_h * factors[0],)

    def input_part(self, d_z: Tensor) -> Tensor:
        z, r, _, n = tf.split(d_z, 4, axis=-1)
        return tf.concat([z, r, n], axis=-1)

    def recurrent_part(self, d_z: Tensor) -> Tensor:
        return d_z[..., : d_z.shape[-1] // 4 * 3]


def _gates(z_x: Tensor, z_h: Tensor) -> Tensors:
    """Return the gates z and r, and the candidate n."""
    gates = z_x.shape[-1] // 3 * 2
    z, r = tf.split(tf.tanh(z_x[..., :gates] + z_h[..., :gates]) / 2 + 0.5, 2, axis=-1)
    return z, r, tf.tanh(z_x[..., gates:] + r * z_h[..., gates:])
