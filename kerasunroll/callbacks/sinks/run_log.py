"""What a logger writes through: one run, in all of its sinks."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from kerasunroll.callbacks.sinks.sink import Array, Sink


class RunLog:
    """Writes the entries of one run.

    Args:
        run: String: `"train"`, `"validation"` or `"forward"`.
        write: Calls its argument with each sink: `SinkGroup.write`.
    """

    def __init__(self, run: str, write: Callable[[Callable[[Sink], object]], None]) -> None:
        self._run = run
        self._write = write

    def scalars(self, values: Mapping[str, float], step: int, wall_time: float | None = None) -> None:
        """Write one number per tag.

        Args:
            values: Dict from tag to number.
            step: Integer. The training step or the epoch.
            wall_time: Float. Seconds since 1970; now by default.
        """
        numbers = {tag: float(value) for tag, value in values.items()}
        at = wall_time or time.time()
        self._write(lambda sink: sink.scalars(self._run, numbers, step, at))

    def text(self, tag: str, markdown: str, step: int = 0) -> None:
        """Write Markdown."""
        self._write(lambda sink: sink.text(self._run, tag, markdown, step))

    def note(self, markdown: str) -> None:
        """Write Markdown that other loggers may write too."""
        self._write(lambda sink: sink.note(self._run, markdown))

    def image(self, tag: str, png: bytes, width: int, height: int, step: int) -> None:
        """Write a picture, given as the bytes of a PNG file."""
        self._write(lambda sink: sink.image(self._run, tag, png, width, height, step))

    def array(self, tag: str, values: Array, step: int, about: Mapping[str, Any]) -> None:
        """Write an array; `about` says what it is, in JSON values that stay the same from entry to entry."""
        self._write(lambda sink: sink.array(self._run, tag, values, step, about))

    def facts(self, tag: str, values: Mapping[str, Any], step: int = 0) -> None:
        """Write JSON values by name."""
        self._write(lambda sink: sink.facts(self._run, tag, values, step))

    def graph(self, graph_def: Any) -> None:
        """Write the run's op-level graph, a `tf.compat.v1.GraphDef`."""
        self._write(lambda sink: sink.graph(self._run, graph_def))

    def layers(self, model_json: str) -> None:
        """Write a model's layers, as `model.to_json()` gives them."""
        self._write(lambda sink: sink.layers(self._run, model_json))
