"""Loops over chunks of time: a `tf.while_loop` of runs, and one that keeps nothing of its inside for the way back."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import tensorflow as tf

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
    count, size = length_of(elements), _size(elements)
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
    count, size = length_of(elements), _size(elements)
    like = (elements, carry)
    # Traced once, and what it uses from outside found: dropout masks, for example, which a cell will have forgotten
    # when the way back begins.
    traced = tf.function(run, autograph=False).get_concrete_function(
        [tf.TensorSpec(element.shape[1:], element.dtype) for element in elements],
        tf.nest.map_structure(spec_of, carry),
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
    return tf.TensorArray(tensor.dtype, size=length_of([tensor])).unstack(tensor)


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


def length_of(elements: list[Any]) -> Any:
    """Return the number of time steps, as an integer where it is known."""
    known = elements[0].shape[0]
    return tf.shape(elements[0])[0] if known is None else known


def _size(elements: list[Any]) -> Any:
    known = elements[0].shape[1]
    return tf.shape(elements[0])[1] if known is None else known


def spec_of(tensor: Any) -> Any:
    """Return shape and data type of a tensor."""
    return tf.TensorSpec(tensor.shape, tensor.dtype)
