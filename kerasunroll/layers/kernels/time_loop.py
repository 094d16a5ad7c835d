"""Going through the time steps of a chunk: k of them per iteration of a loop, or all of them laid out."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kerasunroll.layers.kernels.cell import Tensor, Tensors
from kerasunroll.layers.kernels.chunks import Span
from kerasunroll.layers.kernels.rows import put_rows

Body = Callable[[Any, Tensors], tuple[Tensors, Tensors]]


def in_loop(
    body: Body,
    states: Tensors,
    inputs: Any,
    span: Span,
    results: Tensors,
    *,
    steps: int,
    reverse: bool = False,
) -> tuple[Tensors, Tensors]:
    """Carry states through time steps, in a loop that XLA is to compile, and collect what each gives.

    Args:
        body: Function from a time step's inputs and states to its new states and its results.
        states: Tuple of tensors. The states before the first time step.
        inputs: Structure of `Rows`, `RowsBefore` and `None`, of which a time step is given a row each.
        span: `Span`. Where in the results the time steps are.
        results: Tuple of tensors of shape `(batch, rows, n)`, to put what the time steps give into; what they give
            beyond these is left out.
        steps: Integer. Time steps per iteration; what it does not divide is done one by one.
        reverse: Boolean. From the last time step to the first.

    Returns:
        Tuple of the last states and the results.
    """
    count = span.count

    def iteration(several: int) -> Callable[..., tuple[Any, ...]]:
        def iterate(done: Tensor, states: Tensors, results: Tensors) -> tuple[Any, ...]:
            for number in range(several):
                with tf.name_scope(f"t{number:03d}"):
                    t = count - 1 - done - number if reverse else done + number
                    row = tf.nest.map_structure(lambda each, t=t: None if each is None else each.row(t), inputs)
                    states, here = body(row, states)
                    results = tuple(
                        put_rows(each[:, None], all_, span.start + t) for each, all_ in zip(here, results, strict=False)
                    )
            return done + several, states, results

        return iterate

    carried = (tf.constant(0), states, results)
    divided = isinstance(count, int) and count % steps == 0
    for several in [steps] if divided or steps == 1 else [steps, 1]:
        carried = tf.while_loop(lambda done, *_, n=several: done + n <= count, iteration(several), carried)
    _, states, results = carried
    return states, results


def laid_out(body: Body, states: Tensors, inputs: Any, span: Span, *, reverse: bool = False) -> tuple[Tensors, Tensors]:
    """Carry states through time steps, each a set of operations of its own; see `in_loop`.

    Args:
        body: As for `in_loop`.
        states: As for `in_loop`.
        inputs: Structure of tensors of shape `(batch, rows, n)` and `None`, of which a time step is given a row each.
        span: `Span`. What the time steps are called in the graph; the results of more rows than these are zeros.
        reverse: As for `in_loop`.
    """
    flat = tf.nest.flatten(inputs)
    length = next(each.shape[1] for each in flat if each is not None)
    unstacked = [[None] * length if each is None else tf.unstack(each, axis=1) for each in flat]
    rows = [tf.nest.pack_sequence_as(inputs, row) for row in zip(*unstacked, strict=True)]
    results: list[Tensors] = []
    for t in reversed(range(span.count)) if reverse else range(span.count):
        with tf.name_scope(f"t{span.start + t:03d}"):
            states, here = body(rows[t], states)
        results.append(here)
    if reverse:
        results.reverse()
    results += [tuple(tf.zeros_like(each) for each in results[0])] * (length - span.count)
    return states, tuple(tf.stack(each, axis=1) for each in zip(*results, strict=True))
