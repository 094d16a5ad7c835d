"""What one model computes: read before and after training, and left as it was.

A long module: what is read before must be put back after, so that both stand together.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from keras import tree

from kerasunroll.errors import InputError
from kerasunroll.inspection.gradients.norms import Array
from kerasunroll.inspection.model.calls import calls_noted
from kerasunroll.inspection.model.layers import rnn_layers, weight_path
from kerasunroll.inspection.model_parity.differences import Reading
from kerasunroll.inspection.model_parity.result import (
    GRADIENT,
    INPUT_GRADIENT,
    LAYER_OUTPUT,
    LOSS,
    OUTPUT,
    STATE,
    WEIGHT,
)
from kerasunroll.inspection.states.probe import StateProbe

LEARNING_RATE: Final = 0.1
"""That of gradient descent on a made-up loss."""

_HANDS_ON: Final = (
    keras.Model,
    keras.layers.Bidirectional,
    keras.layers.TimeDistributed,
    keras.layers.RNN,
    keras.layers.StackedRNNCells,
)

_ASKS_WHEN_QUANTIZED: Final = (keras.layers.Dense, keras.layers.EinsumDense, keras.layers.Embedding)
"""They take `training`, and look at it in quantized training (float8) only."""

_SEED_STATE: Final = "seed_generator_state"

_Label: TypeAlias = tuple[str, str, int | None]
"""The name, the layer and the direction of time of an array."""


@dataclass(frozen=True)
class Draw:
    """One random operation of a graph: its kind, its shape, and whether it is inside of a loop or function."""

    operation: str
    shape: tuple[int, ...]
    inside: bool


@dataclass(frozen=True)
class Start:
    """From where both models start, beside their weights.

    Args:
        seeds: The values of the model's seed generators.
        states: The states of its stateful layers.
        drawn: The value of Keras's own seed generator, from which layers without a seed draw.
    """

    seeds: tuple[Any, ...]
    states: tuple[Any, ...]
    drawn: Any

    @classmethod
    def of(cls, model: Any) -> "Start":
        """Return the start of a model as it stands."""
        return cls(
            seeds=tuple(tf.identity(each.value) for each in _seeds(model)),
            states=tuple(tf.identity(each.value) for each in _states(model)),
            drawn=tf.identity(_global_seed().value),
        )

    def fits(self, model: Any) -> bool:
        """Tell whether a model has as many seed generators."""
        return len(_seeds(model)) == len(self.seeds)

    def give_to(self, model: Any) -> None:
        """Let a model start from here, as far as it has such seeds and states."""
        for own, values in ((_seeds(model), self.seeds), (_states(model), self.states)):
            if [tuple(each.shape) for each in own] == [tuple(value.shape) for value in values]:
                for variable, value in zip(own, values, strict=True):
                    variable.assign(tf.cast(value, variable.dtype))
        _global_seed().assign(self.drawn)


class Subject:
    """A model whose outputs, gradients and states are read.

    The functions are traced once. Whatever runs, runs in the context `preserved`.

    Args:
        model: A built `keras.Model`.
        x: Nested tensors, the inputs.
        y: Nested tensors, the targets; `None` where the loss is made up.
        targets: What the outputs are compared with in a made-up loss, one array for each floating output; `None` where
            the model has a loss.
        jit_compile: Boolean. Whether XLA compiles.
    """

    def __init__(self, model: Any, x: Any, y: Any, targets: Sequence[Array] | None, *, jit_compile: bool) -> None:
        self.model = model
        self._x, self._y, self._targets = x, y, targets
        self._optimizer = self._fresh_optimizer()
        self._layer_labels: list[_Label] = []
        self._traced = {
            training: tf.function(partial(self._look, training), autograph=False, jit_compile=jit_compile)
            for training in (False, True)
        }
        self._probe = _state_probe(model, jit_compile)
        self.timesteps: set[int] = set()

    @property
    def states_left_out(self) -> str | None:
        """Why the states of the recurrent layers are not read; `None` where they are."""
        return self._probe if isinstance(self._probe, str) else None

    def draws(self) -> list[Draw]:
        """Return the random operations of a forward pass in training mode, in the order in which they were made."""
        return _draws(self._trace(training=True))

    def readings(self, start: Start, training_steps: int, *, training: bool) -> list[Reading]:
        """Compute, train, compute again, and leave the model as it was.

        Args:
            start: The `Start`.
            training_steps: Integer.
            training: Boolean. Whether the training steps are taken in training mode.
        """
        with preserved(self.model):
            start.give_to(self.model)
            found = self._moment(0)
            if training_steps:
                start.give_to(self.model)
                for step in range(training_steps):
                    values = self._run(training=training)
                    self._optimizer.apply(values[GRADIENT], self.model.trainable_variables)
                    if step == 0 and training:
                        found += self._named(values, 0, training=True)
                found += self._moment(training_steps)
        return found

    def _moment(self, training_steps: int) -> list[Reading]:
        found = [
            Reading(WEIGHT, weight_path(weight, self.model), self._owner(weight), training_steps, False, _array(weight))
            for weight in self.model.weights
        ]
        # First the states: a stateful layer goes on from where the last pass ended.
        found += self._state_readings(training_steps)
        return found + self._named(self._run(training=False), training_steps, training=False)

    def _trace(self, *, training: bool) -> Any:
        # TensorFlow warns of functions that are called once; not of those that are asked for their graph.
        return self._traced[training].get_concrete_function(self._x, self._y)

    def _run(self, *, training: bool) -> dict[str, list[Any]]:
        values: dict[str, list[Any]] = self._trace(training=training)(self._x, self._y)
        return values

    def _state_readings(self, training_steps: int) -> list[Reading]:
        if isinstance(self._probe, str):
            return []
        return [
            Reading(STATE, f"{layer.layer}/{name}", layer.layer, training_steps, False, values, batch=True, time=1)
            for layer in self._probe(self._x).values()
            for name, values in layer.states.items()
        ]

    def _named(self, values: dict[str, list[Any]], training_steps: int, *, training: bool) -> list[Reading]:
        found = []
        for kind, tensors in values.items():
            for label, tensor in zip(self._labels(kind, tensors), tensors, strict=True):
                name, layer, time = label
                batch = kind in (OUTPUT, LAYER_OUTPUT, INPUT_GRADIENT)
                found.append(Reading(kind, name, layer, training_steps, training, _array(tensor), batch, time))
        return found

    def _labels(self, kind: str, tensors: list[Any]) -> list[_Label]:
        if kind == LAYER_OUTPUT:
            return self._layer_labels
        if kind == GRADIENT:
            return [(weight_path(each, self.model), self._owner(each), None) for each in self.model.trainable_weights]
        if kind == LOSS:
            return [("loss", "", None)]
        names = self._input_names() if kind == INPUT_GRADIENT else _names_of(self.model, "output_names", len(tensors))
        return [(name, "", self._time_of(tensor)) for name, tensor in zip(names, tensors, strict=True)]

    def _look(self, training: bool, x: Any, y: Any) -> dict[str, list[Any]]:
        model = self.model
        arguments = {"training": training} if model._call_has_training_arg else {}
        inputs = [tensor for tensor in tree.flatten(x) if tensor.dtype.is_floating]
        weights = [weight.value for weight in model.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            with _outputs_of_layers(model) as calls:
                y_pred = model(x, **arguments)
            loss = self._loss(x, y, y_pred, training)
            # In half precision small gradients would vanish: the optimizer takes them scaled.
            scaled = self._optimizer.scale_loss(loss)
        found = tape.gradient(scaled, [*weights, *inputs])
        gradients = [_dense(gradient, like) for gradient, like in zip(found, [*weights, *inputs], strict=True)]
        self._layer_labels = [(call.name, call.layer.name, call.time) for call in calls]
        self.timesteps |= {call.timesteps for call in calls if call.timesteps}
        return {
            OUTPUT: tree.flatten(y_pred),
            LOSS: [loss],
            LAYER_OUTPUT: [call.output for call in calls],
            GRADIENT: gradients[: len(weights)],
            INPUT_GRADIENT: gradients[len(weights) :],
        }

    def _loss(self, x: Any, y: Any, y_pred: Any, training: bool) -> Any:
        if self._targets is None:
            return self.model._compute_loss(x, y, y_pred, None, training=training)
        floating = [each for each in tree.flatten(y_pred) if each.dtype.is_floating]
        squares = [
            tf.reduce_mean(tf.square(each - tf.cast(target, each.dtype)))
            for each, target in zip(floating, self._targets, strict=True)
        ]
        dtype = keras.config.floatx()
        return tf.add_n([tf.cast(each, dtype) for each in [*squares, *self.model.losses]] or [tf.zeros([], dtype)])

    def _fresh_optimizer(self) -> Any:
        """Return an optimizer like the model's, in the state in which that is; the model's own is left alone."""
        own = self.model.optimizer if self.model.compiled and self._targets is None else None
        fresh = keras.optimizers.SGD(LEARNING_RATE) if own is None else type(own).from_config(own.get_config())
        fresh.build(self.model.trainable_variables)
        if own is not None and own.built:
            for variable, original in zip(fresh.variables, own.variables, strict=True):
                variable.assign(original.value)
        return fresh

    def _owner(self, weight: Any) -> str:
        parts = weight_path(weight, self.model).split("/")
        recurrent = {layer.name for layer in rnn_layers(self.model)}
        return next((part for part in reversed(parts) if part in recurrent), "/".join(parts[:-1]))

    def _input_names(self) -> list[str]:
        flat = tree.flatten(self._x)
        names = _names_of(self.model, "input_names", len(flat))
        return [name for name, tensor in zip(names, flat, strict=True) if tensor.dtype.is_floating]

    def _time_of(self, tensor: Any) -> int | None:
        return 1 if len(tensor.shape) >= 3 and tensor.shape[1] in self.timesteps else None


def trains_as_it_infers(model: Any) -> bool:
    """Tell whether a model surely computes the same in training mode: no dropout, no noise, no batch statistics."""
    return not any(
        layer._call_has_training_arg and not _is_transparent(layer) for layer in (model, *model._flatten_layers())
    )


def _is_transparent(layer: Any) -> bool:
    """Tell whether a layer of Keras or of this package only hands on whether it is training."""
    if not type(layer).__module__.startswith(("keras.", "kerasunroll.")):
        return False
    if isinstance(layer, _HANDS_ON):
        return True
    if isinstance(layer, _ASKS_WHEN_QUANTIZED):
        return getattr(layer, "quantization_mode", None) is None
    return getattr(layer, "dropout", None) == 0 and getattr(layer, "recurrent_dropout", None) == 0


@contextmanager
def preserved(model: Any) -> Iterator[None]:
    """Give all variables of a model, and Keras's own seed generator, their former values when the context is left."""
    variables = [*model.variables, *model.metrics_variables, *_states(model), _global_seed()]
    former = {id(variable): (variable, tf.identity(variable.value)) for variable in variables}
    try:
        yield
    finally:
        for variable, value in former.values():
            variable.assign(value)
        for metric in model.metrics:
            if any(id(variable) not in former for variable in metric.variables):
                metric.reset_state()


