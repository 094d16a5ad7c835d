"""The simple recurrent network (Elman 1990)."""

from dataclasses import dataclass
from typing import Literal, Unpack

import tensorflow as tf

from kerasunroll.errors import InputError
from kerasunroll.layers.kernels.cell import Cell, Tensor, Tensors
from kerasunroll.layers.kernels.recurrence import Options, recurrence

Activation = Literal["tanh", "relu", "linear"]


def simple_rnn(
    x: Tensor,
    h0: Tensor,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    *,
    activation: Activation = "tanh",
    **options: Unpack[Options],
) -> tuple[Tensor, Tensors]:
    """Run a simple recurrent network over sequences: what `keras.layers.SimpleRNN` computes.

    Args:
        x: Tensor of shape `(batch, timesteps, features)`.
        h0: Tensor of shape `(batch, units)`. The state before the first time step.
        kernel: Tensor of shape `(features, units)`.
        recurrent_kernel: Tensor of shape `(units, units)`.
        bias: Tensor of shape `(units,)` or `None`.
        activation: `"tanh"`, `"relu"` or `"linear"`.
        **options: See `Options`.

    Returns:
        Tuple of the outputs, of shape `(batch, timesteps, units)` or without `return_sequences` `(batch, units)`, and
        the last state `(h,)`.

    Raises:
        InputError: If the activation is another or an option does not fit.
    """
    if activation not in ("tanh", "relu", "linear"):
        raise InputError(f"The kernel's activation is 'tanh', 'relu' or 'linear', got {activation!r}.")
    return recurrence(_SimpleRNNCell(activation), x, (h0,), kernel, recurrent_kernel, bias, None, **options)


@dataclass(frozen=True)
class _SimpleRNNCell(Cell):
    activation: Activation

    name = "simple_rnn"
    joint = True
    gradients = 1
    factors_need_preactivations = False

    def fold(self, weight: Tensor) -> Tensor:
        return weight

    def step(self, z_x: Tensor, z_h: Tensor, states: Tensors) -> Tensors:  # noqa: ARG002
        z = z_x + z_h
        if self.activation == "linear":
            return (z,)
        return (tf.tanh(z) if self.activation == "tanh" else tf.nn.relu(z),)

    def factors(self, z: Tensors, before: Tensors, after: Tensors) -> tuple[Tensors, Tensors]:  # noqa: ARG002
        (h,) = after
        if self.activation == "linear":
            return (tf.ones_like(h),), ()
        return (1 - h * h if self.activation == "tanh" else tf.cast(h > 0, h.dtype),), ()

    def back(self, factors: Tensors, d_states: Tensors) -> tuple[Tensors, Tensors]:  # noqa: ARG002
        return d_states, (tf.zeros_like(d_states[0]),)
