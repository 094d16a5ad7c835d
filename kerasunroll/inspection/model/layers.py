"""Finding the recurrent layers of a model, and naming its weights."""

from collections.abc import Iterator
from typing import Any

import keras


def rnn_layers(model: keras.Model) -> Iterator[keras.layers.RNN]:
    """Yield every recurrent layer of `model`, in the order in which Keras lists its layers.

    Layers inside nested models and wrappers are found too: a `Bidirectional` gives its forward and its backward
    layer, in this order.

    Args:
        model: Any Keras model.
    """
    return (layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN))


def is_unrolled(layer: keras.layers.RNN) -> bool:
    """Tell whether `layer` is laid out as one copy of its cell per time step."""
    return layer.unroll is True


def weight_path(variable: Any, model: keras.Model) -> str:
    """Return a variable's path below its model, e.g. `"lstm_1/lstm_cell/kernel"`.

    Keras puts the model's own name before the paths of a `Sequential` model, and numbers that name; without it, the
    path is the same in every variant.

    Args:
        variable: A Keras variable.
        model: The model it belongs to.
    """
    return str(variable.path).removeprefix(f"{model.name}/")
