"""Through time and back: one driver for all cells, with the backward pass written by hand.

Time is cut into a few *chunks*. What does not wait for the recurrence is done for a whole chunk at once, in
TensorFlow's own matrix products: the input projection, the pre-activations again on the way back, the gradients of
weights and inputs. What does wait, a loop over the chunk's time steps, is a function of its own that XLA compiles once
for all chunks and all layers of a shape, whatever T is. Two halves of the batch run side by side, so that a second core
has work while the first goes through time. See `docs/kernels.md`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypedDict

import tensorflow as tf

from kerasunroll.errors import InputError
from kerasunroll.layers.kernels.cell import Cell, Tensor, Tensors
from kerasunroll.layers.kernels.chunks import CHUNKS, ChunkedTime
from kerasunroll.layers.kernels.time_loop import time_loop


class Options(TypedDict, total=False):
    """How a recurrence runs; none of it but `mask`, `go_backwards` and `truncate` changes what it computes.

    Args:
        mask: Boolean tensor of shape `(batch, timesteps)` or `None`. At a masked time step the states stay, and the
            output is the previous one, before the first unmasked time step zeros, as in Keras's loop.
        go_backwards: Boolean. From the last time step to the first; outputs come in that order.
        steps_per_iteration: Integer or `None`. Time steps in an iteration of the loop (default 1); `None` lays all of
            them out, and needs a known number of time steps.
        truncate: Integer k or `None`. No gradient goes back through the states that enter time steps k, 2k, ...
            (truncated backpropagation through time: Williams & Peng 1990).
        segment: Integer or `None`. Keep only the states every so many time steps, and recompute what lies between
            on the way back (Chen et al. 2016).
        return_sequences: Boolean. All outputs (default) or the last one.
        compiled: Boolean. Have XLA compile the loops (default). Where all time steps are laid out there is none.
    """

    mask: Tensor | None
    go_backwards: bool
    steps_per_iteration: int | None
    truncate: int | None
    segment: int | None
    return_sequences: bool
    compiled: bool


def recurrence(  # noqa: D417
    cell: Cell,
    x: Tensor,
    states: Tensors,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    recurrent_bias: Tensor | None,
    *,
    mask: Tensor | None = None,
    go_backwards: bool = False,
    steps_per_iteration: int | None = 1,
    truncate: int | None = None,
    segment: int | None = None,
    return_sequences: bool = True,
    compiled: bool = True,
) -> tuple[Tensor, Tensors]:
    """Run a cell over sequences.

    Args:
        cell: `Cell`. Its mathematics.
        x: Tensor of shape `(batch, timesteps, features)`.
        states: Tuple of tensors of shape `(batch, units)`, the output's first.
        kernel: Tensor of shape `(features, gates * units)`.
        recurrent_kernel: Tensor of shape `(units, gates * units)`.
        bias: Tensor of shape `(gates * units,)` or `None`, added to `x_t W`.
        recurrent_bias: Tensor of shape `(gates * units,)` or `None`, added to `h_{t-1} R`.

    What can be named is described in `Options`.

    Returns:
        Tuple of the outputs and the last states.

    Raises:
        InputError: If an option does not fit, or a second derivative is asked for.
    """
    for name, value in {"steps_per_iteration": steps_per_iteration, "truncate": truncate, "segment": segment}.items():
        if value is not None and value < 1:
            raise InputError(f"Expected {name} to be None or an integer of at least 1, got {value!r}.")
    if steps_per_iteration is None and x.shape[1] is None:
        raise InputError(
            "All time steps can be laid out only where their number is known, got x of shape "
            f"{tuple(x.shape)}; take an integer steps_per_iteration, or give the model's input a fixed length."
        )
    with tf.name_scope(f"fast_{cell.name}"):
        if go_backwards:
            x, mask = (None if each is None else tf.reverse(each, [1]) for each in (x, mask))
        if bias is None:
            bias = tf.zeros(kernel.shape[1:], kernel.dtype)
        compiled = compiled and steps_per_iteration is not None
        run = _Recurrence(
            cell=cell,
            time=ChunkedTime.of(x, kernel.shape[1], segment),
            steps=steps_per_iteration,
            truncate=truncate,
            recompute=segment is not None,
            return_sequences=return_sequences,
            compiled=compiled,
            # What is laid out shows each time step once; what is recomputed is to take little memory first of all.
            halved=compiled and segment is None and x.shape[0] != 1,
        )
        weights = (kernel, recurrent_kernel, bias) + (() if recurrent_bias is None else (recurrent_bias,))
        outputs, states = run(x, states, weights, mask)
        if mask is not None:
            seen = tf.cumsum(tf.cast(mask, tf.int32), axis=1) > 0
            seen = seen[..., None] if return_sequences else seen[:, -1:]
            outputs = tf.where(seen, outputs, tf.zeros_like(outputs))
        return outputs, states


@dataclass(frozen=True)
class _Kept:
    """States that the backward pass needs, by the number of their chunk."""

    borders: Tensors
    """Those that enter a chunk."""
    after: Tensors
    """Those after each time step, but for what is recomputed, and for the first where all outputs are returned."""


@dataclass(frozen=True)
class _Recurrence:
    """One way of running a cell, for one number of time steps."""

    cell: Cell
    time: ChunkedTime
    steps: int | None
    truncate: int | None
    recompute: bool
    return_sequences: bool
    compiled: bool
    halved: bool

    def __call__(self, x: Tensor, states: Tensors, weights: Tensors, mask: Tensor | None) -> tuple[Tensor, Tensors]:
        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def run(x: Tensor, states: Tensors, weights: Tensors) -> tuple[Any, Callable[..., Any]]:
            forward = [self._forward(*half, weights=weights) for half in self._halves((x, mask, states))]
            results, kept = zip(*forward, strict=True)
            output, *last = _join(results)

            def gradient(*upstream: Tensor) -> Any:
                with tf.name_scope(f"fast_{self.cell.name}"):
                    halves = zip(kept, self._halves((x, mask, output, *upstream)), strict=True)
                    gradients = [self._backward(each, *half, weights=weights) for each, half in halves]
                d_x, d_states, d_weights = zip(*gradients, strict=True)
                d_weights = tf.nest.map_structure(lambda *each: tf.add_n(each), *d_weights)
                # All that they depend on, so that whoever differentiates by any of it meets the refusal; one by one,
                # so that one which nobody asks for is not computed.
                depends = (x, *states, *weights, *upstream)
                return [_once(each, *depends) for each in (_join(d_x), *_join(d_states), *d_weights)]

            return (output, *last), gradient

        if mask is not None:
            mask = mask[..., None]
        # Stateful layers hand over their variables, which are assigned anew before the way back reads the states.
        outputs, *last = run(x, tuple(map(tf.convert_to_tensor, states)), weights)
        return outputs, tuple(last)

    def _halves(self, tensors: Any) -> list[Any]:
        """Return nested tensors as two halves of the batch, where these are to run side by side."""
        if not self.halved:
            return [tensors]
        flat = [(None, None) if each is None else _cut_in_two(each) for each in tf.nest.flatten(tensors)]
        return [tf.nest.pack_sequence_as(tensors, half) for half in zip(*flat, strict=True)]

    def _forward(self, x: Tensor, mask: Tensor | None, states: Tensors, *, weights: Tensors) -> tuple[Tensors, _Kept]:
        """Return the outputs with the last states, and what the backward pass needs."""
        time = self.time
        kernel, recurrent, bias, recurrent_bias = self._folded(weights)
        loop = _forward_loop(self.cell, self.steps, self.compiled)

        def chunk(number: Any, states: Tensors) -> tuple[Tensors, Tensors]:
            z_x = _product(time.chunk(x, number), kernel, bias)
            masked = None if mask is None else time.chunk(mask, number)
            after, rows = loop(z_x, states, recurrent, recurrent_bias, masked, *self._place(number))
            # With recomputation only what is returned is kept.
            return after, (*states, *(rows[: int(self.return_sequences)] if self.recompute else rows))

        last, results = time.each(chunk, states, laid_out=self._laid_out)
        borders, after = results[: len(states)], results[len(states) :]
        output = last[0]
        if self.return_sequences:
            output, after = time.join(after[0]), after[1:]
        return (output, *last), _Kept(borders, after)

    def _backward(
        self,
        kept: _Kept,
        x: Tensor,
        mask: Tensor | None,
        output: Tensor,
        d_output: Tensor,
        *d_last: Tensor,
        weights: Tensors,
    ) -> tuple[Tensor, Tensors, Tensors]:
        """Return the gradients with respect to input, initial states and weights."""
        time, cell = self.time, self.cell
        kernel, recurrent, bias, recurrent_bias = self._folded(weights)
        forward = _forward_loop(cell, self.steps, self.compiled)
        backward = _backward_loop(cell, self.steps, self.compiled)
        if not self.return_sequences:
            d_last = (d_last[0] + d_output, *d_last[1:])

        def chunk(number: Any, carried: tuple[Tensors, Tensors]) -> tuple[Any, Tensors]:
            d_states, d_weights = carried
            place = self._place(number)
            masked = None if mask is None else time.chunk(mask, number)
            # Not before the gradient is here: that would hold all chunks of all layers at once.
            with tf.control_dependencies([d_output, *d_states]):
                rows = time.chunk(x, number)
                states = tuple(each[number] for each in kept.borders)
                z_x = None
                if self.recompute or cell.factors_need_preactivations:
                    z_x = _product(rows, kernel, bias)
                if self.recompute:
                    _, after = forward(z_x, states, recurrent, recurrent_bias, masked, *place)
                else:
                    after = tuple(each[number] for each in kept.after)
                    if self.return_sequences:
                        after = (time.chunk(output, number), *after)
                before = tuple(tf.concat([a[None], b[:-1]], axis=0) for a, b in zip(states, after, strict=True))
                z: Tensors = ()
                if cell.factors_need_preactivations:
                    z = cell.together(z_x, _product(before[0], recurrent, recurrent_bias))
            # Zeros where only the last output counts, so that both kinds of layers share one compiled function.
            d_rows = time.chunk(d_output, number) if self.return_sequences else tf.zeros_like(after[0])
            uncut = self._uncut(number, x.dtype)
            d_states, d_z = backward(z, before, after, d_rows, d_states, weights[1], masked, uncut, *place)
            d_z_x, d_z_h = cell.input_part(d_z), cell.recurrent_part(d_z)
            gradients = (
                _weight_gradient(rows, d_z_x),
                _weight_gradient(before[0], d_z_h),
                tf.reduce_sum(d_z_x, axis=(0, 1)),
                tf.reduce_sum(d_z_h, axis=(0, 1)),
            )
            d_weights = tuple(total + each for total, each in zip(d_weights, gradients, strict=False))
            return (d_states, d_weights), (_product(d_z_x, tf.transpose(weights[0])),)

        start = (d_last, tuple(tf.zeros_like(each) for each in weights))
        (d_states, d_weights), (d_x,) = time.each(chunk, start, laid_out=self._laid_out, reverse=True)
        return time.join(d_x), d_states, d_weights

    @property
    def _laid_out(self) -> bool:
        """Whether the chunks stand side by side in the graph."""
        return self.steps is None or (isinstance(self.time.chunks, int) and self.time.chunks <= CHUNKS)

    def _folded(self, weights: Tensors) -> Sequence[Tensor | None]:
        folded = [self.cell.fold(each) for each in weights]
        return folded if len(folded) == 4 else [*folded, None]

    def _place(self, number: Tensor | int) -> tuple[Tensor | None, int]:
        """Return how many time steps a chunk has, and the first one's number for its name."""
        if self.steps is None:
            first = number * self.time.length
            return min(self.time.length, self.time.steps - first), first
        return self.time.count(number), 0

    def _uncut(self, number: Tensor | int, dtype: Any) -> Tensor | None:
        """Return 0 for the time steps of a chunk before which the gradient is cut, 1 for the others."""
        if self.truncate is None:
            return None
        t = number * self.time.length + tf.range(self.time.length)
        return tf.cast((t % self.truncate != 0) | (t == 0), dtype)[:, None, None]


