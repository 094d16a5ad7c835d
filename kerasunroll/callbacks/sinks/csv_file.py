"""The sink that writes a table."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kerasunroll.callbacks.sinks.line_file import LineFile
from kerasunroll.callbacks.sinks.sink import Sink

COLUMNS: Final = "run,tag,step,wall_time,value"


class CsvSink(Sink):
    """Appends every number to a CSV file as a row: `run,tag,step,wall_time,value`.

    The first line is the header. NaN and infinity are written as `nan`, `inf` and `-inf`, which pandas reads. Rows are
    appended to an existing file. Each row is on disk at once. Texts, pictures and graphs are left out.

    Args:
        path: Path of the file. Its folder is made if needed.

    Example:
    >>> callbacks = comparison_callbacks("logs/lstm/full", sinks=[CsvSink("logs/lstm/full.csv")])
    >>> curves = pandas.read_csv("logs/lstm/full.csv").pivot_table(index="step", columns="tag", values="value")
    """

    def __init__(self, path: str | Path) -> None:
        self._file = LineFile(path, header=COLUMNS)

    def __str__(self) -> str:
        return f"'{self._file.path}'"

    def scalars(self, run: str, values: Mapping[str, float], step: int, wall_time: float) -> None:
        """Append a row per number."""
        self._file.append(_row(run, tag, step, wall_time, value) for tag, value in values.items())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _row(*fields: str | float) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()
