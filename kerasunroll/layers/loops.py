"""Take any recurrence through time: in a loop, with k time steps per iteration, laid out, cut, or recomputed.

A *run* carries the states through some time steps. Runs are made of runs: laid out, a run calls the step function once
per time step; in chunks, it calls another run once per chunk, in a `tf.while_loop`; recomputed, it calls another run
and keeps nothing of its inside for the way back. So `unroll=8, recompute=100` is: chunks of 100 time steps, recomputed,
each of chunks of 8 time steps, laid out.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from math import ceil, sqrt
from typing import Any, Final, NamedTuple, TypeAlias

import tensorflow as tf
from keras import tree

from kerasunroll.errors import InputError


class Carry(NamedTuple):
    """What one time step hands to the next one.

    Args:
        states: List of the state tensors, flattened.
        output: List of the last output's tensors, flattened; empty where nobody will ask for it.
    """

    states: list[Any]
    output: list[Any]


Run: TypeAlias = Callable[[list[Any], Carry, Any], tuple[list[Any], Carry]]
"""Takes time-major elements (the flattened inputs, then the mask), a carry and the number of time steps done before.

Returns the outputs of all its time steps, time-major and flattened (an empty list where they are not wanted), and the
carry after them.
"""


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
            length = _square_root(_length(elements)) if recompute is True else recompute
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
        return [_spec(output) for output in tree.flatten(self.output_like)] if self.return_all_outputs else []

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
            length = _length(elements)
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


def loop(
    run: Run, name: str, output_specs: list[Any], elements: list[Any], carry: Carry, time: Any
) -> tuple[list[Any], Carry]:
    """Make a run of each chunk, in a `tf.while_loop`.

    Args:
        run: A run.
        name: String. The name of the loop in the graph.
        output_specs: List of the `tf.TensorSpec` of the outputs of one time step.
        elements: List of tensors of shape `(chunks, size, B, ...)`.
        carry: The carry into the first chunk.
        time: The number of time steps done before.

    Returns:
        A tuple: the list of outputs, of shape `(chunks, size, B, ...)`, and the carry after them.
    """
    count, size = _length(elements), _size(elements)
    inputs = [_as_array(element) for element in elements]
    results = [_array_for(spec, count, elements) for spec in output_specs]

    def body(chunk: Any, results: list[Any], carry: Carry) -> tuple[Any, list[Any], Carry]:
        outputs, carry = run([array.read(chunk) for array in inputs], carry, time + chunk * size)
        return chunk + 1, _written(results, chunk, outputs), carry

    _, results, carry = _while(count, body, (results, carry), name)
    return _stacked_outputs(results, output_specs, elements), carry


def recomputing_loop(
    run: Run, output_specs: list[Any], elements: list[Any], carry: Carry, time: Any
) -> tuple[list[Any], Carry]:
    """Make a run of each chunk, keeping only what goes into it; on the way back, make it again (Chen et al. 2016).

    The way back is a loop of its own, rather than TensorFlow's gradient of the loop: that would keep the inside.
    The arguments and what is returned are those of `loop`.

    Raises:
        InputError: If a run changes a variable (as drawing random numbers does): made again, it would be another one.
    """
    count, size = _length(elements), _size(elements)
    like = (elements, carry)
    # Traced once, and what it uses from outside found: dropout masks, for example, which a cell will have forgotten
    # when the way back begins.
    traced = tf.function(run, autograph=False).get_concrete_function(
        [tf.TensorSpec(element.shape[1:], element.dtype) for element in elements],
        tf.nest.map_structure(_spec, carry),
        tf.TensorSpec([], tf.int32),
    )
    _check_repeatable(traced.graph)
    captured = [outer for outer, _ in traced.graph.captures if outer.dtype.is_floating]

    def call(elements: list[Any], carry: Carry, chunk: Any) -> tuple[list[Any], Carry]:
        outputs, (states, output) = traced(elements, carry, time + chunk * size)
        return list(outputs), Carry(list(states), list(output))

    def forward(elements: list[Any], carry: Carry) -> tuple[list[Any], Carry, list[Any]]:
        inputs = [_as_array(element) for element in elements]
        results = [_array_for(spec, count, elements) for spec in output_specs]
        begin = tf.nest.flatten(carry)
        borders = [tf.TensorArray(each.dtype, size=count, element_shape=each.shape) for each in begin]

        def body(chunk: Any, results: list[Any], borders: list[Any], carry: Carry) -> Any:
            borders = _written(borders, chunk, tf.nest.flatten(carry))
            outputs, carry = call([array.read(chunk) for array in inputs], carry, chunk)
            return chunk + 1, _written(results, chunk, outputs), borders, carry

        _, results, borders, carry = _while(count, body, (results, borders, carry), "segments", ahead=1)
        outputs = _stacked_outputs(results, output_specs, elements)
        return outputs, carry, [_stack(array, tf.shape(each)) for array, each in zip(borders, begin, strict=True)]

    def backward(elements: list[Any], borders: list[Any], upstream: list[Any], d_carry: list[Any], shared: Any) -> Any:
        floating = [element for element in elements if element.dtype.is_floating]
        inputs, carries, d_outputs = ([_as_array(each) for each in group] for group in (elements, borders, upstream))
        d_inputs = [tf.TensorArray(each.dtype, size=count, element_shape=each.shape[1:]) for each in floating]

        def body(done: Any, d_inputs: list[Any], d_carry: list[Any], d_shared: list[Any]) -> Any:
            chunk = count - 1 - done
            now, before = ([array.read(chunk) for array in group] for group in (inputs, carries))
            sources = [*(each for each in now if each.dtype.is_floating), *before]
            with tf.GradientTape() as tape:
                tape.watch([*sources, *captured])
                again = tf.nest.flatten(call(now, tf.nest.pack_sequence_as(carry, before), chunk))
            gradients = tape.gradient(
                again,
                [*sources, *shared],
                output_gradients=[*(array.read(chunk) for array in d_outputs), *d_carry],
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )
            dense = [tf.convert_to_tensor(each) for each in gradients]
            here, dense = dense[: len(floating)], dense[len(floating) :]
            d_before, of_shared = dense[: len(before)], dense[len(before) :]
            d_shared = [sum_ + each for sum_, each in zip(d_shared, of_shared, strict=True)]
            return done + 1, _written(d_inputs, chunk, here), d_before, d_shared

        start = (d_inputs, d_carry, [tf.zeros_like(each) for each in shared])
        _, d_inputs, d_carry, d_shared = _while(count, body, start, "segments", ahead=1)
        d_inputs = [_stack(array, tf.shape(each)[1:]) for array, each in zip(d_inputs, floating, strict=True)]
        return d_inputs, d_carry, d_shared

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def recomputed(*tensors: Any) -> tuple[list[Any], Callable[..., Any]]:
        elements, carry = tf.nest.pack_sequence_as(like, tensors[: len(tensors) - len(captured)])
        outputs, after, borders = forward(elements, carry)

        def gradient(*upstream: Any, variables: Sequence[Any] = ()) -> Any:
            d_outputs, d_after = list(upstream[: len(outputs)]), list(upstream[len(outputs) :])
            d_floating, d_carry, d_shared = backward(elements, borders, d_outputs, d_after, [*captured, *variables])
            each_floating = iter(d_floating)
            d_elements = [next(each_floating) if each.dtype.is_floating else None for each in elements]
            d_tensors = [*d_elements, *d_carry, *d_shared[: len(captured)]]
            return (d_tensors, d_shared[len(captured) :]) if variables else d_tensors

        return [*outputs, *tf.nest.flatten(after)], gradient

    packed: tuple[list[Any], Carry] = tf.nest.pack_sequence_as(
        (output_specs, carry), recomputed(*tf.nest.flatten(like), *captured)
    )
    return packed


_CHANGES: Final = ("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp")


def _check_repeatable(graph: Any) -> None:
    definition = graph.as_graph_def()
    bodies = [definition.node, *(function.node_def for function in definition.library.function)]
    changing = [node.name for body in bodies for node in body if node.op in _CHANGES or node.op.startswith("Random")]
    if changing:
        raise InputError(
            "recompute needs a cell that computes the same when it is run again, got one that changes a variable or "
            f"draws random numbers at every time step ({changing[0]}). Use recompute=False, or draw once for all time "
            "steps as Keras's dropout does."
        )


def _while(count: Any, body: Callable[..., Any], start: tuple[Any, ...], name: str, ahead: int = 32) -> Any:
    """Run `body` for each of `count` iterations, of which `ahead` may be at work at once, each with its own memory."""
    return tf.while_loop(
        lambda done, *_: done < count,
        body,
        (tf.constant(0), *start),
        maximum_iterations=count,  # XLA must know it to go back through the loop
        parallel_iterations=ahead,
        swap_memory=True,
        name=name,
    )


def _as_array(tensor: Any) -> Any:
    return tf.TensorArray(tensor.dtype, size=_length([tensor])).unstack(tensor)


def _array_for(spec: Any, count: Any, elements: list[Any]) -> Any:
    return tf.TensorArray(spec.dtype, size=count, element_shape=[elements[0].shape[1], *spec.shape])


def _written(arrays: list[Any], index: Any, values: list[Any]) -> list[Any]:
    return [array.write(index, value) for array, value in zip(arrays, values, strict=True)]


def _stacked_outputs(arrays: list[Any], specs: list[Any], elements: list[Any]) -> list[Any]:
    size_and_batch = tf.shape(elements[0])[1:3]
    return [
        _stack(array, tf.concat([size_and_batch, spec.shape[1:]], axis=0))
        for array, spec in zip(arrays, specs, strict=True)
    ]


def _stack(array: Any, element_shape: Any) -> Any:
    """Stack an array that may be empty, and then cannot tell of what shape its elements would be."""
    if tf.executing_eagerly():
        return array.stack()
    stacked = tf.raw_ops.TensorListStack(
        input_handle=array.flow, element_shape=element_shape, element_dtype=array.dtype
    )
    stacked.set_shape([None, *array.element_shape])
    return stacked


def _select(mask: Any, unmasked: Any, masked: Any) -> Any:
    while len(mask.shape) < len(unmasked.shape):
        mask = mask[..., tf.newaxis]
    return tf.where(mask, unmasked, masked)


def _with_last_axis(mask: Any) -> Any:
    return mask[..., tf.newaxis] if len(mask.shape) == 2 else mask


def _swap_first_axes(tensor: Any) -> Any:
    return tf.transpose(tensor, [1, 0, *range(2, len(tensor.shape))])


def _length(elements: list[Any]) -> Any:
    """Return the number of time steps, as an integer where it is known."""
    known = elements[0].shape[0]
    return tf.shape(elements[0])[0] if known is None else known


def _size(elements: list[Any]) -> Any:
    known = elements[0].shape[1]
    return tf.shape(elements[0])[1] if known is None else known


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


def _spec(tensor: Any) -> Any:
    return tf.TensorSpec(tensor.shape, tensor.dtype)
