"""kerasunroll: should I unroll this recurrent network?

Builds SimpleRNN, LSTM and GRU stacks in every unroll setting, proves that they compute the same, measures
what each costs, and shows what happens inside in TensorBoard.

Importing this package does not import TensorFlow: each public name below is loaded when it is first used.
"""

from importlib.metadata import version

from kerasunroll.lazy import lazy_exports

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
    "compare": "kerasunroll.api",
    "measure": "kerasunroll.api",
    "Comparison": "kerasunroll.api",
    "deploy": "kerasunroll.api",
    "Deployment": "kerasunroll.api",
}

__all__ = ["__version__", *_HOMES]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, __all__)
