"""Writing TensorBoard event files without a TensorFlow operation per number.

`tf.summary.scalar` takes a quarter of a millisecond, which for a dozen gradient norms is a tenth of a training
step. Here an event is a protocol buffer, made and written in Python.
"""

import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.config_pb2 import RunMetadata
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_STRING
from tensorboard.plugins.graph.metadata import PLUGIN_NAME_KERAS_MODEL as KERAS_MODEL
from tensorboard.plugins.graph.metadata import PLUGIN_NAME_RUN_METADATA_WITH_GRAPH as RUN_METADATA_WITH_GRAPH
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.plugins.text import metadata as text_metadata

from kerasunroll.callbacks.event_files.event_file import EventFile
from kerasunroll.callbacks.event_files.tab_entries import Array, array_value, facts_value


class EventLog:
    """A writer into the event file of a folder, which is opened when the first entry comes.

    All logs of one folder share its file: see `EventFile`. After all of them have been closed, the next entry opens a
    new file beside the old one: nothing is overwritten. Every entry is on disk at once.

    Args:
        directory: Path of the TensorBoard run.
    """

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory)
        self._file: EventFile | None = None

    def scalars(self, values: Mapping[str, float], step: int, wall_time: float | None = None) -> None:
        """Write one number per tag.

        Args:
            values: Dict from tag to number.
            step: Integer. The training step or the epoch.
            wall_time: Float. Seconds since 1970; now by default.
        """
        described = self._opened().described
        summaries = [scalar_value(tag, value, described=tag in described) for tag, value in values.items()]
        self._summary(summaries, step, wall_time)
        described.update(values)

    def text(self, tag: str, markdown: str, step: int = 0) -> None:
        """Write Markdown for the Text tab."""
        self._summary([text_value(tag, markdown)], step)

    def note(self, markdown: str) -> None:
        """Write Markdown for the Text tab under `note`, unless another log has written the same into the file."""
        notes = self._opened().notes
        if markdown not in notes:
            notes.add(markdown)
            self.text("note", markdown)

    def image(self, tag: str, png: bytes, width: int, height: int, step: int) -> None:
        """Write a picture, given as the bytes of a PNG file, for the Images tab."""
        self._summary([image_value(tag, png, width, height)], step)

    def array(self, tag: str, values: Array, step: int, about: Mapping[str, Any]) -> None:
        """Write an array for the Unrolling tab; `about` says what it is, in JSON values."""
        self._summary([array_value(tag, values, about)], step)

    def facts(self, tag: str, values: Mapping[str, Any], step: int = 0) -> None:
        """Write JSON values for the Unrolling tab."""
        self._summary([facts_value(tag, values)], step)

    def graph(self, graph_def: Any, tag: str | None = None) -> None:
        """Write an op-level graph for the Graphs tab.

        Args:
            graph_def: A `tf.compat.v1.GraphDef`.
            tag: String or `None`. What the tab calls it; `None` for the one graph that a run has without a tag.
        """
        if tag is None:
            self._add(Event(graph_def=graph_def.SerializeToString(), wall_time=time.time()))
            return
        metadata = RunMetadata()
        # The field holds TensorBoard's own class of the same message.
        metadata.function_graphs.add().pre_optimization_graph.ParseFromString(graph_def.SerializeToString())
        self._graph_summary(tag, RUN_METADATA_WITH_GRAPH, metadata.SerializeToString())

    def layers(self, model_json: str) -> None:
        """Write a model's layers, as `model.to_json()` gives them, for the conceptual graph of the Graphs tab."""
        self._graph_summary("keras", KERAS_MODEL, model_json.encode())

    def close(self) -> None:
        """Leave the file; it is closed when all logs of the folder have left it."""
        if self._file is not None:
            self._file.release()
            self._file = None

    def _graph_summary(self, tag: str, plugin: str, content: bytes) -> None:
        metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=plugin, content=b"1"))
        tensor = TensorProto(dtype=DT_STRING, string_val=[content], tensor_shape=_shape())
        self._summary([Summary.Value(tag=tag, metadata=metadata, tensor=tensor)], step=0)

    def _summary(self, values: list[Summary.Value], step: int, wall_time: float | None = None) -> None:
        self._add(Event(summary=Summary(value=values), step=step, wall_time=wall_time or time.time()))

    def _add(self, event: Event) -> None:
        self._opened().add(event)

    def _opened(self) -> EventFile:
        if self._file is not None and self._file.broken:
            self.close()
        if self._file is None:
            self._file = EventFile.of(self._directory)
        return self._file


def scalar_value(tag: str, value: float, *, described: bool = False) -> Summary.Value:
    """Return a number for the Scalars tab; one that is `described` earlier in the file is shorter."""
    metadata = None if described else scalar_metadata.create_summary_metadata(display_name="", description="")
    tensor = TensorProto(dtype=DT_FLOAT, float_val=[value], tensor_shape=_shape())
    return Summary.Value(tag=tag, metadata=metadata, tensor=tensor)


def text_value(tag: str, markdown: str) -> Summary.Value:
    """Return Markdown for the Text tab."""
    metadata = text_metadata.create_summary_metadata(display_name="", description="")
    tensor = TensorProto(dtype=DT_STRING, string_val=[markdown.encode()], tensor_shape=_shape(1))
    return Summary.Value(tag=tag, metadata=metadata, tensor=tensor)


def image_value(tag: str, png: bytes, width: int, height: int, description: str = "") -> Summary.Value:
    """Return a picture, given as the bytes of a PNG file, for the Images tab; its description is Markdown."""
    metadata = image_metadata.create_summary_metadata(display_name="", description=description)
    parts = [str(width).encode(), str(height).encode(), png]
    tensor = TensorProto(dtype=DT_STRING, string_val=parts, tensor_shape=_shape(3))
    return Summary.Value(tag=tag, metadata=metadata, tensor=tensor)


def figure_png(figure: Any) -> tuple[bytes, int, int]:
    """Draw a Matplotlib figure and return the bytes of a PNG file with its width and height in pixels."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    width, height = np.rint(figure.get_size_inches() * figure.dpi).astype(int)
    return buffer.getvalue(), int(width), int(height)


def _shape(*sizes: int) -> TensorShapeProto:
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes])