@dataclass(frozen=True)
class _Call:
    """What a recurrent layer returned when it was called; `time` is as in `Reading`."""

    name: str
    layer: Any
    output: Any
    time: int | None
    timesteps: int | None


@contextmanager
def _outputs_of_layers(model: Any) -> Iterator[list[_Call]]:
    """Collect what every recurrent layer returns, where it runs in the graph of the model itself."""
    calls: list[_Call] = []
    graph = tf.compat.v1.get_default_graph()

    def collect(layer: Any, sequences: Any, mask: Any, result: Any) -> None:  # noqa: ARG001
        for index, output in enumerate(tree.flatten(result)):
            # Inside TimeDistributed and under rematerialisation the graph is another one.
            if getattr(output, "graph", None) is graph:
                over_time = layer.return_sequences and index == 0
                direction = (-1 if layer.go_backwards else 1) if over_time else None
                name = layer.name if index == 0 else f"{layer.name}, final state {index}"
                calls.append(_Call(name, layer, output, direction, sequences.shape[1]))

    with calls_noted(list(rnn_layers(model)), collect):
        yield calls


def _state_probe(model: Any, jit_compile: bool) -> StateProbe | str:
    try:
        return StateProbe(model, jit_compile=jit_compile)
    except InputError as error:
        return str(error)


