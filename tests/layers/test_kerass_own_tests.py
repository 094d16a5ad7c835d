"""Keras's own tests of its recurrent layers, as they are shipped with it, with our layers in the place of Keras's.

All of them pass. Left out are the modules of ConvLSTM, whose layers are not ours; its cell runs in our RNN, which
`test_layer_parity` holds.
"""

from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from unittest import TestCase

import keras
import pytest

from kerasunroll import layers as own

pytestmark = pytest.mark.filterwarnings("default")  # theirs are not written for warnings as errors

MODULES = (
    *("simple_rnn_test", "lstm_test", "gru_test", "rnn_test", "bidirectional_test", "stacked_rnn_cells_test"),
    *("time_distributed_test", "dropout_rnn_cell_test"),
)

if find_spec(f"keras.src.layers.rnn.{MODULES[0]}") is None:
    pytest.skip(f"Keras {keras.__version__} is shipped without its tests", allow_module_level=True)


def with_our_layers(module_name):
    """Return the test classes of one of Keras's modules; what they know as `layers.LSTM` is ours."""
    module = import_module(f"keras.src.layers.rnn.{module_name}")
    ours = {name: getattr(own, name) for name in ("SimpleRNN", "LSTM", "GRU", "RNN")}
    module.layers = SimpleNamespace(**{**vars(module.layers), **ours})
    for name, case in list(vars(module).items()):
        if isinstance(case, type) and issubclass(case, TestCase) and case.__module__ == module.__name__:
            yield f"Test_{module_name}_{name}", type(name, (case,), {"__module__": __name__})


for each in MODULES:
    globals().update(with_our_layers(each))
