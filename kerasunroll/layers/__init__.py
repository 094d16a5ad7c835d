"""Recurrent layers between loop and full: drop-in for Keras's SimpleRNN, LSTM, GRU and RNN.

Importing this package makes them known to `keras.models.load_model`.
"""

from kerasunroll.layers.recurrent import GRU, LSTM, RNN, SimpleRNN
from kerasunroll.layers.through_time import ThroughTime

__all__ = ["GRU", "LSTM", "RNN", "SimpleRNN", "ThroughTime"]
