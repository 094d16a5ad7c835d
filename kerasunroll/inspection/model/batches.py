"""Check a batch against a model, and leave the model as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf
from keras import tree

from kerasunroll.errors import InputError
from kerasunroll.inspection.model.recurrent import recurrent_layers
from kerasunroll.models.building import build_from


def as_batch(model: Any, x: Any, y: Any = None, sample_weight: Any = None) -> tuple[Any, Any, Any]:
    """Return a batch as tensors, having checked that the model can take it.

    Args:
        model: A `keras.Model`. One that is not built yet is built from the batch.
        x: Arrays or tensors (B, ...), nested as the model takes them.
        y: The targets, or `None`.
        sample_weight: The weights of samples, or `None`.

    Returns:
        A tuple `(x, y, sample_weight)` of tensors, nested as they came.

    Raises:
        InputError: If the batch is empty, its parts differ in length, or `x` has not the shape of the model's input.
    """
    batch = {"x": x, "y": y, "sample_weight": sample_weight}
    tensors = tree.map_structure(lambda value: None if value is None else tf.convert_to_tensor(value), batch)
    lengths = {}
    for path, tensor in tree.flatten_with_path(tensors):
        if tensor is not None:
            name = ".".join(str(part) for part in path)
            if tensor.shape.rank == 0 or 0 in tensor.shape:
                raise InputError(f"Expected a batch of at least one sample, got {name} of shape {tuple(tensor.shape)}.")
            lengths[name] = tensor.shape[0]
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise InputError(f"Expected all parts of a batch to have the same number of samples, but {found}.")
    build_from(model, tensors["x"])
    _check_input_shapes(model, tensors["x"])
    return tensors["x"], tensors["y"], tensors["sample_weight"]


@contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """Give all that a forward pass changes in a model its former value, when the context is left.

    That is: states of stateful layers, moving averages, seeds (so that the next training step draws the numbers that it
    would have drawn) and the metrics that track the loss.
    """
    # Reading a variable does not copy it; a copy is made only for one that is then changed.
    former = {id(variable): (variable, tf.convert_to_tensor(variable.value)) for variable in _changeable(model)}
    try:
        yield
    finally:
        for variable, value in former.values():
            variable.assign(value)
        for metric in model.metrics:
            if any(id(variable) not in former for variable in metric.variables):
                metric.reset_state()


def _changeable(model: Any) -> Iterator[Any]:
    yield from (variable for variable in model.variables if not variable.trainable)
    yield from model.metrics_variables
    for recurrent in recurrent_layers(model):
        yield from tree.flatten(recurrent.layer.states) if recurrent.layer.stateful else ()


def _check_input_shapes(model: Any, x: Any) -> None:
    expected = _inputs_by_name(model)
    if not expected:
        return
    given = x if isinstance(x, dict) else dict(zip(expected, tree.flatten(x), strict=False))
    if not set(expected) <= set(given) or (not isinstance(x, dict) and len(tree.flatten(x)) > len(expected)):
        came = ", ".join(x) if isinstance(x, dict) else len(tree.flatten(x))
        raise InputError(
            f"Model '{model.name}' takes {len(expected)} input(s) ({', '.join(expected)}), got a batch with {came}."
        )
    for name, shape in expected.items():
        if not _fits(tuple(given[name].shape), shape):
            raise InputError(
                f"Input '{name}' of model '{model.name}' takes the shape {_shape(shape)}, got a batch of shape "
                f"{_shape(tuple(given[name].shape))}. Give it such a batch, or build the model with None for the axis "
                "that may have any length."
            )


def _inputs_by_name(model: Any) -> dict[str, tuple[int | None, ...]]:
    if not isinstance(model, keras.Sequential) and not hasattr(model, "_inputs_struct"):
        return {}  # A subclassed model does not say what it takes; its layers do, when they are called.
    struct = getattr(model, "_inputs_struct", model.inputs)
    named = struct if isinstance(struct, dict) else {tensor.name: tensor for tensor in tree.flatten(struct)}
    return {name: (None, *tensor.shape[1:]) for name, tensor in named.items()}


def _fits(given: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    # Keras adds or drops a last axis of length 1 by itself.
    for shape in (given, (*given, 1), given[:-1] if given[-1] == 1 else given):
        if len(shape) == len(expected):
            return all(wanted in (None, size) for size, wanted in zip(shape, expected, strict=True))
    return False


def _shape(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
