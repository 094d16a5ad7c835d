"""What lies in event files, through TensorBoard's data provider: the same with its fast loader and without."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kerasunroll.callbacks.event_files.tab_entries import PLUGIN

ALL: Final = 100_000
"""More entries than TensorBoard keeps of one series."""

MOST_POINTS: Final = 1_000
"""Of a curve: a screen has no more."""


@dataclass(frozen=True)
class Series:
    """The entries with one tag in one run.

    Args:
        run: String.
        tag: String.
        about: Mapping. What the callback said of it: `shows`, `layer`, `of`, ...
        newest: Tuple of the step and the wall time, in seconds since 1970, of its newest entry.
    """

    run: str
    tag: str
    about: Mapping[str, Any]
    newest: tuple[int, float]


@dataclass(frozen=True)
class Entry:
    """One entry.

    Args:
        step: Integer. The training step, or for tags `epoch_*` the epoch.
        wall_time: Float, in seconds since 1970.
        value: Array or float.
    """

    step: int
    wall_time: float
    value: Any


class Events:
    """The event files of one experiment, for one request.

    Args:
        provider: TensorBoard's data provider.
        context: Its request context.
        experiment: String. The experiment's id.
    """

    def __init__(self, provider: Any, context: Any, experiment: str) -> None:
        self._provider = provider
        self._of = {"ctx": context, "experiment_id": experiment}

    def series(self) -> list[Series]:
        """Return every series of this package's own arrays and facts, by run and tag."""
        listed = self._provider.list_tensors(**self._of, plugin_name=PLUGIN)
        return [
            Series(run, tag, about, (found.max_step, found.max_wall_time))
            for run, tags in sorted(listed.items())
            for tag, found in sorted(tags.items())
            if (about := _json(found.plugin_content)) is not None
        ]

    def arrays(self, run: str, tag: str) -> list[Entry]:
        """Return the entries of an array, by step."""
        return [
            Entry(entry.step, entry.wall_time, np.asarray(entry.numpy))
            for entry in self._read(self._provider.read_tensors, PLUGIN, ALL, [run], [tag]).get(run, {}).get(tag, [])
        ]

    def facts(self, run: str, tag: str) -> list[Entry]:
        """Return the entries of facts: JSON values by name."""
        entries = self.arrays(run, tag)
        return [Entry(entry.step, entry.wall_time, _json(entry.value.item()) or {}) for entry in entries]

    def scalar_tags(self, runs: Sequence[str]) -> dict[str, list[str]]:
        """Return the tags of the scalars of each of these runs."""
        listed = self._provider.list_scalars(**self._of, plugin_name="scalars")
        return {run: sorted(listed[run]) for run in runs if run in listed}

    def scalars(self, runs: Sequence[str], tag: str) -> dict[str, list[Entry]]:
        """Return the points of a curve in each of these runs; one without it is absent."""
        found = self._read(self._provider.read_scalars, "scalars", MOST_POINTS, runs, [tag])
        return {
            run: [Entry(entry.step, entry.wall_time, entry.value) for entry in tags[tag]]
            for run, tags in found.items()
            if tags.get(tag)
        }

    def _read(self, read: Any, plugin: str, most: int, runs: Sequence[str], tags: Sequence[str]) -> Any:
        from tensorboard.data.provider import RunTagFilter

        wanted = RunTagFilter(runs=runs, tags=tags)
        return read(**self._of, plugin_name=plugin, downsample=most, run_tag_filter=wanted)


def padded(entries: Sequence[Entry]) -> npt.NDArray[np.float64]:
    """Return arrays over time as one, (N, T): batches of shorter sequences end in NaN."""
    rows = [np.ravel(entry.value) for entry in entries]
    table = np.full((len(rows), max(map(len, rows), default=0)), np.nan)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table


def _json(content: bytes | str) -> dict[str, Any] | None:
    """Return the object in a JSON text; `None` for anything else, which another program may have written."""
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
