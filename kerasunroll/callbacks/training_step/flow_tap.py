"""Gradients through time out of Keras's own training step, as a by-product of its one backward pass."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasunroll.callbacks.training_step.replicas import gradients_received, meet
from kerasunroll.callbacks.training_step.variables import variable_beside_tracing
from kerasunroll.errors import InputError
from kerasunroll.inspection import GradientsThroughTime, LayerGradients, NormsOverTime, SunkGradient, tapped
from kerasunroll.inspection.gradients.gate_gradients import gate_gradients
from kerasunroll.inspection.gradients.reductions import at_least_float32, loss_scale, norms_per_sample
from kerasunroll.inspection.gradients.sinks import gradient_sink_source
from kerasunroll.inspection.model.recurrent import recurrent_layers
from kerasunroll.inspection.over_time.quantities import GATES
from kerasunroll.inspection.taps.cell_runs import CellRun
from kerasunroll.models.building import build_from, is_built


class FlowTap:
    """A hook for `TrainFunction` that keeps the norms of the gradients through time of the training step it joins.

    The norms are reduced over the batch (under a strategy, that of all devices together) inside the compiled training
    step and put into variables, which `read` reads.

    Args:
        model: A compiled Keras model. One that is not built yet is built from the batch of its first training step.
        gates: Boolean. Whether the gradients with respect to the gates of LSTM and GRU cells are kept too. Defaults to
            `False`.

    Raises:
        InputError: If the model is built and has no recurrent layer, or one that cannot be tapped; for a model that is
            not built yet, when the training step is traced.
    """

    def __init__(self, model: keras.Model, *, gates: bool = False) -> None:
        self._model = model
        self._gates = gates
        self._layers = _names(model) if is_built(model) else []
        self._kept: dict[tuple[str, str], Any] = {}
        self._masked: dict[str, Any] = {}
        self._go_backwards: dict[str, bool] = {}

    @contextmanager
    def hook(self, data: Any) -> Iterator[None]:
        """Tap the recurrent layers while this context is open."""
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        build_from(self._model, x)
        self._layers = self._layers or _names(self._model)
        sink: list[SunkGradient] = []
        source = gradient_sink_source(self._model, sink, reduce=tf.identity)
        with ExitStack() as taps:
            runs = taps.enter_context(tapped(self._model, source, record=self._gates, as_loop=True))
            with self._when_gradients_are_there(lambda: self._see_gradients(runs, sink, taps)):
                yield
        self._go_backwards = {run.name: run.go_backwards for run in runs}
        places = [(sunk.run.name, sunk.point) for sunk in sink]
        norms = [norms_per_sample(sunk.value) for sunk in sink]
        masks = [_unmasked(sunk.run, of_one) for sunk, of_one in zip(sink, norms, strict=True)]
        meet(lambda tensors: self._keep_all(places, tensors), [*norms, *masks])

    def _when_gradients_are_there(self, see: Callable[[], None]) -> AbstractContextManager[object]:
        optimizer = self._model.optimizer
        return nullcontext() if optimizer is None else gradients_received(optimizer, lambda *_: see())

    def _see_gradients(self, runs: list[CellRun], sink: list[SunkGradient], taps: ExitStack) -> None:
        """Do what cannot wait until the end of the training step, in which the weights change."""
        if self._gates:
            seen = {id(sunk.run) for sunk in sink if sunk.point in GATES}
            sink += [gate for run in runs if id(run) not in seen for gate in _gates_of(run, sink, self._model)]
        if self._model.distribute_strategy.num_replicas_in_sync > 1:
            taps.close()  # another replica begins where this one's gradients are waiting for its own

    def read(self) -> GradientsThroughTime:
        """Return what the last training step with this hook left behind. Its loss is not kept: it is NaN.

        Raises:
            InputError: If no gradient came by any recurrent layer.
        """
        if not self._masked:
            reason = (
                "its loss does not depend on them"
                if self._go_backwards
                else "none of them runs there where it can be observed (a tf.function of the model's own hides it)"
            )
            raise InputError(
                f"No gradient is seen to flow back through a recurrent layer ({', '.join(self._layers)}) in a training "
                f"step of model '{self._model.name}': {reason}."
            )
        layers = [self._read_layer(name) for name in self._go_backwards if name in self._masked]
        seen = {layer.layer for layer in layers}
        missing = tuple(name for name in self._layers if name not in seen)
        return GradientsThroughTime(loss=float("nan"), layers=tuple(layers), without_gradient=missing)

    def _read_layer(self, name: str) -> LayerGradients:
        norms = {
            point: NormsOverTime(*variable.numpy()) for (layer, point), variable in self._kept.items() if layer == name
        }
        x, output = norms.pop("x"), norms.pop("output", None)
        gates = {point: norms.pop(point) for point in list(norms) if point in GATES}
        return LayerGradients(
            layer=name,
            go_backwards=self._go_backwards[name],
            masked=self._masked[name].numpy(),
            x=x,
            states=_h_first(norms),
            output=output,
            weights={},
            gates=gates,
        )

    def _keep_all(self, places: list[tuple[str, str]], tensors: list[tuple[Any, ...]]) -> None:
        """Keep the norms at all places, over the samples of all replicas."""
        whole = [tf.concat(of_replicas, axis=0) for of_replicas in tensors]
        norms, masks = whole[: len(places)], whole[len(places) :]
        for place, values, unmasked in zip(places, norms, masks, strict=True):
            self._keep(self._kept, place, _over_batch(values, unmasked))
            self._keep(self._masked, place[0], 1.0 - tf.reduce_mean(tf.cast(unmasked, tf.float64), axis=0))

    @staticmethod
    def _keep(variables: dict[Any, Any], key: Any, value: Any) -> None:
        """Assign a value to a variable that outlives the graph, made at the first time."""
        if key not in variables:
            zeros = np.zeros([size or 0 for size in value.shape], value.dtype.as_numpy_dtype)
            variables[key] = variable_beside_tracing(zeros, value.shape)
        variables[key].assign(value)


def _names(model: keras.Model) -> list[str]:
    return [name for layer in recurrent_layers(model) for name in layer.cell_names]


def _gates_of(run: CellRun, sink: list[SunkGradient], model: keras.Model) -> list[SunkGradient]:
    """Return the gradients with respect to the gates of a run, from those with respect to what its cell makes."""
    points = {sunk.point: sunk.value for sunk in sink if sunk.run is run}
    if not points:
        return []
    # The cell computes in its own precision: in half of it, what is not scaled vanishes.
    scaled = {name: value * loss_scale(model, value.dtype) for name, value in points.items()}
    found = {name: at_least_float32(value) for name, value in gate_gradients(run, scaled).items()}
    return [SunkGradient(run, name, value / loss_scale(model, value.dtype)) for name, value in found.items()]


def _unmasked(run: CellRun, norms: Any) -> Any:
    """Return where the samples of a run are not masked, (B, T)."""
    return tf.ones_like(norms, tf.bool) if run.mask is None else run.mask


def _over_batch(norms: Any, unmasked: Any) -> Any:
    """Reduce (B, T) to the rows mean, min and max, (3, T), over the samples that are not masked."""
    infinite = tf.constant(float("inf"), norms.dtype)
    count = tf.reduce_sum(tf.cast(unmasked, norms.dtype), axis=0)
    mean = tf.reduce_sum(tf.where(unmasked, norms, 0.0), axis=0) / tf.maximum(count, 1.0)
    least = tf.reduce_min(tf.where(unmasked, norms, infinite), axis=0)
    most = tf.reduce_max(tf.where(unmasked, norms, -infinite), axis=0)
    return tf.where(count > 0, tf.stack([mean, least, most]), tf.constant(float("nan"), norms.dtype))


def _h_first(norms: Mapping[str, NormsOverTime]) -> dict[str, NormsOverTime]:
    return dict(sorted(norms.items(), key=lambda item: (item[0] == "c", item[0])))
