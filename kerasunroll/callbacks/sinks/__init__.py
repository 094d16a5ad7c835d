"""Sinks: where the callbacks write. `Sink` is the interface; TensorBoard, JSON lines, CSV and MLflow are behind it.

A logger holds a `RunLog` per run and a `SinkGroup`: they hand each entry to all of its sinks, and leave out one that
fails.
"""

from kerasunroll.callbacks.sinks.csv_file import CsvSink
from kerasunroll.callbacks.sinks.json_lines import JsonLinesSink
from kerasunroll.callbacks.sinks.mlflow_run import MLflowSink
from kerasunroll.callbacks.sinks.sink import Sink

__all__ = ["CsvSink", "JsonLinesSink", "MLflowSink", "Sink"]
