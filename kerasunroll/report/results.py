"""The results of a comparison as one JSON file, for programs to read."""

from collections.abc import Sequence
from pathlib import Path

from pydantic_core import to_json

from kerasunroll import __version__
from kerasunroll.measurement.comparison import Measured
from kerasunroll.measurement.files import write_whole
from kerasunroll.report.rows import Row

RESULTS_FILE = "results.json"


def write_results(rows: Sequence[Row], measured: Sequence[Measured], folder: Path) -> Path:
    """Write `results.json`: the environment, and per variant its setting, figures, path and problems.

    Args:
        rows: One row per variant.
        measured: What the rows were made from.
        folder: Path. The folder of the comparison.

    Returns:
        The path of the file.
    """
    path = folder / RESULTS_FILE
    content = {
        "kerasunroll_version": __version__,
        "environment": measured[0].timing.environment.model_dump(mode="json"),
        "variants": [
            row.as_json() | {"configuration": each.variant.config.model_dump(mode="json")}
            for row, each in zip(rows, measured, strict=True)
        ],
    }
    # As in records: what JSON has no number for, such as the loss of a diverged training, is written as a string.
    write_whole(path, to_json(content, indent=1, inf_nan_mode="strings").decode() + "\n")
    return path
