"""What recurrent layers a model has, and how each of them runs."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from keras import tree

from kerasunroll.compatibility import mask_stops
from kerasunroll.inspection.graph.path import execution_path
from kerasunroll.inspection.model.calls import calls_noted
from kerasunroll.inspection.model.layers import rnn_layers
from kerasunroll.models.conversion.with_unroll import recurrent_places
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
        mask_stops_at: String. The layer that keeps this mask to itself, though it returns all time steps: this one or
            the `Bidirectional` around it; empty if there is none.
    """

    name: str
    kind: str
    setting: str
    path: str
    input_shape: tuple[int | None, ...]
    output_shape: tuple[int | None, ...]
    masked: bool
    mask_stops_at: str


def recurrent_layer_facts(model: Any, x: Any) -> tuple[LayerFacts, ...]:
    """Return the recurrent layers of a model, as they run on a batch in inference.

    Args:
        model: A built `keras.Model`.
        x: The inputs of one batch.
    """
    layers = list(rnn_layers(model))
    # Around the two directions, the `Bidirectional` is what hands a mask on.
    wholes = {id(place.layer): place.whole for place in recurrent_places(model)}
    arguments = {"training": False} if model._call_has_training_arg else {}
    calls: dict[int, tuple[Any, Any, bool, str]] = {}

    def note(layer: Any, sequences: Any, mask: Any, result: Any) -> None:
        masked = any(each is not None for each in tree.flatten(mask))
        shapes = tuple(sequences.shape), tuple(tree.flatten(result)[0].shape)
        whole = wholes.get(id(layer), layer)
        calls[id(layer)] = *shapes, masked, whole.name if masked and mask_stops(whole) else ""

    def run(values: Any) -> Any:
        with calls_noted(layers, note):
            return model(values, **arguments)

    graph = tf.function(run, autograph=False).get_concrete_function(tree.map_structure(tf.convert_to_tensor, x)).graph
    paths = _paths(execution_path(graph.as_graph_def(), model), [layer.name for layer in layers])
    return tuple(
        LayerFacts(layer.name, type(layer).__name__, _setting(layer), path, *calls.get(id(layer), ((), (), False, "")))
        for layer, path in zip(layers, paths, strict=True)
    )


def _setting(layer: Any) -> str:
    own = hasattr(layer, "chosen_setting")
    return settings_name(own_setting(layer.get_config()["unroll"]) if own else layer.unroll)


def _paths(text: str, names: list[str]) -> list[str]:
    named = dict(part.split(": ", 1) for part in text.split(", ") if ": " in part)
    return [named.get(name, text) for name in names]
