"""The forward and the backward pass of a cell through sequences; the latter written by hand.

Time is cut into chunks. What does not wait for the recurrence is done for all time steps of a chunk at once, in matrix
products: the input projection; on the way back the pre-activations again, and the gradients of weights and input. What
does wait goes through the chunk's time steps one by one. Only the states are kept for all time steps, and only they,
and the gradient with respect to the input, are written for all; whatever else there is is as large as a chunk. See
`docs/kernels.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import tensorflow as tf

from kerasunroll.layers.kernels import time_loop
from kerasunroll.layers.kernels.cell import Cell, Tensor, Tensors
from kerasunroll.layers.kernels.chunks import ChunkedTime, Span
from kerasunroll.layers.kernels.products import product, weight_gradient
from kerasunroll.layers.kernels.rows import Rows, RowsBefore, count_rows, empty


class Kept(NamedTuple):
    """What the backward pass needs of the forward pass.

    Args:
        after: Tuple of tensors of shape `(batch, timesteps, units)`. The states after each time step; where they are
            recomputed, the output only, and that only if it is wanted.
        entering: Tuple of tensors of shape `(batch, chunks, units)`. Where the states are recomputed, those that enter
            each chunk.
    """

    after: Tensors
    entering: Tensors


class Weights(NamedTuple):
    """A cell's weights, folded, in the order of Keras's layers.

    Args:
        kernel: Tensor of shape `(features, gates * units)`.
        recurrent: Tensor of shape `(units, gates * units)`.
        bias: Tensor of shape `(gates * units,)`, added to `x_t W`.
        recurrent_bias: Tensor of shape `(gates * units,)` or `None`, added to `h_{t-1} R`.
    """

    kernel: Tensor
    recurrent: Tensor
    bias: Tensor
    recurrent_bias: Tensor | None = None


@dataclass(frozen=True)
class Passes:
    """Both passes, for one kind of layer.

    Sequences are of shape `(batch, timesteps, n)`, states of shape `(batch, units)`.

    Args:
        cell: `Cell`. Its mathematics.
        length: Integer. Time steps in a chunk.
        steps: Integer or `None`. Time steps per iteration of a loop, which XLA is to compile; `None` lays all out.
        truncate: Integer k or `None`. No gradient goes back through the states that enter time steps k, 2k, ...
        recompute: Boolean. Whether only the states that enter a chunk are kept.
        keep_output: Boolean. Whether the output of all time steps is kept, also where the states are recomputed.
    """

    cell: Cell
    length: int
    steps: int | None
    truncate: int | None
    recompute: bool
    keep_output: bool

    def forward(
        self, x: Tensor, mask: Tensor | None, states: Tensors, weights: Weights, count: Tensor | None
    ) -> tuple[Tensors, Kept]:
        """Return the last states, and what the backward pass needs.

        Args:
            x: Tensor. The sequences.
            mask: Boolean tensor of shape `(batch, timesteps, 1)` or `None`.
            states: Tuple of tensors. The states before the first time step.
            weights: `Weights`.
            count: Scalar tensor or `None`. How many time steps there are; `None` for all rows of `x`.
        """
        time = self._time(x, count)
        keeps = len(states) if not self.recompute else int(self.keep_output)
        results = tuple(empty(each, count_rows(x)) for each in states[:keeps])
        if self.recompute:
            results += tuple(empty(each, -(-count_rows(x) // self.length)) for each in states)

        def chunk(number: Any, states: Tensors, results: Tensors) -> tuple[Tensors, Tensors]:
            span = time.span(number)
            z_x = Rows(product(Rows(x, span.start).chunk(self.length), weights.kernel), plus=weights.bias)
            masked = None if mask is None else Rows(mask, span.start)
            last, after = self._through(z_x, masked, states, weights, span, results[:keeps])
            entering = zip(states, results[keeps:], strict=False)
            return last, (*after[:keeps], *(time.put_one(*each, number) for each in entering))

        last, results = self._each(time, chunk, states, results)
        return last, Kept(results[:keeps], results[keeps:])

    def backward(
        self,
        kept: Kept,
        x: Tensor,
        mask: Tensor | None,
        states: Tensors,
        d_output: Tensor | None,
        d_last: Tensors,
        weights: Weights,
        transposed: Tensors,
        count: Tensor | None,
    ) -> tuple[Tensor, Tensors, Tensors]:
        """Return the gradients with respect to the sequences, the states before the first time step, and the weights.

        Those of the two kernels are one, of shape `(features + units, gates * units)`, where the cell is a joint one.

        Args:
            kept: `Kept`.
            x: As for `forward`.
            mask: As for `forward`.
            states: As for `forward`.
            d_output: Tensor or `None`. The gradient with respect to the output of all time steps.
            d_last: Tuple of tensors. The gradients with respect to the last states.
            weights: As for `forward`.
            transposed: Tuple of tensors: kernel and recurrent kernel, not folded, transposed.
            count: As for `forward`.
        """
        time, cell = self._time(x, count), self.cell
        joint = tf.concat([weights.kernel, weights.recurrent], axis=0) if cell.joint else None

        def chunk(number: Any, carried: tuple[Tensors, Tensors], results: Tensors) -> tuple[Any, Tensors]:
            d_states, d_weights = carried
            span = time.span(number)
            rows = Rows(x, span.start).chunk(self.length)
            masked = None if mask is None else Rows(mask, span.start)
            if self.recompute:
                z_x = Rows(product(rows, weights.kernel), plus=weights.bias)
                entering = tuple(each[:, number] for each in kept.entering)
                anew = tuple(empty(each, self.length) for each in states)
                _, again = self._through(z_x, masked, entering, weights, self._inside(span), anew)
                after, before = _rows(again, entering, 0)
            else:
                after, before = _rows(kept.after, states, span.start)
            h = before[0].chunk(self.length)
            z = self._preactivations(rows, h, weights, joint)
            d_rows = None if d_output is None else Rows(d_output, span.start)
            d_states, d_z = self._back_through(z, before, after, d_rows, d_states, transposed[1], masked, span)
            d_weights = tuple(a + b for a, b in zip(d_weights, self._weight_gradients(rows, h, d_z), strict=False))
            return (d_states, d_weights), (time.put(product(cell.input_part(d_z), transposed[0]), results[0], number),)

        d_weights = (joint, weights.bias) if cell.joint else [each for each in weights if each is not None]
        carried = (d_last, tuple(map(tf.zeros_like, d_weights)))
        (d_states, d_weights), (d_x,) = self._each(time, chunk, carried, (tf.zeros_like(x),), reverse=True)
        return d_x, d_states, d_weights

    def _through(
        self, z_x: Rows, mask: Rows | None, states: Tensors, weights: Weights, span: Span, results: Tensors
    ) -> tuple[Tensors, Tensors]:
        """Go through the time steps of a chunk; return the last states, and the results with those after each."""

        def step(row: Any, states: Tensors) -> tuple[Tensors, Tensors]:
            z_x, mask = row
            z_h = states[0] @ weights.recurrent
            if weights.recurrent_bias is not None:
                z_h = z_h + weights.recurrent_bias
            after = self.cell.step(z_x, z_h, states)
            if mask is not None:
                after = _where(mask, after, states)
            return after, after

        return self._through_time(step, states, (z_x, mask), span, results)

    def _back_through(
        self,
        z: Sequence[Rows],
        before: Sequence[RowsBefore],
        after: Sequence[Rows],
        d_output: Rows | None,
        d_states: Tensors,
        transposed: Tensor,
        mask: Rows | None,
        span: Span,
    ) -> tuple[Tensors, Tensor]:
        """Go back through a chunk; return the gradients of the states that enter it, and of the pre-activations."""
        cell = self.cell
        # For XLA, which makes one kernel of a time step's factors and their use, row by row: that saves the memory of
        # all of them. For TensorFlow, to which every operation is a cost, all rows at once.
        at_once = self.steps is None
        inputs: Any = (z, before, after)
        if at_once:
            to_z, to_states = cell.factors(*(tuple(each.chunk(self.length) for each in group) for group in inputs))
            inputs = (Rows(_concat(to_z)), tuple(Rows(each) for each in to_states))

        def step(row: Any, d_states: Tensors) -> tuple[Tensors, Tensors]:
            inputs, d_output, mask, uncut = row
            if d_output is not None:
                d_states = (d_states[0] + d_output, *d_states[1:])
            to_z, to_states = inputs if at_once else cell.factors(*inputs)
            times, direct = cell.back(to_states, d_states)
            d_z = _concat(times) * to_z if at_once else _concat([a * b for a, b in zip(times, to_z, strict=True)])
            if mask is not None:
                d_z = tf.where(mask, d_z, tf.zeros_like(d_z))
                direct = _where(mask, direct, d_states)
            d_before = (direct[0] + cell.recurrent_part(d_z) @ transposed, *direct[1:])
            if uncut is not None:
                d_before = tuple(each * uncut for each in d_before)
            return d_before, (d_z,)

        rows = (inputs, d_output, mask, self._uncut(span.start, transposed.dtype))
        d_z = empty(d_states[0], self.length, cell.gradients * transposed.shape[1])
        d_states, (d_z,) = self._through_time(step, d_states, rows, self._inside(span), (d_z,), reverse=True)
        return d_states, d_z

    def _preactivations(self, rows: Tensor, h: Tensor, weights: Weights, joint: Tensor | None) -> tuple[Rows, ...]:
        """Return what the factors of a chunk need of the pre-activations."""
        if not self.cell.factors_need_preactivations:
            return ()
        if joint is not None:
            return (Rows(product(tf.concat([rows, h], axis=-1), joint), plus=weights.bias),)
        z_h = Rows(product(h, weights.recurrent), plus=weights.recurrent_bias)
        return Rows(product(rows, weights.kernel), plus=weights.bias), z_h

    def _weight_gradients(self, rows: Tensor, h: Tensor, d_z: Tensor) -> Tensors:
        """Return a chunk's part in the gradients with respect to the weights."""
        if self.cell.joint:
            return weight_gradient(tf.concat([rows, h], axis=-1), d_z), tf.reduce_sum(d_z, axis=(0, 1))
        d_z_x, d_z_h = self.cell.input_part(d_z), self.cell.recurrent_part(d_z)
        total = tf.reduce_sum(d_z, axis=(0, 1))
        biases = self.cell.input_part(total), self.cell.recurrent_part(total)
        return weight_gradient(rows, d_z_x), weight_gradient(h, d_z_h), *biases

    def _time(self, x: Tensor, count: Tensor | None) -> ChunkedTime:
        return ChunkedTime(count_rows(x) if count is None else count, self.length)

    def _each(self, time: ChunkedTime, body: Any, carried: Any, results: Tensors, *, reverse: bool = False) -> Any:
        if self.steps is None:
            return time.laid_out(body, carried, results, reverse=reverse)
        return time.in_loop(body, carried, results, reverse=reverse)

    def _through_time(
        self, step: Any, states: Tensors, rows: Any, span: Span, results: Tensors, *, reverse: bool = False
    ) -> tuple[Tensors, Tensors]:
        if self.steps is not None:
            return time_loop.in_loop(step, states, rows, span, results, steps=self.steps, reverse=reverse)
        rows = tf.nest.map_structure(lambda each: None if each is None else each.chunk(self.length), rows)
        return time_loop.laid_out(step, states, rows, span, reverse=reverse)

    def _inside(self, span: Span) -> Span:
        """Return where in a chunk's own results its time steps are; laid out, they are still called after all."""
        return span if self.steps is None else replace(span, start=0)

    def _uncut(self, start: Tensor | int, dtype: Any) -> Rows | None:
        """Return 0 for the time steps of a chunk before which the gradient is cut, 1 for the others."""
        if self.truncate is None:
            return None
        t = start + tf.range(self.length)
        return Rows(tf.cast((t % self.truncate != 0) | (t == 0), dtype)[None, :, None], 0)


def _rows(after: Tensors, first: Tensors, start: Tensor | int) -> tuple[tuple[Rows, ...], tuple[RowsBefore, ...]]:
    """Return the rows of states from `start` on, and those before them."""
    before = tuple(RowsBefore(each, start, states) for each, states in zip(after, first, strict=True))
    return tuple(Rows(each, start) for each in after), before


def _where(mask: Tensor, new: Tensors, old: Tensors) -> Tensors:
    return tuple(tf.where(mask, a, b) for a, b in zip(new, old, strict=True))


def _concat(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis=-1)
