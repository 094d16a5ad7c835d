"""What goes on inside a model: functions of a model and a batch, without files or printing.

Importing this package does not import TensorFlow: each public name is loaded when it is first used. (No module here may
bear the name of a function below: Python would put the module in the function's place.)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kerasunroll.inspection.gradient_flow import GradientFlow, LayerFlow, gradient_flow_summary
from kerasunroll.inspection.norms import GradientsThroughTime, LayerGradients, NormsOverTime
from kerasunroll.inspection.parity_report import Difference, Parity

if TYPE_CHECKING:
    from kerasunroll.inspection.backward_pass import StateGradients, state_gradients
    from kerasunroll.inspection.masked_backwards import MaskedBackwards, masked_backwards_errors
    from kerasunroll.inspection.parity_of_models import parity
    from kerasunroll.inspection.sinks import SunkGradient, gradient_sink_source
    from kerasunroll.inspection.states import LayerStates, StateProbe, hidden_states
    from kerasunroll.inspection.taps import tapped
    from kerasunroll.inspection.through_time import GradientProbe, gradients_through_time

__all__ = [
    "Difference",
    "GradientFlow",
    "GradientProbe",
    "GradientsThroughTime",
    "LayerFlow",
    "LayerGradients",
    "LayerStates",
    "MaskedBackwards",
    "NormsOverTime",
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
    "GradientProbe": "kerasunroll.inspection.through_time",
    "MaskedBackwards": "kerasunroll.inspection.masked_backwards",
    "LayerStates": "kerasunroll.inspection.states",
    "StateGradients": "kerasunroll.inspection.backward_pass",
    "StateProbe": "kerasunroll.inspection.states",
    "SunkGradient": "kerasunroll.inspection.sinks",
    "gradient_sink_source": "kerasunroll.inspection.sinks",
    "gradients_through_time": "kerasunroll.inspection.through_time",
    "hidden_states": "kerasunroll.inspection.states",
    "masked_backwards_errors": "kerasunroll.inspection.masked_backwards",
    "parity": "kerasunroll.inspection.parity_of_models",
    "state_gradients": "kerasunroll.inspection.backward_pass",
    "tapped": "kerasunroll.inspection.taps",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kerasunroll.inspection' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
