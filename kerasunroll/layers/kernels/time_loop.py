"""A loop over time steps, laid out as asked: k of them per iteration, or all of them side by side."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kerasunroll.layers.kernels.cell import Tensor, Tensors

Body = Callable[[Any, Tensors], tuple[Tensors, Tensors]]


def time_loop(
    body: Body,
    states: Tensors,
    inputs: Any,
    *,
    count: Tensor | int | None = None,
    steps: int | None,
    reverse: bool = False,
    first: int = 0,
) -> tuple[Tensors, Tensors]:
    """Carry states through time steps, and collect what each gives.

    Args:
        body: Function from a time step's inputs and states to its new states and its results.
        states: Tuple of tensors. The states before the first time step.
        inputs: Structure of tensors of shape `(timesteps, ...)`, of which a time step is given a row each, and `None`.
        count: Integer, scalar tensor or `None`. The time steps to visit, `None` (default) for all; rows beyond are
            not, and their results are zeros.
        steps: Integer or `None`. Time steps per iteration; what it does not divide is done one by one. `None` lays
            all out without a loop, and needs a `count` that is no tensor.
        reverse: Boolean. From time step `count - 1` down to 0.
        first: Integer. What time step 0 is called in the graph, where all are laid out.

    Returns:
        Tuple of the last states and the results, each of shape `(timesteps, ...)` in the order of the inputs.
    """
    length = next(each.shape[0] for each in tf.nest.flatten(inputs) if each is not None)
    count = length if count is None else count
    if steps is None:
        return _lay_out(body, states, inputs, length, int(count), reverse, first)
    return _loop(body, states, inputs, length, count, steps, reverse)


def _lay_out(
    body: Body, states: Tensors, inputs: Any, length: int, count: int, reverse: bool, first: int
) -> tuple[Tensors, Tensors]:
    flat = [[None] * length if each is None else tf.unstack(each) for each in tf.nest.flatten(inputs)]
    rows = [tf.nest.pack_sequence_as(inputs, row) for row in zip(*flat, strict=True)]
    results: list[Tensors] = []
    for t in reversed(range(count)) if reverse else range(count):
        with tf.name_scope(f"t{first + t:03d}"):
            states, result = body(rows[t], states)
        results.append(result)
    if reverse:
        results.reverse()
    results += [tuple(tf.zeros_like(each) for each in results[0])] * (length - count)
    return states, tuple(tf.stack(each) for each in zip(*results, strict=True))


def _loop(
    body: Body, states: Tensors, inputs: Any, length: int, count: Tensor | int, steps: int, reverse: bool
) -> tuple[Tensors, Tensors]:
    def row(t: Tensor | int) -> Any:
        return tf.nest.map_structure(lambda each: None if each is None else each[t], inputs)

    # A time step that nothing reads, and so is never run, tells the shapes of the results.
    _, like = body(row(0), states)
    arrays = tuple(tf.TensorArray(each.dtype, length, element_shape=each.shape) for each in like)

    def iteration(several: int) -> Callable[..., tuple[Any, ...]]:
        def iterate(done: Tensor, states: Tensors, arrays: Any) -> tuple[Any, ...]:
            for number in range(several):
                with tf.name_scope(f"t{number:03d}"):
                    t = count - 1 - done - number if reverse else done + number
                    states, results = body(row(t), states)
                    arrays = tuple(array.write(t, each) for array, each in zip(arrays, results, strict=True))
            return done + several, states, arrays

        return iterate

    carried = (tf.constant(0), states, arrays)
    divided = isinstance(count, int) and count % steps == 0
    for several in [steps] if divided or steps == 1 else [steps, 1]:
        carried = tf.while_loop(lambda done, *_, n=several: done + n <= count, iteration(several), carried)
    _, states, arrays = carried
    return states, tuple(array.stack() for array in arrays)