def _draws(concrete: Any) -> list[Draw]:
    graph = concrete.graph.as_graph_def(add_shapes=True)
    draws = [_draw(node, False) for node in graph.node if "Random" in node.op]
    inner = (node for function in graph.library.function for node in function.node_def if "Random" in node.op)
    return draws + sorted((_draw(node, True) for node in inner), key=str)


def _draw(node: Any, inside: bool) -> Draw:
    shapes = node.attr["_output_shapes"].list.shape
    return Draw(node.op, tuple(int(axis.size) for shape in shapes for axis in shape.dim), inside)


def _dense(gradient: Any, like: Any) -> Any:
    return tf.zeros_like(like) if gradient is None else tf.convert_to_tensor(gradient)


def _array(value: Any) -> Array:
    return np.asarray(keras.ops.convert_to_numpy(value))


def _names_of(model: Any, attribute: str, count: int) -> list[str]:
    names = list(getattr(model, attribute, None) or [])
    return names if len(names) == count else [str(index) for index in range(count)]


def _seeds(model: Any) -> list[Any]:
    return [variable for variable in model.variables if variable.path.endswith(_SEED_STATE)]


def _states(model: Any) -> list[Any]:
    stateful = (layer for layer in rnn_layers(model) if layer.stateful and layer.states is not None)
    return [state for layer in stateful for state in tree.flatten(layer.states)]


def _global_seed() -> Any:
    return keras.src.random.seed_generator.global_seed_generator().state
