"""Norms of the gradient on its way back through time, in every recurrent layer of a model."""

from dataclasses import replace
from typing import Any

import numpy as np

from kerasunroll.inspection.gradients.backward_pass import BackwardPass, StateGradients
from kerasunroll.inspection.gradients.norms import (
    Array,
    GradientsThroughTime,
    LayerGradients,
    NormsOverTime,
    reduce_over_batch,
)
from kerasunroll.inspection.gradients.reductions import at_least_float32, norms_per_sample, total_norm


def gradients_through_time(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    training: bool = False,
    per_sample: bool = False,
    per_unit: bool = False,
    weights: bool = True,
    jit_compile: bool = False,
) -> GradientsThroughTime:
    """Measure the gradient on its way back through time, in every recurrent layer of a model.

    For every recurrent layer and every time step t: the Euclidean norms of the total derivatives dL/dh_t (for an LSTM
    also dL/dc_t) and of dL/dx_t, and the norm of the t-th term in the gradient of each weight. L is the loss that the
    optimiser sees, `model.compute_loss`: a mean over the batch, so that a sample's gradient carries a factor 1/B, and
    without loss scaling. (If the optimiser scales the loss, as in float16, the backward pass runs scaled and the result
    is divided by the scale.)

    Each layer runs through time as its own setting says. Norms are computed in float64, since the square of a
    vanishing float32 gradient is 0 long before the gradient is. The model is left as it was.

    To call this often, as in a callback, make one `GradientProbe` and call it: it traces only once.

    Args:
        model: A compiled `keras.Model`. One that is not built yet is built from the batch.
        x: The batch's inputs, (B, T, F) or as the model takes them.
        y: The batch's targets. Defaults to `None`.
        sample_weight: The samples' weights. Defaults to `None`.
        training: Boolean. Whether layers behave as in training: dropout, batch statistics. Defaults to `False`, so
            that two settings, or two training steps, differ by nothing but the model.
        per_sample: Boolean. Whether the norms of each sample are kept. Defaults to `False`.
        per_unit: Boolean. Whether the gradients themselves are kept too, of every sample, time step and unit: with
            respect to the states, to `x`, and to the activation of every gate of LSTM and GRU cells. That is about 7
            times the memory of an LSTM's output. Defaults to `False`.
        weights: Boolean. Whether the terms of the weights' gradients are computed, which costs about one more pass
            through time. Defaults to `True`.
        jit_compile: Boolean. Whether to compile with XLA. Defaults to `False`.

    Returns:
        A `GradientsThroughTime`, which can be plotted and names the first NaN.

    Raises:
        InputError: If the model is not compiled, has no recurrent layer or one that cannot be observed, if
            the loss depends on no recurrent layer, or if the batch does not fit the model.

    Example:
    >>> result = gradients_through_time(model, x, y)
    >>> result["lstm_1"].h.mean.shape
    (64,)
    >>> gradients_through_time(model, x, y, per_unit=True).plot("lstm_1", what="forget_gate").savefig("forget.png")
    """
    probe = GradientProbe(model, training=training, weights=weights, per_unit=per_unit, jit_compile=jit_compile)
    return probe(x, y, sample_weight, per_sample=per_sample)


class GradientProbe:
    """`gradients_through_time` for many batches: traced once for each shape of a batch.

    Make a new one when the model has been compiled anew, or its layers' settings or `trainable` have changed.

    Args:
        model: A compiled `keras.Model`. One that is not built yet is built from the batch.
        training: Boolean. Whether layers behave as in training. Defaults to `False`.
        weights: Boolean. Whether the terms of the weights' gradients are computed. Defaults to `True`.
        per_unit: Boolean. Whether the gradients of every unit and gate are kept. Defaults to `False`.
        gates: Boolean. Whether the norms with respect to the gates are computed, as `per_unit` does too. Defaults to
            `False`.
        jit_compile: Boolean. Whether to compile with XLA. Defaults to `False`.
    """

    def __init__(
        self,
        model: Any,
        *,
        training: bool = False,
        weights: bool = True,
        per_unit: bool = False,
        gates: bool = False,
        jit_compile: bool = False,
    ) -> None:
        keep = at_least_float32 if per_unit else norms_per_sample
        self._per_unit = per_unit
        self._backward_pass = BackwardPass(model, training, weights, jit_compile, keep, total_norm, gates or per_unit)

    def __call__(
        self, x: Any, y: Any = None, sample_weight: Any = None, *, per_sample: bool = False
    ) -> GradientsThroughTime:
        """Return the `GradientsThroughTime` of a batch; arguments as in `gradients_through_time`."""
        loss, layers, without_gradient = self._backward_pass(x, y, sample_weight)
        reduced = _with_units if self._per_unit else _reduce
        return GradientsThroughTime(
            loss=loss,
            layers=tuple(reduced(layer, per_sample) for layer in layers),
            without_gradient=without_gradient,
        )


def _with_units(layer: StateGradients, per_sample: bool) -> LayerGradients:
    points = dict(layer.points)
    x, output = points.pop("x"), points.pop("output", None)
    per_unit = {**_h_first(points), **layer.gates, "x": x, **({} if output is None else {"output": output})}
    norms = replace(
        layer,
        points={name: _norms(values) for name, values in layer.points.items()},
        gates={name: _norms(values) for name, values in layer.gates.items()},
    )
    return replace(_reduce(norms, per_sample), per_unit=per_unit)


def _norms(values: Array) -> Array:
    """Return what `norms_per_sample` does."""
    norms: Array = np.sqrt(np.square(values.astype(np.float64)).sum(axis=tuple(range(2, values.ndim))))
    return norms


def _h_first(points: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(points.items(), key=lambda item: item[0] == "c"))


def _reduce(layer: StateGradients, per_sample: bool) -> LayerGradients:
    def over_batch(found: dict[str, Array]) -> dict[str, NormsOverTime]:
        return {name: reduce_over_batch(norms, layer.unmasked, per_sample=per_sample) for name, norms in found.items()}

    points = over_batch(layer.points)
    some_unmasked = layer.unmasked.any(axis=0)
    return LayerGradients(
        layer=layer.layer,
        go_backwards=layer.go_backwards,
        masked=1.0 - layer.unmasked.mean(axis=0),
        x=points.pop("x"),
        output=points.pop("output", None),
        states=_h_first(points),
        weights={path: np.where(some_unmasked, norms, np.nan) for path, norms in layer.weights.items()},
        gates=over_batch(layer.gates),
        unmasked=layer.unmasked,
    )
