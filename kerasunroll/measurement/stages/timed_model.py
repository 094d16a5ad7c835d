"""Timing one variant inside a worker. Imports TensorFlow, so only workers import it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Any

import keras
import tensorflow as tf

from kerasunroll.callbacks.training_step.train_function import Call, TrainFunction
from kerasunroll.inspection.graph.census import graph_census
from kerasunroll.inspection.graph.path import execution_path
from kerasunroll.measurement.stages.process_memory import ProcessMemory
from kerasunroll.training.config import TrainingConfig
from kerasunroll.training.session import prepare, shown_loss


class Timing:
    """A variant that is built, compiled, and then timed in blocks.

    Args:
        config: `TrainingConfig`.

    Attributes:
        path: String. Which code really runs, once the first training step has been done.
        operations: Dict from operation type to its count in the graph of the training step, likewise.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self._at_start = ProcessMemory.look()
        start = time.perf_counter()
        session = prepare(config)
        self._build_seconds = time.perf_counter() - start
        self._model = session.model
        # One batch that lies ready: the reading of data is not what is compared.
        self._batch = session.source.train(config.batch_size).take(1).cache()
        self._watch = _Watch()
        self._inputs: dict[str, Iterator[Any]] = {}
        self.path = ""
        self.operations: dict[str, int] = {}

    def first_training_step(self) -> dict[str, float]:
        """Have `fit` trace, compile and do the first training step; return what that took and what it made."""
        # fit builds metrics and optimiser before it calls the train function, as in a user's script.
        self._model.fit(self._batch, shuffle=False, verbose=0, callbacks=[self._watch])
        memory = ProcessMemory.look()
        first = self._watch.calls[0]
        graph_def = self._watch.graph.as_graph_def()
        census = graph_census(graph_def)
        self.path, self.operations = execution_path(graph_def, self._model), census.by_op
        self._batches = self._distributed(self._batch.repeat())
        return {
            "build_seconds": self._build_seconds,
            "trace_seconds": first.trace_seconds,
            "first_step_seconds": first.seconds,
            "parameters": self._model.count_params(),
            "training_step_nodes": census.nodes,
            "training_step_graph_bytes": census.bytes,
            "process_start_bytes": self._at_start.now_bytes,
            "process_growth_bytes": memory.growth_bytes(self._at_start),
        }

    def compile_forward(self) -> dict[str, float]:
        """Trace and compile the forward pass in inference; return what it made.

        It is the function of Keras's own `predict`, so that it is compiled as the model is.
        """
        x = next(iter(self._batch))[0]
        inputs = tf.data.Dataset.from_tensors((x,))
        self._inputs = {
            "forward": repeat(next(self._distributed(inputs))),
            "predict": self._distributed(inputs.repeat()),
        }
        with _seen_predict_step(self._model) as graphs:
            self._model.make_predict_function()
            self._infer("forward")
        census = graph_census(graphs[0].as_graph_def())
        return {"forward_nodes": census.nodes, "forward_graph_bytes": census.bytes}

    def training_steps(self, count: int) -> tuple[list[float], float]:
        """Do `count` training steps; return the seconds of each, and the loss that Keras shows after them."""
        self._watch.calls.clear()
        for _ in range(count):
            logs = self._model.train_function(self._batches)
        return [call.seconds for call in self._watch.calls], shown_loss(logs)

    def inferences(self, what: str, count: int) -> list[float]:
        """Return the seconds of each of `count` inferences of one batch, in compiled mode.

        Args:
            what: String. `"forward"`: the forward pass alone, on a batch that lies ready; `"predict"`: what `predict`
                does for a batch, which it first takes from its iterator.
            count: Integer.
        """
        return [_timed(lambda: self._infer(what)) for _ in range(count)]

    def _distributed(self, batches: Any) -> Iterator[Any]:
        """Return an iterator over batches that the model's own functions take."""
        return iter(self._model.distribute_strategy.experimental_distribute_dataset(batches))

    def _infer(self, what: str) -> None:
        outputs = self._model.predict_function([next(self._inputs[what])])
        # As predict does; and on a GPU the call returns before the work is done.
        tf.nest.map_structure(lambda output: output.numpy(), outputs)


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def _seen_predict_step(model: keras.Model) -> Iterator[list[Any]]:
    """Collect the graphs into which the model's `predict_step` is traced."""
    graphs: list[Any] = []
    predict_step = model.predict_step

    def seen(data: Any) -> Any:
        graphs.append(tf.compat.v1.get_default_graph())
        return predict_step(data)

    model.predict_step = seen
    try:
        yield graphs
    finally:
        del model.predict_step


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
        # Not its GraphDef: making that takes time, and tracing is being timed.
        self.graph = tf.compat.v1.get_default_graph()
