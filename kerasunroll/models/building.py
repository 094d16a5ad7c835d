"""Building a model from a batch: a subclassed model and a `Sequential` without `Input` have no weights before."""

from typing import Any

import keras
from keras import tree

from kerasunroll.errors import InputError


def is_built(model: keras.Model) -> bool:
    """Tell whether the weights of all layers exist, also where a model without a `call` is never `built`."""
    layers = [layer for layer in model._flatten_layers(include_self=False) if not isinstance(layer, keras.Model)]
    return all(layer.built for layer in layers) and (model.built or bool(layers))


def is_unbuilt(model: Any) -> bool:
    """Tell whether something is a Keras model whose weights do not exist yet."""
    return isinstance(model, keras.Model) and not is_built(model)


def build_from(model: keras.Model, x: Any) -> None:
    """Make the weights of a model that is not built yet, as its first call on `x` would; others stay as they are.

    Nothing is computed, and no random number is drawn but those of the initialisers, in the order of the first call.

    Args:
        model: A `keras.Model`.
        x: A batch of inputs, nested as the model takes them: arrays, tensors or `tf.TensorSpec`s, of which only
            shapes and data types matter.

    Raises:
        InputError: If the model has no `call`.
        Exception: What the model raises when it is called on inputs that it does not take.
    """
    if is_built(model):
        return
    if not has_call(model):
        raise InputError(
            f"Model '{model.name}' has no method `call`, so it cannot be built from a batch. Call its layers once on a "
            "batch, or give them a keras.Input."
        )
    model(tree.map_structure(_symbolic, x))


def has_call(model: keras.Model) -> bool:
    """Tell whether a model can be called; one that is there for its `train_step` may not."""
    return type(model).call is not keras.Model.call


def _symbolic(value: Any) -> Any:
    return value if value is None else keras.KerasTensor(value.shape, keras.backend.standardize_dtype(value.dtype))
