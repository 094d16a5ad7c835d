"""Model factories: the same stack in every unroll setting; and any Keras model in another setting.

Importing this package does not import TensorFlow, so that a `StackConfig` or a `SavedModel` can be validated
before anything slow begins: each factory is loaded when it is first used.
"""

from typing import TYPE_CHECKING

from kerasunroll.lazy import lazy_exports
from kerasunroll.models.factories.config import StackConfig
from kerasunroll.models.files.saved import SavedModel

if TYPE_CHECKING:
    from kerasunroll.models.conversion.with_unroll import with_unroll
    from kerasunroll.models.factories.functions import gru_stack, lstm_stack, recurrent_stack, simple_rnn_stack
    from kerasunroll.models.factories.stack import build_stack
    from kerasunroll.models.factories.variation import variants
    from kerasunroll.models.files.loading import load_model, save_model

__all__ = [
    "SavedModel",
    "StackConfig",
    "build_stack",
    "gru_stack",
    "load_model",
    "lstm_stack",
    "recurrent_stack",
    "save_model",
    "simple_rnn_stack",
    "variants",
    "with_unroll",
]

_HOMES = {
    "build_stack": "kerasunroll.models.factories.stack",
    "gru_stack": "kerasunroll.models.factories.functions",
    "load_model": "kerasunroll.models.files.loading",
    "lstm_stack": "kerasunroll.models.factories.functions",
    "recurrent_stack": "kerasunroll.models.factories.functions",
    "save_model": "kerasunroll.models.files.loading",
    "simple_rnn_stack": "kerasunroll.models.factories.functions",
    "variants": "kerasunroll.models.factories.variation",
    "with_unroll": "kerasunroll.models.conversion.with_unroll",
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, __all__, on_tensorflow=_HOMES)
