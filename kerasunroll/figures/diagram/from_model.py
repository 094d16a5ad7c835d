"""What is drawn of a Keras model: its recurrent layers, and how each runs through time."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from kerasunroll.errors import InputError
from kerasunroll.figures.diagram.network import Layer, Network, Way, make_way
from kerasunroll.settings import AUTO

_NAMES: Final = {"SimpleRNNCell": "SimpleRNN", "LSTMCell": "LSTM", "GRUCell": "GRU"}
_MOST_STATES: Final = 2


def network_of(model: Any, *, timesteps: int | None = None, layers: Sequence[str] = ()) -> Network:
    """Return a model's recurrent layers as a network that can be drawn, each above the one before.

    Args:
        model: A built `keras.Model`.
        timesteps: Integer or `None`. T, where the model takes any. Defaults to the model's own.
        layers: Names of recurrent layers, or patterns such as `"encoder_*"`. Defaults to `()`: all.

    Returns:
        A `Network`.

    Raises:
        InputError: If there is no recurrent layer, T is not known, the layers have different numbers of time steps, or
            one has several cells, or more states than an LSTM.
    """
    found = [
        layer for layer in _outermost(model) if not layers or any(fnmatchcase(layer.name, each) for each in layers)
    ]
    if not found:
        what = f" whose name is {' or '.join(layers)}" if layers else " (no keras.layers.RNN such as LSTM or GRU)"
        raise InputError(f"Model '{model.name}' has no recurrent layer{what}: there is nothing to draw.")
    lengths = {layer.name: _length(layer) for layer in found}
    known = {length for length in lengths.values() if length is not None}
    if len(known) > 1:
        words = ", ".join(f"'{name}' {length}" for name, length in lengths.items() if length is not None)
        raise InputError(f"The recurrent layers have different numbers of time steps: {words}. Name those to draw.")
    own = next(iter(known), None)
    if timesteps is not None and own is not None and timesteps != own:
        raise InputError(f"Model '{model.name}' has T = {own}, got {timesteps} time steps. Leave them out.")
    length = own if timesteps is None else timesteps
    if length is None:
        raise InputError(f"Model '{model.name}' takes any number of time steps. Give one to draw.")
    drawn = tuple(_layer(layer, length) for layer in found)
    top = _directions(found[-1])[0]
    return Network(layers=drawn, timesteps=length, sequences=bool(top.return_sequences))


def _outermost(model: Any) -> list[Any]:
    """Return the recurrent layers, those of a bidirectional one as the one that they are."""
    import keras

    found = [
        layer for layer in model._flatten_layers() if isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional))
    ]
    inside = {id(way) for layer in found if _is_bidirectional(layer) for way in _directions(layer)}
    return [layer for layer in found if id(layer) not in inside]


def _is_bidirectional(layer: Any) -> bool:
    return hasattr(layer, "backward_layer")


def _directions(layer: Any) -> list[Any]:
    return [layer.forward_layer, layer.backward_layer] if _is_bidirectional(layer) else [layer]


def _length(layer: Any) -> int | None:
    """Return the number of time steps that a layer was built for."""
    try:
        shape = layer.input.shape
    except (AttributeError, ValueError):
        # It is called more than once, or in a model that is not a graph of layers.
        return None
    return None if len(shape) < 2 else shape[1]


def _layer(layer: Any, timesteps: int) -> Layer:
    directions = _directions(layer)
    cell = directions[0].cell
    sizes = cell.state_size
    states = list(sizes) if isinstance(sizes, list | tuple) else [sizes]
    if hasattr(cell, "cells") or len(states) > _MOST_STATES:
        raise InputError(
            f"Recurrent layer '{layer.name}' has {'several cells' if hasattr(cell, 'cells') else 'many states'}, which "
            "cannot be drawn. Name the layers to draw."
        )
    name = type(cell).__name__
    units = states[0] if isinstance(states[0], int) else states[0][-1]
    return Layer(
        cell=_NAMES.get(name, name.removesuffix("Cell")),
        states=("h", "c")[: len(states)],
        units=int(units),
        ways=tuple(_way(each, timesteps) for each in directions),
    )


def _way(layer: Any, timesteps: int) -> Way:
    unroll = layer.unroll
    return make_way(
        AUTO if unroll == AUTO else unroll if isinstance(unroll, bool) else int(unroll),
        getattr(layer, "truncate", None),
        getattr(layer, "recompute", False),
        timesteps,
        backwards=bool(layer.go_backwards),
    )
