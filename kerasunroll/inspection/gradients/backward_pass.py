"""The gradients of the loss with respect to every state of every recurrent layer, at every time step."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from kerasunroll.errors import InputError
from kerasunroll.inspection.gradients.gate_gradients import gate_gradients
from kerasunroll.inspection.gradients.norms import Array
from kerasunroll.inspection.gradients.reductions import at_least_float32, loss_scale
from kerasunroll.inspection.gradients.weight_terms import weight_terms
from kerasunroll.inspection.model.batches import as_batch, unchanged
from kerasunroll.inspection.model.recurrent import recurrent_layers
from kerasunroll.inspection.taps.cell_runs import CellRun
from kerasunroll.inspection.taps.tapped_model import tapped, watched_by
from kerasunroll.models.building import is_unbuilt


@dataclass(frozen=True)
class StateGradients:
    """The gradients themselves, of one run of one cell.

    Args:
        layer: String. As in `LayerGradients`.
        go_backwards: Boolean. As in `LayerGradients`.
        unmasked: Boolean array (B, T), `False` where masked; the gradients are exactly 0 there.
        points: Dict from `x`, `h`, `c`, `state_0`, ..., `output` to the gradient there, (B, T, ...).
        weights: Dict from the weight's path to the terms of its gradient, (T, ...).
        gates: Dict from the gate's name to the gradient with respect to its activation, (B, T, U). Empty unless asked
            for, and for cells without gates.
    """

    layer: str
    go_backwards: bool
    unmasked: Array
    points: dict[str, Array]
    weights: dict[str, Array] = field(default_factory=dict)
    gates: dict[str, Array] = field(default_factory=dict)


def state_gradients(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    training: bool = False,
    weights: bool = False,
    gates: bool = False,
    jit_compile: bool = False,
) -> dict[str, StateGradients]:
    """Return the gradients themselves, of which `gradients_through_time` gives the norms.

    Args:
        model: A compiled `keras.Model`. One that is not built yet is built from the batch.
        x: The batch's inputs.
        y: The batch's targets. Defaults to `None`.
        sample_weight: The samples' weights. Defaults to `None`.
        training: Boolean. Whether layers behave as in training. Defaults to `False`.
        weights: Boolean. Whether the terms of the weights' gradients are returned, (T, ...) each: T times the memory of
            the weights. Defaults to `False`.
        gates: Boolean. Whether the gradients with respect to the gates are returned. Defaults to `False`.
        jit_compile: Boolean. Whether to compile with XLA. Defaults to `False`.

    Returns:
        Dict from layer name to `StateGradients`, in the order in which the layers ran; layers on which the loss does
        not depend are missing. Gradients in half precision are returned as float32.

    Raises:
        InputError: As `gradients_through_time`.
    """
    backward_pass = BackwardPass(model, training, weights, jit_compile, at_least_float32, at_least_float32, gates)
    return {layer.layer: layer for layer in backward_pass(x, y, sample_weight)[1]}


class BackwardPass:
    """One forward and one backward pass with taps, traced once for each shape of a batch.

    Args:
        model: A compiled `keras.Model`. One that is not built yet is built from the batch.
        training: Boolean. Whether layers behave as in training.
        weights: Boolean. Whether the terms of the weights' gradients are computed.
        jit_compile: Boolean. Whether to compile with XLA.
        keep: What is kept of the gradient at a point, (B, T, ...).
        keep_term: What is kept of one term of a weight's gradient.
        gates: Boolean. Whether the gradients with respect to the gates are computed. Defaults to `False`.

    Raises:
        InputError: As `gradients_through_time`.
    """

    def __init__(
        self,
        model: Any,
        training: bool,
        weights: bool,
        jit_compile: bool,
        keep: Callable[[Any], Any],
        keep_term: Callable[[Any], Any],
        gates: bool = False,
    ) -> None:
        if not is_unbuilt(model):
            recurrent_layers(model)
        if not model.compiled:
            raise InputError(
                f"Model '{model.name}' is not compiled, so it has no loss to differentiate. "
                "Call model.compile(optimizer=..., loss=...) first."
            )
        self._model = model
        self._training = training
        self._weights = weights
        self._gates = gates
        self._keep = keep
        self._keep_term = keep_term
        self._backwards: dict[str, bool] = {}
        self._without_gradient: tuple[str, ...] = ()
        self._run = tf.function(self._differentiate, autograph=False, jit_compile=jit_compile)

    def __call__(self, x: Any, y: Any, sample_weight: Any) -> tuple[float, list[StateGradients], tuple[str, ...]]:
        """Return the loss, what was kept per run of a cell, and the layers that the loss does not depend on."""
        batch = as_batch(self._model, x, y, sample_weight)
        with unchanged(self._model):
            loss, scale, layers = self._run.get_concrete_function(*batch)(*batch)
        layers = [
            StateGradients(
                layer=name,
                go_backwards=self._backwards[name],
                unmasked=values["unmasked"].numpy(),
                points={point: _unscaled(value, scale) for point, value in values["points"].items()},
                weights={path: _unscaled(value, scale) for path, value in values["weights"].items()},
                gates={gate: _unscaled(value, scale) for gate, value in values["gates"].items()},
            )
            for name, values in layers.items()
        ]
        return float(loss), layers, self._without_gradient

    def _differentiate(self, x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, dict[str, Any]]:
        model = self._model
        arguments = {"training": self._training} if model._call_has_training_arg else {}
        # Only the zeros are watched: the gradients of all weights would be computed besides.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            with tapped(model, watched_by(tape), record=self._weights or self._gates) as runs:
                y_pred = model(x, **arguments)
            loss = model._compute_loss(x, y, y_pred, sample_weight, training=self._training)
            scale = loss_scale(model, loss.dtype)
            scaled = loss * scale
        gradients = tape.gradient(scaled, [run.zeros for run in runs])
        self._note(runs, gradients)
        layers = {}
        for run, found in zip(runs, gradients, strict=True):
            if _depends(found):
                layers[run.name] = self._kept(run, found)
        return loss, scale, layers

    def _kept(self, run: CellRun, found: dict[str, Any]) -> dict[str, Any]:
        points = {name: _zeros_if_none(value, run.zeros[name]) for name, value in found.items()}
        gates = gate_gradients(run, points) if self._gates else {}
        return {
            "unmasked": tf.ones(tf.shape(run.zeros["x"])[:2], tf.bool) if run.mask is None else run.mask,
            "points": {name: self._keep(value) for name, value in points.items()},
            "weights": weight_terms(run, points, self._keep_term) if self._weights else {},
            "gates": {name: self._keep(value) for name, value in gates.items()},
        }

    def _note(self, runs: list[CellRun], gradients: list[dict[str, Any]]) -> None:
        self._backwards = {run.name: run.go_backwards for run in runs}
        depending = [run.name for run, found in zip(runs, gradients, strict=True) if _depends(found)]
        names = dict.fromkeys([run.name for run in runs] + _cell_names(self._model))
        self._without_gradient = tuple(name for name in names if name not in depending)
        if not depending:
            raise InputError(
                f"The loss of model '{self._model.name}' does not depend on any of its recurrent layers "
                f"({', '.join(self._without_gradient)}). Check that the output that is trained is computed from them, "
                "without a stop_gradient or an operation that has no gradient in between."
            )


def _depends(gradients: dict[str, Any]) -> bool:
    return any(gradient is not None for gradient in gradients.values())


def _zeros_if_none(gradient: Any, zeros: Any) -> Any:
    # Where the loss depends on the layer but not on this point, the derivative is 0.
    return zeros if gradient is None else gradient


def _unscaled(values: Any, scale: Any) -> Array:
    array: Array = values.numpy()
    array /= np.asarray(scale, array.dtype)
    return array


def _cell_names(model: Any) -> list[str]:
    return [name for recurrent in recurrent_layers(model) for name in recurrent.cell_names]
