"""kerasunroll: should I unroll this recurrent network?

Builds SimpleRNN, LSTM and GRU stacks in every unroll setting, proves that they compute the same, measures
what each costs, and shows what happens inside in TensorBoard.

Importing this package does not import TensorFlow: each public name below is loaded when it is first used. Those of
`_ON_TENSORFLOW` need it, and say so where it is not installed or Keras has another backend; the others do without.
"""

from importlib.metadata import version

from kerasunroll.lazy import lazy_exports

__version__ = version("kerasunroll")

_ON_TENSORFLOW = {
    "recurrent_stack": "kerasunroll.models",
    "simple_rnn_stack": "kerasunroll.models",
    "lstm_stack": "kerasunroll.models",
    "gru_stack": "kerasunroll.models",
    "variants": "kerasunroll.models",
    "with_unroll": "kerasunroll.models",
    "comparison_callbacks": "kerasunroll.callbacks",
    "compare": "kerasunroll.api",
    "measure": "kerasunroll.api",
    "deploy": "kerasunroll.api",
}

_HOMES = {
    **_ON_TENSORFLOW,
    "Classification": "kerasunroll.tasks",
    "Regression": "kerasunroll.tasks",
    "open_source": "kerasunroll.data",
    "advise": "kerasunroll.advice",
    "Comparison": "kerasunroll.api",
    "Deployment": "kerasunroll.api",
}

__all__ = ["__version__", *_HOMES]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, __all__, on_tensorflow=_ON_TENSORFLOW)
