"""Timing one variant inside a worker. Imports TensorFlow, so only workers import it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from kerasunroll.callbacks.train_function import Call, TrainFunction
from kerasunroll.inspection.graph import graph_census
from kerasunroll.inspection.path import execution_path
from kerasunroll.training.config import TrainingConfig
from kerasunroll.training.session import prepare


class Timing:
    """A variant that is built, compiled, and then timed in blocks of training steps.

    Args:
        config: `TrainingConfig`.
    """

    def __init__(self, config: TrainingConfig) -> None:
        start = time.perf_counter()
        session = prepare(config)
        self._build_seconds = time.perf_counter() - start
        self._model = session.model
        # One batch that lies ready: the reading of data is not what is compared.
        self._batch = session.source.train(config.batch_size).take(1).cache()
        self._watch = _Watch()

    def first_training_step(self) -> dict[str, float]:
        """Have `fit` trace, compile and do the first training step; return what that took and what it made."""
        # fit builds metrics and optimiser before it calls the train function, as in a user's script.
        self._model.fit(self._batch, shuffle=False, verbose=0, callbacks=[self._watch])
        first = self._watch.calls[0]
        census = graph_census(self._watch.graph)
        self._iterator = iter(self._batch.repeat())
        return {
            "build_seconds": self._build_seconds,
            "trace_seconds": first.trace_seconds,
            "first_step_seconds": first.seconds,
            "parameters": self._model.count_params(),
            "training_step_nodes": census.nodes,
            "training_step_graph_bytes": census.bytes,
        }

    def path(self) -> str:
        """Return which code really runs."""
        return execution_path(self._watch.graph, self._model)

    def block(self, count: int) -> list[float]:
        """Do `count` training steps and return the seconds of each."""
        self._watch.calls.clear()
        for _ in range(count):
            self._model.train_function(self._iterator)
        return [call.seconds for call in self._watch.calls]


class _Watch(keras.callbacks.Callback):
    """Keeps the graph of the training step, and the duration of every call from the first `fit` on."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.graph: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        function = TrainFunction.of(self.model)
        function.add_hook(self._see)
        function.listeners.append(self.calls.append)

    @contextmanager
    def _see(self, data: Any) -> Iterator[None]:  # noqa: ARG002
        yield
        self.graph = tf.compat.v1.get_default_graph().as_graph_def()
