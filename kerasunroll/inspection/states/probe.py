"""The states of every recurrent layer, at every time step."""

from typing import Any

import numpy as np
import tensorflow as tf

from kerasunroll.inspection.gradients.norms import Array
from kerasunroll.inspection.gradients.reductions import at_least_float32
from kerasunroll.inspection.model.batches import as_batch, unchanged
from kerasunroll.inspection.model.recurrent import recurrent_layers
from kerasunroll.inspection.states.gates import gate_activations
from kerasunroll.inspection.states.layer_states import HiddenStates, LayerStates
from kerasunroll.inspection.taps.cells import BEFORE
from kerasunroll.inspection.taps.tapped_model import tapped
from kerasunroll.models.building import is_unbuilt


def hidden_states(model: Any, x: Any, *, jit_compile: bool = False) -> HiddenStates:
    """Return the states of every recurrent layer at every time step, as in inference.

    Layers that return only their last output are included. Half precision is returned as float32. The model is left as
    it was. To call this often, as in a callback, make one `StateProbe` and call it: it traces only once.

    Args:
        model: A `keras.Model`, which need not be compiled. One that is not built yet is built from the batch.
        x: The batch's inputs, (B, T, F) or as the model takes them.
        jit_compile: Boolean. Whether to compile with XLA. Defaults to `False`.

    Returns:
        `HiddenStates`: a dict from layer name to `LayerStates`, in the order in which the layers ran, that can be
        plotted and that names the first NaN.

    Raises:
        InputError: If the model has no recurrent layer or one that cannot be observed, or if the batch
            does not fit the model.

    Example:
    >>> states = hidden_states(model, x)
    >>> states["lstm_1"].h.shape
    (32, 64, 128)
    >>> states.plot().savefig("states.png")
    """
    return StateProbe(model, jit_compile=jit_compile)(x)


class StateProbe:
    """`hidden_states` for many batches: traced once for each shape of a batch.

    Args:
        model: A `keras.Model`; one that is not built yet is built from its first batch.
        jit_compile: Boolean. Whether to compile with XLA. Defaults to `False`.
    """

    def __init__(self, model: Any, *, jit_compile: bool = False) -> None:
        if not is_unbuilt(model):
            recurrent_layers(model)
        self._model = model
        self._backwards: dict[str, bool] = {}
        self._run = tf.function(self._forward, autograph=False, jit_compile=jit_compile)

    def __call__(self, x: Any) -> HiddenStates:
        """Return the states for the inputs `x`, as `hidden_states` does."""
        x, _, _ = as_batch(self._model, x)
        with unchanged(self._model):
            layers = tf.nest.map_structure(lambda tensor: tensor.numpy(), self._run.get_concrete_function(x)(x))
        found = {name: _layer_states(name, self._backwards[name], **values) for name, values in layers.items()}
        return HiddenStates(found)

    def _forward(self, x: Any) -> dict[str, Any]:
        arguments = {"training": False} if self._model._call_has_training_arg else {}
        with tapped(self._model, record=True) as runs:
            self._model(x, **arguments)
        self._backwards = {run.name: run.go_backwards for run in runs}
        layers = {}
        for run in runs:
            states = {name: run.recorded[name] for name in run.initial}
            first = next(iter(states.values()))
            tensors = {
                "states": states,
                "initial": run.initial,
                "x": run.recorded["x"],
                "gates": gate_activations(run.cell, run.recorded["x"], run.recorded[BEFORE]),
            }
            unmasked = tf.ones(tf.shape(first)[:2], tf.bool) if run.mask is None else run.mask
            layers[run.name] = {"unmasked": unmasked, **tf.nest.map_structure(at_least_float32, tensors)}
        return layers


def _layer_states(
    name: str,
    go_backwards: bool,
    unmasked: Array,
    states: dict[str, Array],
    initial: dict[str, Array],
    gates: dict[str, Array],
    x: Array,
) -> LayerStates:
    return LayerStates(
        layer=name,
        go_backwards=go_backwards,
        unmasked=unmasked,
        states={name: _carried(values, initial[name], unmasked, go_backwards) for name, values in states.items()},
        gates={gate: np.where(unmasked[..., None], values, np.nan) for gate, values in gates.items()},
        x=x,
    )


def _carried(values: Array, initial: Array, unmasked: Array, go_backwards: bool) -> Array:
    """Where a sample is masked, put the state of the time step processed before."""
    carried = values.copy()
    state = initial
    time_steps = range(values.shape[1])
    for t in reversed(time_steps) if go_backwards else time_steps:
        keep = unmasked[:, t].reshape(-1, *[1] * (values.ndim - 2))
        state = carried[:, t] = np.where(keep, values[:, t], state)
    return carried
