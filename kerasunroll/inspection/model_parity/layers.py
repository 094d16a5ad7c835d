"""What recurrent layers a model has, and how each of them runs."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from keras import tree

from kerasunroll.inspection.graph.path import execution_path
from kerasunroll.inspection.model.calls import calls_noted
from kerasunroll.inspection.model.layers import rnn_layers
from kerasunroll.settings import own_setting, settings_name


@dataclass(frozen=True)
class LayerFacts:
    """A recurrent layer of a model.

    Args:
        name: String.
        kind: String. Its class, such as `"LSTM"`.
        setting: String, such as `"loop"` or `"own-full"`.
        path: String. What really ran: see `execution_path`.
        input_shape: Tuple. What it received, the samples first; empty where it did not run.
        output_shape: Tuple. What it returned.
        masked: Boolean. Whether it received a mask.
    """

    name: str
    kind: str
    setting: str
    path: str
    input_shape: tuple[int | None, ...]
    output_shape: tuple[int | None, ...]
    masked: bool


def recurrent_layer_facts(model: Any, x: Any) -> tuple[LayerFacts, ...]:
    """Return the recurrent layers of a model, as they run on a batch in inference.

    Args:
        model: A built `keras.Model`.
        x: The inputs of one batch.
    """
    layers = list(rnn_layers(model))
    arguments = {"training": False} if model._call_has_training_arg else {}
    shapes: dict[int, tuple[Any, Any, bool]] = {}

    def note(layer: Any, sequences: Any, mask: Any, result: Any) -> None:
        masked = any(each is not None for each in tree.flatten(mask))
        shapes[id(layer)] = tuple(sequences.shape), tuple(tree.flatten(result)[0].shape), masked

    def run(values: Any) -> Any:
        with calls_noted(layers, note):
            return model(values, **arguments)

    graph = tf.function(run, autograph=False).get_concrete_function(tree.map_structure(tf.convert_to_tensor, x)).graph
    paths = _paths(execution_path(graph.as_graph_def(), model), [layer.name for layer in layers])
    return tuple(
        LayerFacts(layer.name, type(layer).__name__, _setting(layer), path, *shapes.get(id(layer), ((), (), False)))
        for layer, path in zip(layers, paths, strict=True)
    )


def _setting(layer: Any) -> str:
    own = hasattr(layer, "chosen_setting")
    return settings_name(own_setting(layer.get_config()["unroll"]) if own else layer.unroll)


def _paths(text: str, names: list[str]) -> list[str]:
    named = dict(part.split(": ", 1) for part in text.split(", ") if ": " in part)
    return [named.get(name, text) for name in names]
