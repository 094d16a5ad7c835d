"""The share of each time step in the gradient of a recurrent cell's weights.

The weights W serve at every time step, so their gradient is a sum over t (Werbos 1990, "Backpropagation through time:
what it does and how to do it"):

    dL/dW = sum_t  sum_s  (dL/ds_t) (∂s_t/∂W)

The inner sum is the local derivative of `kerasunroll.inspection.gradients.local`.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import tree

from kerasunroll.inspection.gradients.local import local_results
from kerasunroll.inspection.taps.cell_runs import CellRun
from kerasunroll.inspection.taps.cells import BEFORE


def weight_terms(run: CellRun, gradients: dict[str, Any], reduce: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the term of every time step in the gradient of each of a cell's weights.

    One time step is differentiated after the other, so that no more than one term per weight is alive at a time.

    Args:
        run: A `CellRun` that was recorded.
        gradients: Dict from the names of its points to the gradients there, (B, T, ...).
        reduce: What is kept of a term: called with a tensor of the weight's shape, returns a tensor.

    Returns:
        Dict from the weight's path to a tensor (T, ...): the reduced terms. Only trainable weights; the terms of
        regularisers and the like, which do not run through time, are not among them.
    """
    weights = list(getattr(run.cell, "trainable_variables", ()))
    if not weights:
        return {}

    def term(at_t: Any) -> list[Any]:
        x, before, gradient = at_t
        return [reduce(term) for term in _local_gradients(run, weights, x, before, gradient)]

    cotangents = {name: gradient for name, gradient in gradients.items() if name != "x"}
    over_time = tree.map_structure(_time_first, (run.recorded["x"], run.recorded[BEFORE], cotangents))
    specs = [tf.TensorSpec(None, _kind(reduce, weight)) for weight in weights]
    terms = tf.map_fn(term, over_time, fn_output_signature=specs, parallel_iterations=1)
    return {weight.path: values for weight, values in zip(weights, terms, strict=True)}


def _local_gradients(run: CellRun, weights: list[Any], x: Any, before: Any, gradient: dict[str, Any]) -> list[Any]:
    with tf.GradientTape() as tape:
        results, towards = local_results(run, x, before, gradient)
    found = tape.gradient(results, weights, towards, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [tf.convert_to_tensor(value) for value in found]


def _time_first(values: Any) -> Any:
    return tf.einsum("bt...->tb...", values)


def _kind(reduce: Callable[[Any], Any], weight: Any) -> Any:
    return reduce(tf.zeros((), weight.dtype)).dtype
