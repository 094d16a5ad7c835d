"""What a plan has to know of a model that was given in Python, in plain values."""

import hashlib
import math
from typing import Any

import keras

from kerasunroll.models.conversion.with_unroll import Place, recurrent_places
from kerasunroll.models.factories.fields import CELL_NAMES
from kerasunroll.models.files.saved import SavedLayer, SavedModel, folder_name


def given_model(model: keras.Model, path: str, content: bytes, *, x: Any) -> SavedModel:
    """Describe a model whose recipe is going to lie in a file.

    Args:
        model: A built and compiled `keras.Model`.
        path: String. The path of the file, relative to the folder of the comparison.
        content: Bytes. What it holds.
        x: A batch of its inputs, nested.

    Raises:
        InputError: If it has no recurrent layer.
    """
    layers = tuple(_layer(place) for place in _wholes(model))
    policies = [place.layer.dtype_policy.name for place in _wholes(model)]
    first = keras.tree.flatten(x)[0]
    fixed = _fixed_batch_size(model)
    return SavedModel(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        takes=None if fixed is None else (fixed, *first.shape[1:]),
        input_shape=tuple(first.shape[1:]) if len(keras.tree.flatten(x)) == 1 else (_timesteps(layers),),
        recurrent=layers,
        compiled=True,
        jit_compile=model.jit_compile if isinstance(model.jit_compile, bool) else None,
        dtype=next((policy for policy in policies if policy != "float32"), None),
        name=folder_name(f"{model.name}-T{_timesteps(layers) or 'any'}"),
    )


def _wholes(model: keras.Model) -> list[Place]:
    """Return the first place of each recurrent layer; both directions of a `Bidirectional` are one."""
    found: dict[Any, Place] = {}
    for place in recurrent_places(model):
        found.setdefault(place.whole, place)
    return list(found.values())


def _layer(place: Place) -> SavedLayer:
    cell = _innermost(place.layer.cell)
    kind = type(cell).__name__.removesuffix("Cell")
    shape = _shape(place.layer)
    inner = shape[2:] if shape else (None,)
    units = getattr(cell, "units", getattr(cell, "filters", None))
    return SavedLayer(
        name=place.whole.name,
        cell=next((name for name, shown in CELL_NAMES.items() if shown == kind), type(cell).__name__),
        units=units if isinstance(units, int) else None,
        features=None if None in inner else math.prod(inner),
        timesteps=shape[1] if shape else None,
        bidirectional=isinstance(place.whole, keras.layers.Bidirectional),
    )


def _innermost(cell: Any) -> Any:
    """Return the last cell of a stack of cells, or the cell itself."""
    return _innermost(cell.cells[-1]) if isinstance(cell, keras.layers.StackedRNNCells) else cell


def _shape(layer: Any) -> tuple[Any, ...] | None:
    """Return the shape of a batch that a layer was called on, or built for."""
    for node in layer._inbound_nodes:
        return tuple(node.input_tensors[0].shape)
    built = layer.get_build_config() or {}
    shape = built.get("input_shape") or (built.get("shapes_dict") or {}).get("sequences_shape")
    return tuple(shape) if shape and all(isinstance(size, int | None) for size in shape) else None


def _fixed_batch_size(model: keras.Model) -> int | None:
    inputs = keras.tree.flatten(getattr(model, "inputs", None) or ())
    return next((int(each.shape[0]) for each in inputs if each.shape[0] is not None), None)


def _timesteps(layers: tuple[SavedLayer, ...]) -> int | None:
    return max((layer.timesteps for layer in layers if layer.timesteps), default=None)
