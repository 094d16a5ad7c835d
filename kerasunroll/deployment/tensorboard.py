"""A deployment in TensorBoard: a run per contender, the verdict in the Text tab, the pictures. No TensorFlow."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from kerasunroll.callbacks.event_files.event_log import figure_png, image_value, scalar_value, text_value
from kerasunroll.deployment.rows import Row
from kerasunroll.deployment.table import deployment_markdown
from kerasunroll.report.tensorboard.events import write_events

_SHOWN: Final = ("inference_seconds", "file_bytes", "arena_bytes", "convert_seconds", "largest_difference", "noise_db")


def write_deployment_events(folder: Path, rows: Sequence[Row], text: str, pictures: Mapping[str, Figure]) -> None:
    """Write event files, in place of what an earlier call wrote.

    Args:
        folder: Path. The folder of the deployment.
        rows: One row per contender.
        text: String. The verdict.
        pictures: Dict from a name to a figure.

    Raises:
        InputError: If the folder cannot be written to.
        RunError: If writing failed.
    """
    values = [text_value("deployment/verdict", deployment_markdown(rows, text))]
    values += [image_value(f"deployment/{name}", *figure_png(figure)) for name, figure in pictures.items()]
    write_events(folder, [(0, value) for value in values])
    for row in rows:
        figures = {name: value for name in _SHOWN if (value := row.figure(name)) is not None}
        scalars = [scalar_value(f"deployment/{name}", value) for name, value in figures.items()]
        write_events(folder / "runs" / row.contender.run_name, [(0, value) for value in scalars])