@cache
def _forward_loop(cell: Cell, steps: int | None, compiled: bool) -> Callable[..., tuple[Tensors, Tensors]]:
    """Return the part of a chunk's forward pass that goes through time.

    One for all layers, so that those of the same shapes are compiled once.
    """

    def loop(
        z_x: Tensor,
        states: Tensors,
        recurrent: Tensor,
        recurrent_bias: Tensor | None,
        mask: Tensor | None,
        count: Tensor | int | None,
        first: int,
    ) -> tuple[Tensors, Tensors]:
        def step(row: Any, states: Tensors) -> tuple[Tensors, Tensors]:
            z_h = states[0] @ recurrent
            if recurrent_bias is not None:
                z_h = z_h + recurrent_bias
            z_x, mask = row
            after = cell.step(z_x, z_h, states)
            if mask is not None:
                after = _where(mask, after, states)
            return after, after

        return time_loop(step, states, (z_x, mask), count=count, steps=steps, first=first)

    return _compile(loop) if compiled else loop


@cache
def _backward_loop(cell: Cell, steps: int | None, compiled: bool) -> Callable[..., tuple[Tensors, Tensor]]:
    """Return the part of a chunk's backward pass that goes through time."""

    def loop(
        z: Tensors,
        before: Tensors,
        after: Tensors,
        d_output: Tensor,
        d_states: Tensors,
        recurrent: Tensor,
        mask: Tensor | None,
        uncut: Tensor | None,
        count: Tensor | int | None,
        first: int,
    ) -> tuple[Tensors, Tensor]:
        transposed = tf.transpose(recurrent)
        # For XLA, which makes one kernel of a time step's factors and their use, row by row: that saves the memory of
        # all of them. For TensorFlow, to which every operation is a cost, all rows at once.
        inputs = (z, before, after) if compiled else cell.factors(z, before, after)

        def step(row: Any, d_states: Tensors) -> tuple[Tensors, Tensors]:
            inputs, d_output, mask, uncut = row
            d_states = (d_states[0] + d_output, *d_states[1:])
            d_z, direct = cell.back(cell.factors(*inputs) if compiled else inputs, d_states)
            if mask is not None:
                d_z = tf.where(mask, d_z, tf.zeros_like(d_z))
                direct = _where(mask, direct, d_states)
            d_before = (direct[0] + cell.recurrent_part(d_z) @ transposed, *direct[1:])
            if uncut is not None:
                d_before = tuple(each * uncut for each in d_before)
            return d_before, (d_z,)

        inputs = (inputs, d_output, mask, uncut)
        d_states, (d_z,) = time_loop(step, d_states, inputs, count=count, steps=steps, reverse=True, first=first)
        return d_states, d_z

    return _compile(loop) if compiled else loop


