"""Keras callbacks that log graphs, memory, time and gradients to TensorBoard; each works alone."""

from kerasunroll.callbacks.comparison import comparison_callbacks
from kerasunroll.callbacks.gradient_norm_logger import GradientNormLogger
from kerasunroll.callbacks.graph_logger import GraphLogger
from kerasunroll.callbacks.memory_logger import MemoryLogger
from kerasunroll.callbacks.metrics_logger import MetricsLogger
from kerasunroll.callbacks.time_logger import TimeLogger

__all__ = [
    "GradientNormLogger",
    "GraphLogger",
    "MemoryLogger",
    "MetricsLogger",
    "TimeLogger",
    "comparison_callbacks",
]
