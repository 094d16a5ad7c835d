"""Take any recurrence through time: in a loop, with k time steps per iteration, laid out, cut, or recomputed.

A *run* carries the states through some time steps. Runs are made of runs: laid out, a run calls the step function once
per time step; in chunks, it calls another run once per chunk, in a `tf.while_loop`; recomputed, it calls another run
and keeps nothing of its inside for the way back. So `unroll=8, recompute=100` is: chunks of 100 time steps, recomputed,
each of chunks of 8 time steps, laid out.
"""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from math import ceil, sqrt
from typing import Any, TypeAlias

import tensorflow as tf
from keras import tree

from kerasunroll.errors import InputError
from kerasunroll.layers.chunk_loops import Carry, Run, length_of, loop, recomputing_loop, spec_of


def through_time(
    step: Callable[[Any, Any], tuple[Any, Any]],
    inputs: Any,
    initial_states: Any,
    *,
    unroll: bool | int = False,
    truncate: int | None = None,
    recompute: bool | int = False,
    go_backwards: bool = False,
    mask: Any = None,
    time_major: bool = False,
    zero_output_for_mask: bool = False,
    return_all_outputs: bool = True,
) -> tuple[Any, Any, Any]:
    """Run a recurrence through time. Gives what the loop of `keras.src.backend.rnn` gives.

    Args:
        step: Takes the inputs of one time step and a tuple of states; returns an output and the new states.
        inputs: Tensor of shape `(B, T, ...)`, or nested tensors of such shapes.
        initial_states: List of tensors of shape `(B, ...)`, possibly nested.
        unroll: `False` (a loop), `True` (every time step laid out) or an integer `k` (k time steps per iteration of a
            loop; what remains of T is laid out after it, or looped over where T is unknown).
        truncate: Integer `k` or `None`. The gradient does not pass from the state that enters time step k, 2k, ... (in
            the order of processing) to the time steps before (Williams & Peng 1990). An output that a mask carries
            over such a border is still the output it is a copy of.
        recompute: `False`, `True` or an integer. Whether only the states at the borders of segments are kept for the
            way back and the rest is recomputed, segment by segment (Chen et al. 2016); the length of a segment,
            by default (`True`) the square root of T, rounded up. The last segment may be shorter; it is the first
            on the way back, so that recomputing it would save nothing, and it is kept.
        go_backwards: Boolean. Whether to begin with the last time step; the outputs come in the order of processing.
        mask: Boolean tensor of shape `(B, T)` or `(B, T, 1)`, or `None`. Where it is `False`, the states stay as they
            are.
        time_major: Boolean. Whether inputs, mask and outputs are of shape `(T, B, ...)`.
        zero_output_for_mask: Boolean. Whether masked outputs are zero; else they repeat the output before, which is
            zero before the first unmasked time step.
        return_all_outputs: Boolean. Whether all outputs are wanted.

    Returns:
        A tuple `(last_output, outputs, states)`. Without `return_all_outputs`, `outputs` is the last one alone, of
        shape `(B, 1, ...)`.

    Raises:
        InputError: If T is unknown and `unroll` is `True`.
    """
    elements = tree.flatten(inputs) + ([] if mask is None else [_with_last_axis(tf.cast(mask, tf.bool))])
    if not time_major:
        elements = [_swap_first_axes(element) for element in elements]
    timesteps = elements[0].shape[0]
    if unroll is True and timesteps is None:
        raise InputError("unroll=True needs a known number of time steps, got None. Use unroll=False or an integer.")
    if go_backwards:
        elements = [tf.reverse(element, [0]) for element in elements]

    recurrence = _Recurrence(
        step=step,
        like=(inputs, initial_states),
        masked=mask is not None,
        zero_output_for_mask=zero_output_for_mask,
        return_all_outputs=return_all_outputs,
        truncate=truncate,
        name_of=lambda t: timesteps - 1 - t if go_backwards else t,
    )
    run = recurrence.run(unroll, recompute)
    states = [tf.convert_to_tensor(state) for state in tree.flatten(initial_states)]
    carry = recurrence.begin(elements, states, in_loop=unroll is not True or bool(recompute))
    flat_outputs, carry = run(elements, carry, 0)

    last = [output[-1] for output in flat_outputs] if return_all_outputs else carry.output
    if not return_all_outputs:
        flat_outputs = [output[tf.newaxis] for output in last]
    if not time_major:
        flat_outputs = [_swap_first_axes(output) for output in flat_outputs]
    return (
        tree.pack_sequence_as(recurrence.output_like, last),
        tree.pack_sequence_as(recurrence.output_like, flat_outputs),
        tree.pack_sequence_as(initial_states, carry.states),
    )


