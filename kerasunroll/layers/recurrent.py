"""SimpleRNN, LSTM, GRU and RNN: Keras's layers, that run through time in more ways."""

from typing import Any

import keras

from kerasunroll.layers.through_time import ThroughTime

_registered = keras.saving.register_keras_serializable(package="kerasunroll")


@_registered
class SimpleRNN(ThroughTime, keras.layers.SimpleRNN):
    """Fully connected recurrent layer: `keras.layers.SimpleRNN` with `unroll`, `truncate` and `recompute`.

    The three arguments are explained in `kerasunroll.layers.ThroughTime`, the others in `keras.layers.SimpleRNN`.

    Example:
    >>> SimpleRNN(64, unroll=8)(keras.random.normal((32, 100, 3))).shape
    TensorShape([32, 64])
    """


@_registered
class LSTM(ThroughTime, keras.layers.LSTM):
    """Long short-term memory: `keras.layers.LSTM` with `unroll`, `truncate` and `recompute`.

    The three arguments are explained in `kerasunroll.layers.ThroughTime`, the others in `keras.layers.LSTM`.

    Example:
    >>> LSTM(64, unroll=8)(keras.random.normal((32, 100, 3))).shape
    TensorShape([32, 64])
    """


@_registered
class GRU(ThroughTime, keras.layers.GRU):
    """Gated recurrent unit: `keras.layers.GRU` with `unroll`, `truncate` and `recompute`.

    The three arguments are explained in `kerasunroll.layers.ThroughTime`, the others in `keras.layers.GRU`.

    Example:
    >>> GRU(64, recompute=True)(keras.random.normal((32, 100, 3))).shape
    TensorShape([32, 64])
    """


@_registered
class RNN(ThroughTime, keras.layers.RNN):
    """Any cell, or a list of cells, through time: `keras.layers.RNN` with `unroll`, `truncate` and `recompute`.

    The three arguments are explained in `kerasunroll.layers.ThroughTime`, the others in `keras.layers.RNN`.

    Example:
    >>> RNN(keras.layers.LSTMCell(64), truncate=20)(keras.random.normal((32, 100, 3))).shape
    TensorShape([32, 64])
    """

    # Keras rebuilds this layer with the cell by position, and asks the signature what that is.
    def __init__(self, cell: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(cell, *args, **kwargs)
