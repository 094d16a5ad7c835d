"""The sink for TensorBoard: an event file for the training, and one for its validation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kerasunroll.callbacks.event_files.event_log import EventLog
from kerasunroll.callbacks.sinks.sink import Array, Sink

FORWARD: Final = "forward"
"""What loggers call what is about the forward pass, and the tag of its graph."""


class TensorBoardSink(Sink):
    """Writes event files into `log_dir/<run>`; every logger with a `log_dir` makes one of its own.

    What is about the forward pass stands beside the rest of the training, in the run `train`: its graph has a tag.

    Args:
        log_dir: Path. The folder of the variant.
    """

    def __init__(self, log_dir: str | Path) -> None:
        self._log_dir = Path(log_dir)
        self._logs: dict[str, EventLog] = {}

    def __str__(self) -> str:
        return f"'{self._log_dir}'"

    def scalars(self, run: str, values: Mapping[str, float], step: int, wall_time: float) -> None:
        """Write numbers for the Scalars tab."""
        self._log(run).scalars(values, step, wall_time)

    def text(self, run: str, tag: str, markdown: str, step: int) -> None:
        """Write Markdown for the Text tab."""
        self._log(run).text(tag, markdown, step)

    def note(self, run: str, markdown: str) -> None:
        """Write Markdown for the Text tab, once per event file."""
        self._log(run).note(markdown)

    def image(self, run: str, tag: str, png: bytes, width: int, height: int, step: int) -> None:
        """Write a picture for the Images tab."""
        self._log(run).image(tag, png, width, height, step)

    def array(self, run: str, tag: str, values: Array, step: int, about: Mapping[str, Any]) -> None:
        """Write an array for the Unrolling tab."""
        self._log(run).array(tag, values, step, about)

    def facts(self, run: str, tag: str, values: Mapping[str, Any], step: int) -> None:
        """Write JSON values for the Unrolling tab."""
        self._log(run).facts(tag, values, step)

    def graph(self, run: str, graph_def: Any) -> None:
        """Write a graph for the Graphs tab: that of the forward pass with a tag, any other as the graph of its run."""
        self._log(run).graph(graph_def, tag=run if run == FORWARD else None)

    def layers(self, run: str, model_json: str) -> None:
        """Write the conceptual graph of the Graphs tab."""
        self._log(run).layers(model_json)

    def close(self) -> None:
        """Leave the event files."""
        for log in self._logs.values():
            log.close()

    def _log(self, run: str) -> EventLog:
        run = "train" if run == FORWARD else run
        if run not in self._logs:
            self._logs[run] = EventLog(self._log_dir / run)
        return self._logs[run]