def _compile(loop: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = tf.function(loop, jit_compile=True, autograph=False)
    return compiled


def _cut_in_two(batch: Tensor) -> Sequence[Tensor]:
    size = batch.shape[0] or tf.shape(batch)[0]
    halves: Sequence[Tensor] = tf.split(batch, [size - size // 2, size // 2])
    return halves


def _join(parts: Sequence[Any]) -> Any:
    """Return one batch of nested tensors of parts of it."""
    return parts[0] if len(parts) == 1 else tf.nest.map_structure(lambda *each: tf.concat(each, axis=0), *parts)


def _where(mask: Tensor, new: Tensors, old: Tensors) -> Tensors:
    return tuple(tf.where(mask, a, b) for a, b in zip(new, old, strict=True))


def _product(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return `rows W + b` for rows of shape `(timesteps, batch, n)`, as one matrix product."""
    product = tf.reshape(rows, (-1, rows.shape[2])) @ weight
    if bias is not None:
        product = tf.nn.bias_add(product, bias)
    return tf.reshape(product, (rows.shape[0], tf.shape(rows)[1], weight.shape[1]))


def _weight_gradient(rows: Tensor, d_z: Tensor) -> Tensor:
    """Return the sum over time steps and batch of `rows^T d_z`, as one matrix product."""
    return tf.matmul(tf.reshape(rows, (-1, rows.shape[2])), tf.reshape(d_z, (-1, d_z.shape[2])), transpose_a=True)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _once(gradient: Tensor, *_: Tensor) -> tuple[Tensor, Callable[..., Any]]:
    """Return a gradient that cannot be differentiated by what it depends on."""
    return tf.identity(gradient), _refuse


def _refuse(*_: Tensor) -> None:
    raise InputError(
        "The fast kernels have no second derivative. Take Keras's own layer: it has the same weights in the same order."
    )
