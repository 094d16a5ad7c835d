"""Through time and back as one operation that can be differentiated, with the backward pass written by hand.

The two passes stand in `passes.py`. Here they are put together: in loops, each is a function that XLA compiles, once
for all layers of a shape, and two halves of the batch run side by side, so that a second core has work while the first
goes through time. See `docs/kernels.md`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple, TypedDict

import tensorflow as tf
from tensorflow.python.eager import forwardprop_util, record

from kerasunroll.errors import InputError
from kerasunroll.layers.kernels.cell import Cell, Tensor, Tensors
from kerasunroll.layers.kernels.chunks import chunk_length, filled_up
from kerasunroll.layers.kernels.passes import Passes, Weights
from kerasunroll.layers.kernels.plain import PlainRecurrence
from kerasunroll.layers.kernels.second import BackwardPassAgain


class Options(TypedDict, total=False):
    """How a recurrence runs; none of it but `mask`, `go_backwards` and `truncate` changes what it computes.

    Args:
        mask: Boolean tensor of shape `(batch, timesteps)` or `None`. At a masked time step the states stay, and the
            output is the previous one, before the first unmasked time step zeros, as in Keras's loop.
        go_backwards: Boolean. From the last time step to the first; outputs come in that order.
        steps_per_iteration: Integer or `None`. Time steps in an iteration of the loop (default 1), which XLA compiles;
            `None` lays all of them out, and needs a known number of time steps.
        truncate: Integer k or `None`. No gradient goes back through the states that enter time steps k, 2k, ...
            (truncated backpropagation through time: Williams & Peng 1990).
        segment: Integer or `None`. Keep only the states every so many time steps, and recompute what lies between
            on the way back (Chen et al. 2016).
        return_sequences: Boolean. All outputs (default) or the last one.
    """

    mask: Tensor | None
    go_backwards: bool
    steps_per_iteration: int | None
    truncate: int | None
    segment: int | None
    return_sequences: bool


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
        InputError: If an option does not fit.
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
        batch, timesteps, _ = x.shape
        if steps_per_iteration is not None and timesteps is not None:
            steps_per_iteration = min(steps_per_iteration, timesteps)
        passes = Passes(
            cell=cell,
            length=chunk_length(batch, timesteps, segment, steps_per_iteration or 1),
            steps=steps_per_iteration,
            truncate=truncate,
            recompute=segment is not None,
            # Kept anyway where nothing is recomputed, so that one function serves both kinds of layers.
            keep_output=return_sequences or segment is None,
        )
        weights = Weights(kernel, recurrent_kernel, bias, recurrent_bias)
        outputs, states = _Recurrence(passes, return_sequences)(x, states, weights, mask)
        if mask is not None:
            seen = tf.cumsum(tf.cast(mask, tf.int32), axis=1) > 0
            seen = seen[..., None] if return_sequences else seen[:, -1:]
            outputs = tf.where(seen, outputs, tf.zeros_like(outputs))
        return outputs, states


@dataclass(frozen=True)
class _Recurrence:
    """Both passes as one operation that can be differentiated, with halves of the batch side by side."""

    passes: Passes
    return_sequences: bool

    def __call__(self, x: Tensor, states: Tensors, weights: Weights, mask: Tensor | None) -> tuple[Tensor, Tensors]:
        timesteps = tf.shape(x)[1]
        count = timesteps if x.shape[1] is None else None
        plain = PlainRecurrence(self.passes.cell, not self._in_loops, self.passes.truncate, self.return_sequences)
        forward: Callable[..., Any] = _compiled(self.passes).forward if self._in_loops else self.passes.forward

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def run(x: Tensor, states: Tensors, *weights: Tensor) -> tuple[Any, Callable[..., Any]]:
            folded = Weights(*map(self.passes.cell.fold, weights))
            with record.stop_recording():
                halves = [forward(*half, folded, count) for half in self._halves((x, mask, states))]
            last, kept = zip(*halves, strict=True)
            output = _join([each.after[0] for each in kept] if self.return_sequences else [h for h, *_ in last])

            def gradient(d_output: Tensor, *d_last: Tensor) -> Any:
                here = _taken((kept, output, x, mask, states, weights, folded, count))
                with record.stop_recording():
                    gradients = self._gradients(here, d_output, d_last)
                again = BackwardPassAgain(plain, mask, count, (x, states, weights, d_output, d_last))
                # That of the sequences apart: the first layer of a network does not ask for it.
                return [*again.differentiable(gradients[:1], first=0), *again.differentiable(gradients[1:], first=1)]

            return (output, *_join(last)), gradient

        if mask is not None:
            mask = mask[..., None]
        if count is not None:
            # XLA compiles anew for another number of rows; how many of them are time steps does not matter to it.
            x, mask = (None if each is None else filled_up(each, self.passes.length) for each in (x, mask))
        # Stateful layers hand over their variables, which are assigned anew before the way back reads the states.
        states = tuple(map(tf.convert_to_tensor, states))
        used = tuple(each for each in weights if each is not None)
        if _in_forward_mode(x, *states, *used):
            # TensorFlow's loops have no derivative in forward mode inside a tf.function.
            outputs, *last = replace(plain, laid_out=count is None)(x, mask, states, used, count)
        else:
            outputs, *last = run(x, states, *used)
        return outputs[:, :timesteps] if self.return_sequences and count is not None else outputs, tuple(last)

    def _gradients(self, forward: Any, d_output: Tensor, d_last: Tensors) -> list[Tensor]:
        """Return the gradients with respect to sequences, states and weights, from what the forward pass knew."""
        kept, output, x, mask, states, weights, folded, count = forward
        backward = _compiled(self.passes).backward if self._in_loops else self.passes.backward
        with tf.name_scope(f"fast_{self.passes.cell.name}"):
            transposed = (tf.transpose(weights[0]), tf.transpose(weights[1]))
            gradients = []
            given = (x, mask, states, d_output, d_last)
            for each, output_, (x, mask, states, d_output, d_last) in zip(
                kept, self._halves(output), self._halves(given), strict=True
            ):
                if self.return_sequences:
                    # Of the output nothing is kept but the output itself.
                    each = each._replace(after=() if self.passes.recompute else (output_, *each.after[1:]))
                else:
                    d_last, d_output = (d_last[0] + d_output, *d_last[1:]), None
                gradients.append(backward(each, x, mask, states, d_output, d_last, folded, transposed, count))
            d_x, d_states, d_weights = zip(*gradients, strict=True)
            sums = [tf.add_n(each) for each in zip(*d_weights, strict=True)]
            if self.passes.cell.joint:
                sums = [*tf.split(sums[0], [each.shape[0] for each in weights[:2]]), *sums[1:]]
            return [_join(d_x), *_join(d_states), *sums]

    @property
    def _in_loops(self) -> bool:
        return self.passes.steps is not None

    def _halves(self, tensors: Any) -> list[Any]:
        """Return nested tensors as two halves of the batch, where these are to run side by side."""
        # What is laid out shows each time step once.
        if not self._in_loops or tf.nest.flatten(tensors)[0].shape[0] == 1:
            return [tensors]
        flat = [(None, None) if each is None else _cut_in_two(each) for each in tf.nest.flatten(tensors)]
        return [tf.nest.pack_sequence_as(tensors, half) for half in zip(*flat, strict=True)]


def _taken(tensors: Any) -> Any:
    """Take nested tensors of a forward pass over into the graph of its gradient.

    The gradient of a `tf.cond` does not find those that first get there as the arguments of a function for XLA.
    """
    return tf.nest.map_structure(lambda each: None if each is None else tf.identity(each), tensors)


def _in_forward_mode(*tensors: Tensor) -> bool:
    """Tell whether a `tf.autodiff.ForwardAccumulator` follows one of these."""
    return bool(forwardprop_util.pack_tangents(list(tensors)).tangents)


class _Compiled(NamedTuple):
    """Both passes, as functions that XLA compiles."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]


@cache
def _compiled(passes: Passes) -> _Compiled:
    """Return both passes as functions, the same for all layers of a kind: those of one shape are compiled once."""
    compiled = (tf.function(each, jit_compile=True, autograph=False) for each in (passes.forward, passes.backward))
    return _Compiled(*compiled)


def _cut_in_two(batch: Tensor) -> Sequence[Tensor]:
    size = batch.shape[0] or tf.shape(batch)[0]
    halves: Sequence[Tensor] = tf.split(batch, [size - size // 2, size // 2])
    return halves


def _join(parts: Sequence[Any]) -> Any:
    """Return one batch of nested tensors of parts of it."""
    return parts[0] if len(parts) == 1 else tf.nest.map_structure(lambda *each: tf.concat(each, axis=0), *parts)
