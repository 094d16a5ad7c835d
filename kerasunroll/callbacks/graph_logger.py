"""The callback that shows the graphs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kerasunroll.callbacks.event_log import EventLog
from kerasunroll.callbacks.logger import Logger
from kerasunroll.callbacks.train_function import TrainFunction
from kerasunroll.inspection.graph import GraphCensus, forward_graph, graph_census
from kerasunroll.inspection.readable_graph import MAX_BYTES, readable_graph


class GraphLogger(Logger):
    """Writes the op-level graphs of the forward pass and of the training step for TensorBoard's Graphs tab.

    The graph of the training step is the very one that `fit` runs, in the run `train`; that of the forward pass is
    in the run `forward`, because a run holds one graph. Both open as layers, then time steps: `lstm_1`, inside it
    `t000`, `t001`, ...; the way back is in `gradient_tape`. Their sizes are logged as `graph/forward_nodes`,
    `graph/training_step_nodes` and `graph/training_step_bytes`.

    A model that runs eagerly has no graph of its training step; then only the forward pass is written.

    Args:
        log_dir: Path. The folder of the variant, as for `keras.callbacks.TensorBoard`.
        max_bytes: Integer. A larger graph is shown with fewer time steps, and a text says so. Defaults to 20 MB.

    Example:
    >>> model.fit(x, y, callbacks=[GraphLogger("logs/full")])
    """

    def __init__(self, log_dir: str | Path, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(log_dir)
        self.max_bytes = max_bytes
        self._forward_log = EventLog(self.log_dir / "forward")
        self._training_step_graph: Any = None
        self._input_spec: Any = None
        self._written_for: keras.Model | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Stand by for the tracing of the training step."""
        super().on_train_begin(logs)
        if self._written_for is not self.model:
            TrainFunction.of(self.model).add_hook(self._see)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the graphs, once per model."""
        super().on_train_batch_end(batch, logs)
        if self._written_for is self.model or self._input_spec is None:
            return
        self._written_for = self.model
        if self._training_step_graph is not None:
            census = self._write(self.log, "training_step", self._training_step_graph)
            self.log.scalars({"graph/training_step_bytes": census.bytes}, step=0)
        self._write(self._forward_log, "forward", forward_graph(self.model, self._input_spec))
        # The graph of a long unrolled network is large; it is written and not needed again.
        self._training_step_graph = None

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the event files."""
        super().on_train_end(logs)
        self._forward_log.close()

    @contextmanager
    def _see(self, data: Any) -> Iterator[None]:
        yield
        if self._written_for is self.model:
            return
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        self._input_spec = tf.nest.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), x)
        if tf.inside_function():
            self._training_step_graph = tf.compat.v1.get_default_graph()

    def _write(self, log: EventLog, kind: str, graph: Any) -> GraphCensus:
        census = graph_census(graph.as_graph_def())
        shown = readable_graph(graph, self.model, self.max_bytes)
        log.graph(shown.graph_def)
        log.scalars({f"graph/{kind}_nodes": census.nodes}, step=0)
        if shown.left_out:
            log.text(
                f"graph/{kind}",
                f"The graph has {census.nodes:,} nodes ({census.bytes / 1e6:.0f} MB), more than the Graphs tab can "
                f"show. {shown.left_out} time steps in the middle of every unrolled layer were left out of it.",
            )
        log.flush()
        return census
