"""The callback that shows the graphs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras.src.models.functional import Functional

from kerasunroll.callbacks.event_files.tab_entries import OPERATIONS
from kerasunroll.callbacks.logger import Guard, Logger
from kerasunroll.callbacks.sinks.run_log import RunLog
from kerasunroll.callbacks.sinks.sink import Sink
from kerasunroll.callbacks.training_step.train_function import TrainFunction
from kerasunroll.errors import InputError
from kerasunroll.inspection.graph.census import GraphCensus, forward_graph, graph_census
from kerasunroll.inspection.graph.readable import MAX_BYTES, readable_graph
from kerasunroll.models.building import has_call


class GraphLogger(Logger):
    """Writes the graphs of the forward pass and of the training step for TensorBoard's Graphs tab.

    Both are in the run `train`. The graph of the training step is the very one that `fit` runs, and is shown first;
    that of the forward pass has the tag `forward`. Both open as layers, then time steps: `lstm_1`, inside it
    `t000`, `t001`, ...; the way back is in `gradient_tape`. Their sizes are logged as `graph/forward_nodes`,
    `graph/training_step_nodes` and `graph/training_step_bytes`.

    A model that runs eagerly has no graph of its training step; then only the forward pass is written. A `Sequential`
    or functional model is shown layer by layer too, as Keras's TensorBoard callback does (`keras`, a conceptual graph).
    A model without a `call` (a GAN with a `train_step` of its own) has no forward pass to show: a warning says so.

    Args:
        log_dir: Path. The folder of the variant, as for `keras.callbacks.TensorBoard`; `None` for no TensorBoard.
        max_bytes: Integer. A larger graph is shown with fewer time steps, and a text says so. Defaults to 20 MB.
        sinks: List of `kerasunroll.callbacks.sinks.Sink`, written into beside TensorBoard. Defaults to none.
        strict: Boolean. Whether a failure of the logger raises, and so ends the training. Defaults to `False`.

    Example:
    >>> model.fit(x, y, callbacks=[GraphLogger("logs/full")])
    """

    subject = "Graphs are"

    def __init__(
        self,
        log_dir: str | Path | None,
        max_bytes: int = MAX_BYTES,
        *,
        sinks: Sequence[Sink] = (),
        strict: bool = False,
    ) -> None:
        super().__init__(log_dir, sinks=sinks, strict=strict)
        self.max_bytes = max_bytes
        self._forward_log = self.log_of("forward")
        self._traced: _TracedTrainingStep | None = None

    def model_changes(self) -> None:
        """Write the graphs of the new model too."""
        self._traced = _TracedTrainingStep(self.guarded)
        self._is_written = False

    def training_begins(self) -> None:
        """Stand by for the tracing of the training step."""
        if not self._is_written and self._traced is not None:
            TrainFunction.of(self.model, build_first=True).add_hook(self._traced.seen, self.turn_off)

    def training_steps_end(self, count: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Write the graphs, once per model."""
        # A training step that hands out gradients through time has another graph than the ordinary one.
        if not TrainFunction.of(self.model).ran_variant:
            self._write_once()

    def training_ends(self) -> None:
        """Write what was seen if there was no ordinary training step."""
        self._write_once()

    def _write_once(self) -> None:
        if self._traced is None or self._traced.input_spec is None:
            return
        # The graph of a long unrolled network is large; it is written and not needed again.
        traced, self._traced, self._is_written = self._traced, None, True
        _write_layers(self.log, self.model)
        if traced.graph is not None:
            census = self._write(self.log, "training_step", traced.graph)
            self.log.scalars({"graph/training_step_bytes": census.bytes}, step=0)
        if not has_call(self.model):
            raise InputError(f"Model '{self.model.name}' has no method `call`, so there is no forward pass to show.")
        self._write(self._forward_log, "forward", forward_graph(self.model, traced.input_spec))

    def _write(self, log: RunLog, kind: str, graph: Any) -> GraphCensus:
        census = graph_census(graph.as_graph_def())
        shown = readable_graph(graph, self.model, self.max_bytes)
        log.graph(shown.graph_def)
        log.scalars({f"graph/{kind}_nodes": census.nodes}, step=0)
        self.log.facts(OPERATIONS.format(kind), census.by_op)
        if shown.left_out:
            log.text(
                f"graph/{kind}",
                f"The graph has {census.nodes:,} nodes ({census.bytes / 1e6:.0f} MB), more than the Graphs tab can "
                f"show. {shown.left_out} time steps in the middle of every unrolled layer were left out of it.",
            )
        return census


class _TracedTrainingStep:
    """What is seen when the training step of one model is traced.

    Attributes:
        graph: The graph; `None` for a model that runs eagerly, and until it is traced.
        input_spec: The `tf.TensorSpec`s of the inputs; `None` until the training step is traced or run.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.graph: Any = None
        self.input_spec: Any = None

    @contextmanager
    def seen(self, data: Any) -> Iterator[None]:
        """See what is traced while this context is open."""
        yield
        self._guard(self._see)(data)

    def _see(self, data: Any) -> None:
        # TensorFlow traces again where weights were made in the first trace; the last one is what runs.
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        self.input_spec = tf.nest.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), x)
        self.graph = tf.compat.v1.get_default_graph() if tf.inside_function() else None


def _write_layers(log: RunLog, model: keras.Model) -> None:
    """Write the layers of a model, if they are a graph that Keras knows."""
    if not isinstance(model, keras.Sequential | Functional):
        return
    try:
        model_json = model.to_json()
    except Exception:  # noqa: BLE001 - a layer of the user's without get_config; the other graphs are there
        return
    log.layers(model_json)
