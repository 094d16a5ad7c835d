"""The comparisons below a log folder, read from their records and kept until these change."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from kerasunroll.display.colours import setting_colours
from kerasunroll.errors import InputError
from kerasunroll.measurement.planning.plan import PLAN_FILE
from kerasunroll.measurement.records.store import RECORDS
from kerasunroll.report.run import Run


@dataclass(frozen=True)
class Found:
    """A comparison below the log folder.

    Args:
        name: String. Its folder, relative to the log folder; that folder's own name where it is the log folder.
        folder: Path.
        run: `Run`, or `None` where it cannot be read, or nothing has been measured yet.
        problem: String. Why there is no `run`.
        state: Hashable. Another one whenever its files have changed.
    """

    name: str
    folder: Path
    run: Run | None
    problem: str
    state: tuple[int, ...]

    @property
    def colours(self) -> dict[str, str]:
        """The colour of each setting."""
        return setting_colours(row.setting for row in self.run.rows) if self.run else {}

    def prefix(self, logdir: Path) -> str:
        """Return the beginning of the names of its runs in TensorBoard."""
        relative = self.folder.relative_to(logdir).as_posix()
        return "" if relative == "." else f"{relative}/"


class Comparisons:
    """All comparisons below a folder.

    Args:
        logdir: Path, or `None` where TensorBoard has no folder of this machine: then there are none.
    """

    def __init__(self, logdir: Path | None) -> None:
        self.logdir = logdir
        self._known: dict[Path, Found] = {}
        self._lock = Lock()

    def any(self) -> bool:
        """Tell whether there is one."""
        return next(self._folders(), None) is not None

    def all(self) -> list[Found]:
        """Return all of them, by name."""
        with self._lock:
            self._known = {folder: self._read(folder) for folder in self._folders()}
            return sorted(self._known.values(), key=lambda found: found.name)

    def named(self, name: str) -> Found:
        """Return one of them.

        Raises:
            InputError: If there is none of this name below the log folder.
        """
        found = {each.name: each for each in self.all()}
        if name not in found:
            raise InputError(f"No comparison '{name}' below the log folder. There: {', '.join(found) or 'none'}.")
        return found[name]

    def _folders(self) -> Iterator[Path]:
        if self.logdir is None:
            return
        # Links are not followed: nothing outside of the log folder is read.
        for folder, below, files in os.walk(self.logdir):
            path = Path(folder)
            if PLAN_FILE in files and not (path / PLAN_FILE).is_symlink():
                below[:] = []
                yield path

    def _read(self, folder: Path) -> Found:
        state = _state(folder)
        known = self._known.get(folder)
        if known and known.state == state:
            return known
        assert self.logdir is not None  # noqa: S101 - else there are no folders
        relative = folder.relative_to(self.logdir).as_posix()
        name = folder.resolve().name if relative == "." else relative
        try:
            return Found(name, folder, Run.load(folder, set_aside=False), "", state)
        except (InputError, OSError) as error:
            return Found(name, folder, None, str(error), state)


def _state(folder: Path) -> tuple[int, ...]:
    """Return when each file of plan and records was written last."""
    files = [folder / PLAN_FILE, *sorted((folder / RECORDS).glob("*.json"))]
    times = []
    for file in files:
        try:
            times.append(file.stat().st_mtime_ns)
        except OSError:
            continue  # taken away this very moment
    return tuple(times)
