"""The mathematics of a cell, as the recurrence needs it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
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

    @abstractmethod
    def fold(self, weight: Tensor) -> Tensor:
        """Return a weight of shape `(..., gates * units)` with the columns of sigmoid gates halved."""

    @abstractmethod
    def step(self, z_x: Tensor, z_h: Tensor, states: Tensors) -> Tensors:
        """Return the states after a time step; the first is the output. Shapes `(batch, ...)`."""

    def together(self, z_x: Tensor, z_h: Tensor) -> Tensors:
        """Return what `factors` needs of the pre-activations, of folded weights."""
        return z_x, z_h

    @abstractmethod
    def factors(self, z: Tensors, before: Tensors, after: Tensors) -> Tensors:
        """Return the factors of `back`, for one time step or many: shapes `(..., batch, n)`.

        Args:
            z: What `together` gave; nothing where the factors do not need it.
            before: The states that entered each time step.
            after: The states that left it.
        """

    @abstractmethod
    def back(self, factors: Tensors, d_states: Sequence[Tensor]) -> tuple[Tensor, Tensors]:
        """Return the gradients with respect to the pre-activations, and to the states before on their direct way.

        The direct way is the one that does not lead through `z_h`.
        """

    def input_part(self, d_z: Tensor) -> Tensor:
        """Return the gradient with respect to `z_x`."""
        return d_z

    def recurrent_part(self, d_z: Tensor) -> Tensor:
        """Return the gradient with respect to `z_h`."""
        return d_z
