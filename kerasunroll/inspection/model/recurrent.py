"""Find the recurrent layers of a model, and the cells that keep their states."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import keras

from kerasunroll.compatibility import is_rematerialised
from kerasunroll.errors import InputError
from kerasunroll.models.building import is_built

OWN_RUN: Final = "run_through_time"
"""The method by which a layer with an inner loop of its own can be tapped; called like `keras.src.backend.rnn`."""


@dataclass(frozen=True)
class RecurrentLayer:
    """A recurrent layer of a model and its cells.

    Args:
        name: String, unique in the model: the layer's name, or its path where two layers share a name.
        layer: A `keras.layers.RNN`.
        cells: Tuple of cells that keep a state of their own: one, or several inside `StackedRNNCells`.
    """

    name: str
    layer: Any
    cells: tuple[Any, ...]

    @property
    def cell_names(self) -> tuple[str, ...]:
        """One unique name per cell: the layer's, or in a stack of cells `<layer>/<cell>`."""
        if not isinstance(self.layer.cell, keras.layers.StackedRNNCells):
            return (self.name,)
        names = [getattr(cell, "name", type(cell).__name__) for cell in self.cells]
        return tuple(f"{self.name}/{name}" for name in _unique(names, names))


def recurrent_layers(model: Any) -> tuple[RecurrentLayer, ...]:
    """Return every recurrent layer of a built model, also nested ones and those inside `Bidirectional`.

    Args:
        model: A `keras.Model`.

    Returns:
        A tuple of `RecurrentLayer`, at least one.

    Raises:
        InputError: If `model` is no Keras model, is not built, has no recurrent layer, or has one that runs where
            it cannot be observed (inside `TimeDistributed`, under rematerialisation, by an inner loop of its own).
    """
    if not isinstance(model, keras.Model):
        raise InputError(f"Expected a keras.Model, got {type(model).__name__}: {model!r}.")
    if not is_built(model):
        raise InputError(
            f"Model '{model.name}' is not built, so its weights do not exist yet. "
            "Give it a keras.Input, or call it once on a batch."
        )
    layers = list(_walk(model))
    if not layers:
        raise InputError(
            f"Model '{model.name}' has no recurrent layer (no keras.layers.RNN such as LSTM, GRU or SimpleRNN): "
            "there is nothing that runs through time."
        )
    names = _unique([layer.name for layer in layers], [layer.path for layer in layers])
    return tuple(RecurrentLayer(name, layer, _cells(name, layer)) for name, layer in zip(names, layers, strict=True))


def _walk(layer: Any, seen: set[int] | None = None) -> Iterator[Any]:
    seen = set() if seen is None else seen
    if id(layer) in seen:
        return
    seen.add(id(layer))
    if isinstance(layer, keras.layers.RNN):
        _check_observable(layer)
        yield layer
        return
    for inner in layer._layers:
        for found in _walk(inner, seen):
            _check_surroundings(layer, found)
            yield found


def _check_surroundings(outer: Any, layer: Any) -> None:
    if isinstance(outer, keras.layers.TimeDistributed):
        raise InputError(
            f"Recurrent layer '{layer.name}' is inside TimeDistributed layer '{outer.name}': Keras runs it once per "
            "outer time step, in a map whose inside cannot be observed. Fold the outer time steps into the batch "
            "(reshape, recurrent layer, reshape back)."
        )
    _check_not_rematerialised(outer, layer)


def _check_observable(layer: Any) -> None:
    _check_not_rematerialised(layer, layer)
    if "inner_loop" in vars(layer):
        raise InputError(f"Recurrent layer '{layer.name}' is being observed already: leave that context first.")
    own_loop = not type(layer).inner_loop.__module__.startswith("keras.")
    if own_loop and not hasattr(layer, OWN_RUN):
        raise InputError(
            f"Recurrent layer '{layer.name}' ({type(layer).__name__}) runs through time by an inner_loop of its own, "
            f"whose inside cannot be observed. Give the class a method {OWN_RUN} that takes what "
            "keras.src.backend.rnn takes and returns what it returns."
        )


def _check_not_rematerialised(outer: Any, layer: Any) -> None:
    if is_rematerialised(outer):
        raise InputError(
            f"Recurrent layer '{layer.name}' runs under rematerialisation (keras.RematScope), where its states "
            "exist only for a moment and cannot be observed. Build the model without RematScope."
        )


def _cells(name: str, layer: Any) -> tuple[Any, ...]:
    cells = tuple(_leaves(layer.cell))
    if len({id(cell) for cell in cells}) < len(cells):
        raise InputError(
            f"Recurrent layer '{name}' has one cell twice in its StackedRNNCells, so that its states cannot be told "
            "apart. Give every place in the stack a cell of its own."
        )
    return cells


def _leaves(cell: Any) -> Iterator[Any]:
    if isinstance(cell, keras.layers.StackedRNNCells):
        for inner in cell.cells:
            yield from _leaves(inner)
    else:
        yield cell


def _unique(names: list[str], alternatives: list[str]) -> list[str]:
    """Return names as they are where unique, else the alternative, numbered where that is not unique either."""
    count = Counter(names)
    chosen = [name if count[name] == 1 else alternative for name, alternative in zip(names, alternatives, strict=True)]
    times: Counter[str] = Counter()
    unique = []
    for name in chosen:
        times[name] += 1
        unique.append(name if times[name] == 1 else f"{name}~{times[name]}")
    return unique