ChunkedRun: TypeAlias = Callable[[list[Any], Carry, Any], tuple[list[Any], Carry]]
"""A run over elements of shape `(chunks, size, B, ...)`, with outputs of such a shape."""


class _Recurrence:
    """A step function and the runs that can be made of it."""

    def __init__(
        self,
        step: Callable[[Any, Any], tuple[Any, Any]],
        like: tuple[Any, Any],
        masked: bool,
        zero_output_for_mask: bool,
        return_all_outputs: bool,
        truncate: int | None,
        name_of: Callable[[int], int],
    ) -> None:
        self.step = step
        self.inputs_like, self.states_like = like
        self.masked = masked
        self.zero_output_for_mask = zero_output_for_mask
        self.return_all_outputs = return_all_outputs
        self.truncate = truncate
        self.name_of = name_of
        self.output_like: Any = None

    def begin(self, elements: list[Any], states: list[Any], in_loop: bool) -> Carry:
        """Return the carry into the first time step."""
        if not in_loop:
            return Carry(states, [])
        # A loop must know before it begins what it will write; the values are not used.
        with tf.name_scope("shapes"):
            output, _ = self._call([element[0] for element in elements], states)
            zeros = [tf.zeros_like(each) for each in output]
        return Carry(states, zeros if self._remembers_output else [])

    def run(self, unroll: bool | int, recompute: bool | int) -> Run:
        """Return the run for a setting."""
        inner = self._run_of(unroll)
        if recompute is False:
            return inner

        def in_segments(elements: list[Any], carry: Carry, time: Any) -> tuple[list[Any], Carry]:
            length = _square_root(length_of(elements)) if recompute is True else recompute
            segments = partial(recomputing_loop, inner, self._output_specs)
            return self._in_chunks(segments, length, rest=inner)(elements, carry, time)

        return in_segments

    def _run_of(self, unroll: bool | int) -> Run:
        if unroll is True:
            return self._laid_out
        one_by_one = self._in_chunks(self._loop(self._laid_out, "loop"), 1, rest=self._laid_out)
        if unroll is False:
            return one_by_one

        def remainder(elements: list[Any], carry: Carry, time: Any) -> tuple[list[Any], Carry]:
            known = elements[0].shape[0] is not None
            return (self._laid_out if known else one_by_one)(elements, carry, time)

        return self._in_chunks(self._loop(self._laid_out, f"k{unroll}"), unroll, rest=remainder)

    @property
    def _remembers_output(self) -> bool:
        return not self.return_all_outputs or (self.masked and not self.zero_output_for_mask)

    @property
    def _output_specs(self) -> list[Any]:
        """What is at hand of the outputs of all time steps: nothing where they are not wanted."""
        return [spec_of(output) for output in tree.flatten(self.output_like)] if self.return_all_outputs else []

    def _laid_out(self, elements: list[Any], carry: Carry, time: Any) -> tuple[list[Any], Carry]:
        timesteps = elements[0].shape[0]
        outputs = []
        for index, now in enumerate(zip(*map(tf.unstack, elements), strict=True)):
            # In a loop, a time step is named after its place in the chunk.
            t = self.name_of(time + index) if isinstance(time, int) else index
            alone = timesteps == 1 and not isinstance(time, int)
            with nullcontext() if alone else tf.name_scope(f"t{t:03d}"):
                output, carry = self._advance(list(now), self._cut(carry, time + index))
            outputs.append(output)
        if not self.return_all_outputs:
            return [], carry
        return [tf.stack(over_time) for over_time in zip(*outputs, strict=True)], carry

    def _loop(self, run: Run, name: str) -> ChunkedRun:
        return lambda chunks, carry, time: loop(run, name, self._output_specs, chunks, carry, time)

    def _in_chunks(self, run_chunks: ChunkedRun, size: Any, rest: Run) -> Run:
        """Return a run that takes `size` time steps at once while it can, and `rest` for the remainder."""

        def in_chunks(elements: list[Any], carry: Carry, time: Any) -> tuple[list[Any], Carry]:
            length = length_of(elements)
            whole = length // size * size
            if isinstance(whole, int) and whole == 0:
                return rest(elements, carry, time)
            chunks = [_split_time(element[:whole], length // size, size) for element in elements]
            outputs, carry = run_chunks(chunks, carry, time)
            outputs = [_merge_time(output) for output in outputs]
            if (isinstance(size, int) and size == 1) or (isinstance(whole, int) and whole == length):
                return outputs, carry
            more, carry = rest([element[whole:] for element in elements], carry, time + whole)
            return [tf.concat(both, axis=0) for both in zip(outputs, more, strict=True)], carry

        return in_chunks

    def _advance(self, now: list[Any], carry: Carry) -> tuple[list[Any], Carry]:
        output, states = self._call(now, carry.states)
        if self.masked:
            mask = now[-1]
            before = [tf.zeros_like(each) for each in output]
            if carry.output and not self.zero_output_for_mask:
                before = carry.output
            output = [_select(mask, *pair) for pair in zip(output, before, strict=True)]
            states = [_select(mask, *pair) for pair in zip(states, carry.states, strict=True)]
        return output, Carry(states, output if self._remembers_output else [])

    def _call(self, now: list[Any], states: list[Any]) -> tuple[list[Any], list[Any]]:
        inputs = tree.pack_sequence_as(self.inputs_like, now[:-1] if self.masked else now)
        self.output_like, after = self.step(inputs, tuple(tree.pack_sequence_as(self.states_like, states)))
        return tree.flatten(self.output_like), tree.flatten(after)

    def _cut(self, carry: Carry, time: Any) -> Carry:
        if self.truncate is None:
            return carry
        at_border = (time > 0) & (time % self.truncate == 0)
        if isinstance(time, int):
            return carry._replace(states=[tf.stop_gradient(s) for s in carry.states]) if at_border else carry
        return carry._replace(states=[tf.where(at_border, tf.stop_gradient(s), s) for s in carry.states])


def _select(mask: Any, unmasked: Any, masked: Any) -> Any:
    while len(mask.shape) < len(unmasked.shape):
        mask = mask[..., tf.newaxis]
    return tf.where(mask, unmasked, masked)


def _with_last_axis(mask: Any) -> Any:
    return mask[..., tf.newaxis] if len(mask.shape) == 2 else mask


def _swap_first_axes(tensor: Any) -> Any:
    return tf.transpose(tensor, [1, 0, *range(2, len(tensor.shape))])


def _square_root(length: Any) -> Any:
    if isinstance(length, int):
        return ceil(sqrt(length))
    return tf.cast(tf.math.ceil(tf.sqrt(tf.cast(length, tf.float32))), tf.int32)


def _split_time(tensor: Any, chunks: Any, size: Any) -> Any:
    """Reshape `(chunks * size, ...)` to `(chunks, size, ...)`."""
    split = tf.reshape(tensor, tf.concat([[chunks, size], tf.shape(tensor)[1:]], axis=0))
    split.set_shape([_if_known(chunks), _if_known(size), *tensor.shape[1:]])
    return split


def _merge_time(tensor: Any) -> Any:
    """Reshape `(chunks, size, ...)` to `(chunks * size, ...)`."""
    merged = tf.reshape(tensor, tf.concat([[-1], tf.shape(tensor)[2:]], axis=0))
    chunks, size, *rest = tensor.shape
    merged.set_shape([chunks * size if chunks is not None and size is not None else None, *rest])
    return merged


def _if_known(number: Any) -> int | None:
    return number if isinstance(number, int) else None
