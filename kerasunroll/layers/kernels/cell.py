"""The mathematics of a cell, as the recurrence needs it."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

Tensor = Any
"""A `tf.Tensor`; TensorFlow is untyped."""

Tensors = tuple[Tensor, ...]


class Cell(ABC):
    """One time step forward, and one time step of the backward pass.

    A time step has the pre-activations `z_x = x_t W + b` and `z_h = h_{t-1} R + b_h`. In backward form it is linear in
    the gradients with respect to the states: what it multiplies them by, the *factors*, is known for all time steps
    before the backward recurrence begins.

    Weights come to the forward pass folded (`fold`), so that one tanh serves all gates:
    `sigmoid(a) = tanh(a / 2) / 2 + 1 / 2`.
    """

    name: ClassVar[str]
    factors_need_preactivations: ClassVar[bool] = True
    joint: ClassVar[bool] = False
    """Whether nothing but the sum of `z_x` and `z_h` counts, so that one product gives both."""
    gradients: ClassVar[int]
    """How wide the gradient with respect to the pre-activations is, in units."""

    @abstractmethod
    def fold(self, weight: Tensor) -> Tensor:
        """Return a weight of shape `(..., gates * units)` with the columns of sigmoid gates halved."""

    @abstractmethod
    def step(self, z_x: Tensor, z_h: Tensor, states: Tensors) -> Tensors:
        """Return the states after a time step; the first is the output. Shapes `(batch, ...)`."""

    @abstractmethod
    def factors(self, z: Tensors, before: Tensors, after: Tensors) -> tuple[Tensors, Tensors]:
        """Return the factors of the backward pass, for one time step or many: shapes `(..., batch, units)`.

        Args:
            z: `z_x` and `z_h`, of folded weights; where they are joint, their sum; nothing where it is not needed.
            before: The states that entered each time step.
            after: The states that left it.

        Returns:
            Tuple of those that give the gradient with respect to the pre-activations, one for each part of it, and of
            those that `back` needs.
        """

    @abstractmethod
    def back(self, factors: Tensors, d_states: Tensors) -> tuple[Tensors, Tensors]:
        """Take the gradients with respect to the states after a time step back to where they enter it.

        Args:
            factors: The second part of what `factors` gave.
            d_states: The gradients.

        Returns:
            Tuple of what the factors of each part of the pre-activations are multiplied by, and of the gradients with
            respect to the states before on their direct way: the one that does not lead through `z_h`.
        """

    def input_part(self, d_z: Tensor) -> Tensor:
        """Return the gradient with respect to `z_x`."""
        return d_z

    def recurrent_part(self, d_z: Tensor) -> Tensor:
        """Return the gradient with respect to `z_h`."""
        return d_z
