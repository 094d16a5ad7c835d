"""Fast kernels of the standard cells: pure functions of tensors, each with a backward pass written by hand.

How they work, the mathematics, and what was tried: `docs/kernels.md`.
"""

from kerasunroll.layers.kernels.gru import gru
from kerasunroll.layers.kernels.lstm import lstm
from kerasunroll.layers.kernels.simple_rnn import simple_rnn

__all__ = ["gru", "lstm", "simple_rnn"]
