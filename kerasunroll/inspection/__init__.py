"""What goes on inside a model: functions of a model and a batch, without files or printing.

Importing this package does not import TensorFlow: each public name is loaded when it is first used. (No module here may
bear the name of a function below: Python would put the module in the function's place.)
"""

from typing import TYPE_CHECKING

from kerasunroll.inspection.gradients.flow import GradientFlow, LayerFlow, gradient_flow_summary
from kerasunroll.inspection.gradients.norms import GradientsThroughTime, LayerGradients, NormsOverTime
from kerasunroll.inspection.model_parity.result import Difference, Parity
from kerasunroll.inspection.over_time.not_finite import NotFinite
from kerasunroll.inspection.states.layer_states import HiddenStates, LayerStates
from kerasunroll.lazy import lazy_exports

if TYPE_CHECKING:
    from kerasunroll.inspection.gradients.backward_pass import StateGradients, state_gradients
    from kerasunroll.inspection.gradients.sinks import SunkGradient, gradient_sink_source
    from kerasunroll.inspection.gradients.through_time import GradientProbe, gradients_through_time
    from kerasunroll.inspection.model_parity.masked_backwards import MaskedBackwards, masked_backwards_errors
    from kerasunroll.inspection.model_parity.of_models import parity
    from kerasunroll.inspection.states.probe import StateProbe, hidden_states
    from kerasunroll.inspection.taps.tapped_model import tapped

__all__ = [
    "Difference",
    "GradientFlow",
    "GradientProbe",
    "GradientsThroughTime",
    "HiddenStates",
    "LayerFlow",
    "LayerGradients",
    "LayerStates",
    "MaskedBackwards",
    "NormsOverTime",
    "NotFinite",
    "Parity",
    "StateGradients",
    "StateProbe",
    "SunkGradient",
    "gradient_flow_summary",
    "gradient_sink_source",
    "gradients_through_time",
    "hidden_states",
    "masked_backwards_errors",
    "parity",
    "state_gradients",
    "tapped",
]

_HOMES = {
    "GradientProbe": "kerasunroll.inspection.gradients.through_time",
    "MaskedBackwards": "kerasunroll.inspection.model_parity.masked_backwards",
    "StateGradients": "kerasunroll.inspection.gradients.backward_pass",
    "StateProbe": "kerasunroll.inspection.states.probe",
    "SunkGradient": "kerasunroll.inspection.gradients.sinks",
    "gradient_sink_source": "kerasunroll.inspection.gradients.sinks",
    "gradients_through_time": "kerasunroll.inspection.gradients.through_time",
    "hidden_states": "kerasunroll.inspection.states.probe",
    "masked_backwards_errors": "kerasunroll.inspection.model_parity.masked_backwards",
    "parity": "kerasunroll.inspection.model_parity.of_models",
    "state_gradients": "kerasunroll.inspection.gradients.backward_pass",
    "tapped": "kerasunroll.inspection.taps.tapped_model",
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, __all__, on_tensorflow=_HOMES)
