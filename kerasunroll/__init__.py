"""kerasunroll: should I unroll this recurrent network?

Builds SimpleRNN, LSTM and GRU stacks in every unroll setting, proves that they compute the same, measures
what each costs, and shows what happens inside in TensorBoard.

Importing this package does not import TensorFlow: each public name below is loaded when it is first used.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("kerasunroll")

_HOMES = {
    "recurrent_stack": "kerasunroll.models",
    "simple_rnn_stack": "kerasunroll.models",
    "lstm_stack": "kerasunroll.models",
    "gru_stack": "kerasunroll.models",
    "variants": "kerasunroll.models",
    "with_unroll": "kerasunroll.models",
    "Classification": "kerasunroll.tasks",
    "Regression": "kerasunroll.tasks",
    "open_source": "kerasunroll.data",
    "comparison_callbacks": "kerasunroll.callbacks",
    "advise": "kerasunroll.advice",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kerasunroll' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
