"""Gradients through time as a by-product of a backward pass that happens anyway."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from kerasunroll.errors import InputError
from kerasunroll.inspection.gradients.reductions import at_least_float32, loss_scale, norms_per_sample
from kerasunroll.inspection.taps.cell_runs import CellRun, Point, Source


@dataclass(frozen=True)
class SunkGradient:
    """What a backward pass left behind at one point.

    Args:
        run: The `CellRun` of the point: its layer's name, mask and direction.
        point: String: `x`, `h`, `c`, `state_0`, ..., `output`.
        value: Tensor. What `reduce` made of the gradient, in the graph of the backward pass.
    """

    run: CellRun
    point: str
    value: Any


def gradient_sink_source(
    model: Any, sink: list[SunkGradient], reduce: Callable[[Any], Any] = norms_per_sample
) -> Source:
    """Return a source for `tapped` whose gradients fall into `sink` when any tape runs backwards.

    A training step of Keras asks its tape for the gradients of the trainable weights and for nothing else. So the zeros
    are made to look as if they depended on a trainable weight: the tape then carries the gradient to them, where it is
    reduced and put into the sink, and the weight itself receives nothing from there. The training step stays the same
    training step.

    The sink fills while the backward pass is traced (or run, in eager mode), with tensors of that graph: the caller
    has to hand them out of it, as further results or by assigning them to variables. A point that the loss does not
    depend on leaves nothing in the sink.

    Args:
        model: A compiled `keras.Model` with at least one trainable weight.
        sink: A list, to which one `SunkGradient` per point is appended.
        reduce: What is kept of a gradient: called with dL/dz, (B, T, ...), free of the optimiser's loss scale and in
            float32 at least. Defaults to the norm per sample and time step, (B, T).

    Returns:
        A `Source`.

    Raises:
        InputError: When used, if the model has no trainable weight.

    Example:
    ```python
    @tf.function
    def training_step(data):
        sink = []
        with tapped(model, gradient_sink_source(model, sink)):
            logs = model.train_step(data)
        return logs, {(sunk.run.name, sunk.point): sunk.value for sunk in sink}
    ```
    """

    def source(point: Point) -> Any:
        def zeros_of(_: Any) -> tuple[Any, Callable[[Any], None]]:
            def backward(gradient: Any) -> None:
                gradient = at_least_float32(gradient)
                unscaled = gradient / loss_scale(model, gradient.dtype)
                sink.append(SunkGradient(point.run, point.name, reduce(unscaled)))

            return point.zeros(), backward

        return tf.custom_gradient(zeros_of)(tf.convert_to_tensor(_anchor(model, point.run.cell)))

    return source


def _anchor(model: Any, cell: Any) -> Any:
    """Return a trainable weight, the cell's own if it has one: the smallest, since its value is not needed."""
    weights = list(getattr(cell, "trainable_variables", ())) or model.trainable_variables
    if not weights:
        raise InputError(
            f"Model '{model.name}' has no trainable weights, so that no gradient is taken in a training step. "
            "Set trainable=True, or use gradients_through_time, which needs no trainable weights."
        )
    return min(weights, key=lambda weight: math.prod(weight.shape))
