"""The backward pass, made differentiable: where it is asked for, its derivative is that of plain operations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from kerasunroll.layers.kernels.cell import Tensor, Tensors
from kerasunroll.layers.kernels.plain import PlainRecurrence


@dataclass(frozen=True)
class BackwardPassAgain:
    """The backward pass of a recurrence as a function of all that it depends on, in plain operations.

    Args:
        plain: `PlainRecurrence`.
        mask: As for `Passes.forward`.
        count: As for `Passes.forward`.
        given: Tuple of the sequences, the states before the first time step, the weights, and the gradients with
            respect to the output and to the last states.
    """

    plain: PlainRecurrence
    mask: Tensor | None
    count: Tensor | None
    given: tuple[Tensor, Tensors, Tensors, Tensor, Tensors]

    def differentiable(self, gradients: Sequence[Tensor], first: int) -> list[Tensor]:
        """Return gradients as they are, but such that they can be differentiated by all that they depend on.

        Args:
            gradients: List of gradients that the kernels computed, by some of sequences, states and weights.
            first: Integer. The place of the first of them in that order.
        """
        depends = tf.nest.flatten(self.given)
        here = slice(first, first + len(gradients))

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def handed_over(*tensors: Tensor) -> tuple[list[Tensor], Callable[..., Any]]:
            computed, depends = tensors[: len(gradients)], tensors[len(gradients) :]

            def second(*upstream: Tensor) -> list[Any]:
                return [None] * len(gradients) + self._second(depends, here, upstream)

            return [tf.identity(each) for each in computed], second

        results: list[Tensor] = handed_over(*gradients, *depends)
        return results

    def _second(self, depends: Sequence[Tensor], here: slice, upstream: Sequence[Tensor]) -> list[Tensor]:
        """Return the derivatives of some gradients by all that they depend on, weighted by `upstream`."""
        with tf.GradientTape() as outer:
            outer.watch(depends)
            x, states, weights, d_output, d_last = tf.nest.pack_sequence_as(self.given, list(depends))
            with tf.GradientTape() as inner:
                sources = [x, *states, *weights]
                inner.watch(sources)
                results = self.plain(x, self.mask, states, weights, self.count)
            gradients = inner.gradient(
                results, sources, output_gradients=[d_output, *d_last], unconnected_gradients="zero"
            )[here]
        second: list[Tensor] = outer.gradient(
            gradients, list(depends), output_gradients=list(upstream), unconnected_gradients="zero"
        )
        return second
