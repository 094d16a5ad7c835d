"""A recurrence in TensorFlow's own operations, which can be differentiated any number of times.

It computes what the passes of `passes.py` compute, slower and with everything kept. Second derivatives, those of the
backward pass that is written by hand, go through it, and so do derivatives in forward mode.
"""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from kerasunroll.layers.kernels.cell import Cell, Tensor, Tensors
from kerasunroll.layers.kernels.passes import Weights
from kerasunroll.layers.kernels.rows import count_rows


@dataclass(frozen=True)
class PlainRecurrence:
    """A cell through time, for one kind of layer. Shapes are those of `Passes`.

    Args:
        cell: `Cell`. Its mathematics.
        laid_out: Boolean. Whether each time step is a set of operations of its own, rather than an iteration of a loop.
        truncate: Integer k or `None`. No gradient goes back through the states that enter time steps k, 2k, ...
        return_sequences: Boolean. Whether the output of all time steps is returned, or the last one.
    """

    cell: Cell
    laid_out: bool
    truncate: int | None
    return_sequences: bool

    def __call__(
        self, x: Tensor, mask: Tensor | None, states: Tensors, weights: Tensors, count: Tensor | None
    ) -> tuple[Tensor, ...]:
        """Return the output and the last states; arguments as for `Passes.forward`, but that weights are not folded."""
        folded = Weights(*map(self.cell.fold, weights))
        z_x = tf.tensordot(x, folded.kernel, axes=1) + folded.bias

        def step(t: Any, states: Tensors) -> Tensors:
            states = self._cut(t, states)
            z_h = states[0] @ folded.recurrent
            if folded.recurrent_bias is not None:
                z_h += folded.recurrent_bias
            after = self.cell.step(z_x[:, t], z_h, states)
            if mask is None:
                return after
            return tuple(tf.where(mask[:, t], new, old) for new, old in zip(after, states, strict=True))

        outputs, last = self._laid_out(step, states, x) if self.laid_out else self._loop(step, states, x, count)
        return (outputs if self.return_sequences else last[0]), *last

    def _laid_out(self, step: Any, states: Tensors, x: Tensor) -> tuple[Tensor, Tensors]:
        outputs = []
        for t in range(x.shape[1]):
            states = step(t, states)
            outputs.append(states[0])
        return tf.stack(outputs, axis=1), states

    def _loop(self, step: Any, states: Tensors, x: Tensor, count: Tensor | None) -> tuple[Tensor, Tensors]:
        rows = count_rows(x)
        steps = rows if count is None else count
        # Rows behind the last time step are zeros, as those of the passes.
        zeros = tf.zeros(tf.concat([[rows], tf.shape(states[0])], axis=0), states[0].dtype)
        outputs = tf.TensorArray(zeros.dtype, size=rows, element_shape=states[0].shape).unstack(zeros)

        def iterate(t: Tensor, states: Tensors, outputs: Any) -> tuple[Any, ...]:
            states = step(t, states)
            return t + 1, states, outputs.write(t, states[0])

        _, states, outputs = tf.while_loop(
            lambda t, *_: t < steps, iterate, (tf.constant(0), states, outputs), maximum_iterations=rows
        )
        over_time = outputs.stack()
        over_time.set_shape([x.shape[1], *states[0].shape])
        return tf.transpose(over_time, [1, 0, 2]), states

    def _cut(self, t: Any, states: Tensors) -> Tensors:
        if self.truncate is None:
            return states
        at_border = (t > 0) & (t % self.truncate == 0)
        if isinstance(t, int):
            return tuple(map(tf.stop_gradient, states)) if at_border else states
        return tuple(tf.where(at_border, tf.stop_gradient(each), each) for each in states)
