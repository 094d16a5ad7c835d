"""What all tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# As a user's script would have it: read by TensorFlow when it is imported, which is later than this.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_CPU_ALLOCATOR_USE_BFC"] = "true"
# MLflow would send usage statistics.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


class Events:
    """What TensorBoard would show of one run."""

    def __init__(self, run: Path) -> None:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        self._events = EventAccumulator(str(run), size_guidance={"tensors": 0}, purge_orphaned_data=False)
        self._events.Reload()

    @property
    def tags(self) -> set[str]:
        return set(self._events.Tags()["tensors"])

    @property
    def scalar_tags(self) -> set[str]:
        return {tag for tag in self.tags if self._events.SummaryMetadata(tag).plugin_data.plugin_name == "scalars"}

    def all_scalars(self, tag: str) -> list[tuple[int, float]]:
        """Training step (or epoch) and value, in the order in which they were written."""
        from tensorboard.util.tensor_util import make_ndarray

        return [(event.step, make_ndarray(event.tensor_proto).item()) for event in self._events.Tensors(tag)]

    def scalars(self, tag: str) -> dict[int, float]:
        """Training step (or epoch) to value."""
        values = self.all_scalars(tag)
        assert len(values) == len(dict(values)), f"{tag} is written twice for a step: {values}"
        return dict(values)

    def text(self, tag: str) -> str:
        return self._events.Tensors(tag)[-1].tensor_proto.string_val[0].decode()

    def png(self, tag: str) -> bytes:
        return self._events.Tensors(tag)[-1].tensor_proto.string_val[2]

    def node_names(self, tag: str | None = None) -> list[str]:
        return [node.name for node in self.graph(tag).node]

    def graph(self, tag: str | None = None):
        """The graph of the run, or the one with this tag in the Graphs tab."""
        from tensorboard.compat.proto.config_pb2 import RunMetadata

        if tag is None:
            return self._events.Graph()
        assert self._events.SummaryMetadata(tag).plugin_data.plugin_name == "graph_run_metadata_graph"
        metadata = RunMetadata.FromString(self._events.Tensors(tag)[-1].tensor_proto.string_val[0])
        (graph,) = metadata.function_graphs
        return graph.pre_optimization_graph


@pytest.fixture
def events() -> type[Events]:
    return Events


@pytest.fixture
def global_policy() -> Iterator[None]:
    """Put Keras's global dtype policy back after the test."""
    import keras

    before = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(before)
