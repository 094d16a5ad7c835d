"""The sink that writes a JSON object per number."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from kerasunroll.callbacks.sinks.line_file import LineFile
from kerasunroll.callbacks.sinks.sink import Sink


class JsonLinesSink(Sink):
    """Appends every number to a file as a line of JSON.

    `{"run": "train", "tag": "epoch_loss", "step": 0, "wall_time": 1764532800.0, "value": 2.29}`. JSON has no NaN and no
    infinity: such a line has `"value": null`, and `"not_finite"` is `"nan"`, `"inf"` or `"-inf"`. Lines are appended to
    an existing file. Each line is on disk at once. Texts, pictures and graphs are left out.

    Args:
        path: Path of the file. Its folder is made if needed.

    Example:
    >>> callbacks = comparison_callbacks("logs/lstm/full", sinks=[JsonLinesSink("logs/lstm/full.jsonl")])
    """

    def __init__(self, path: str | Path) -> None:
        self._file = LineFile(path)

    def __str__(self) -> str:
        return f"'{self._file.path}'"

    def scalars(self, run: str, values: Mapping[str, float], step: int, wall_time: float) -> None:
        """Append a line per number."""
        entries = [
            {"run": run, "tag": tag, "step": step, "wall_time": wall_time, **_strict_json(value)}
            for tag, value in values.items()
        ]
        self._file.append(json.dumps(entry, ensure_ascii=False, allow_nan=False) for entry in entries)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _strict_json(value: float) -> dict[str, float | str | None]:
    return {"value": value} if math.isfinite(value) else {"value": None, "not_finite": str(value)}
