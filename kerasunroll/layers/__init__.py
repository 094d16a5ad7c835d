"""Recurrent layers between loop and full: drop-in for Keras's SimpleRNN, LSTM, GRU and RNN.

Importing this package makes them known to `keras.models.load_model`.
"""

from kerasunroll.backend import require_backend

require_backend("kerasunroll.layers")

from kerasunroll.layers.recurrent import GRU, LSTM, RNN, SimpleRNN  # noqa: E402 - the message comes first
from kerasunroll.layers.through_time import ThroughTime  # noqa: E402

__all__ = ["GRU", "LSTM", "RNN", "SimpleRNN", "ThroughTime"]
