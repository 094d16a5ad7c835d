"""Keras callbacks that log graphs, memory, time and gradients, into TensorBoard and other sinks; each works alone.

Importing this package does not import TensorFlow: each public name is loaded when it is first used.
"""

from typing import TYPE_CHECKING

from kerasunroll.lazy import lazy_exports

if TYPE_CHECKING:
    from kerasunroll.callbacks.comparison import comparison_callbacks
    from kerasunroll.callbacks.gradient_flow_logger import GradientFlowLogger
    from kerasunroll.callbacks.gradient_norm_logger import GradientNormLogger
    from kerasunroll.callbacks.graph_logger import GraphLogger
    from kerasunroll.callbacks.memory_logger import MemoryLogger
    from kerasunroll.callbacks.metrics_logger import MetricsLogger
    from kerasunroll.callbacks.state_logger import StateLogger
    from kerasunroll.callbacks.time_logger import TimeLogger

__all__ = [
    "GradientFlowLogger",
    "GradientNormLogger",
    "GraphLogger",
    "MemoryLogger",
    "MetricsLogger",
    "StateLogger",
    "TimeLogger",
    "comparison_callbacks",
]

_HOMES = {
    "GradientFlowLogger": "kerasunroll.callbacks.gradient_flow_logger",
    "GradientNormLogger": "kerasunroll.callbacks.gradient_norm_logger",
    "GraphLogger": "kerasunroll.callbacks.graph_logger",
    "MemoryLogger": "kerasunroll.callbacks.memory_logger",
    "MetricsLogger": "kerasunroll.callbacks.metrics_logger",
    "StateLogger": "kerasunroll.callbacks.state_logger",
    "TimeLogger": "kerasunroll.callbacks.time_logger",
    "comparison_callbacks": "kerasunroll.callbacks.comparison",
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, __all__, on_tensorflow=_HOMES)
