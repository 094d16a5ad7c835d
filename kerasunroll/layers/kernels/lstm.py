"""The LSTM (Hochreiter & Schmidhuber 1997; with forget gate: Gers et al. 2000)."""

from dataclasses import dataclass
from typing import Unpack

import tensorflow as tf

from kerasunroll.layers.kernels.cell import Cell, Tensor, Tensors
from kerasunroll.layers.kernels.recurrence import Options, recurrence


def lstm(
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    **options: Unpack[Options],
) -> tuple[Tensor, Tensors]:
    """Run an LSTM over sequences: what `keras.layers.LSTM` computes with its default activations.

    Args:
        x: Tensor of shape `(batch, timesteps, features)`.
        h0: Tensor of shape `(batch, units)`. The hidden state before the first time step.
        c0: Tensor of shape `(batch, units)`. The cell state before the first time step.
        kernel: Tensor of shape `(features, 4 * units)`, gates in Keras's order: input, forget, cell, output.
        recurrent_kernel: Tensor of shape `(units, 4 * units)`.
        bias: Tensor of shape `(4 * units,)` or `None`.
        **options: See `Options`.

    Returns:
        Tuple of the outputs, of shape `(batch, timesteps, units)` or without `return_sequences` `(batch, units)`, and
        the last states `(h, c)`.

    Raises:
        InputError: If an option does not fit.
    """
    return recurrence(_LSTMCell(), x, (h0, c0), kernel, recurrent_kernel, bias, None, **options)


@dataclass(frozen=True)
class _LSTMCell(Cell):
    name = "lstm"
    joint = True
    gradients = 4

    def fold(self, weight: Tensor) -> Tensor:
        i, f, g, o = tf.split(weight, 4, axis=-1)
        return tf.concat([i / 2, f / 2, g, o / 2], axis=-1)

    def step(self, z_x: Tensor, z_h: Tensor, states: Tensors) -> Tensors:
        i, f, g, o = _gates(z_x + z_h)
        c = f * states[1] + i * g
        return o * tf.tanh(c), c

    def factors(self, z: Tensors, before: Tensors, after: Tensors) -> tuple[Tensors, Tensors]:
        i, f, g, o = _gates(z[0])
        tanh_c = tf.tanh(after[1])
        to_z = (g * i * (1 - i), before[1] * f * (1 - f), i * (1 - g * g), tanh_c * o * (1 - o))
        return to_z, (o * (1 - tanh_c * tanh_c), f)

    def back(self, factors: Tensors, d_states: Tensors) -> tuple[Tensors, Tensors]:
        to_c, f = factors
        d_h, d_c = d_states
        d_c = d_c + d_h * to_c
        return (d_c, d_c, d_c, d_h), (tf.zeros_like(d_h), d_c * f)


def _gates(z: Tensor) -> Tensors:
    i, f, g, o = tf.split(tf.tanh(z), 4, axis=-1)
    return i / 2 + 0.5, f / 2 + 0.5, g, o / 2 + 0.5
