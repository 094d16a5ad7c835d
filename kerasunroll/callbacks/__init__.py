"""Keras callbacks that log graphs, memory, time and gradients to TensorBoard; each works alone."""

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
