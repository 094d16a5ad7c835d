"""Resident bytes of a process and everything it started."""

import contextlib
import time

import psutil

LOOK_SECONDS = 1.0
"""How often new children are looked for: that reads every process of the machine, unlike their bytes."""


class MemoryWatch:
    """Looks at the resident bytes of a process and its descendants, and keeps the most it saw.

    Pages that several of them share count once for each.

    Args:
        pid: Integer. The process.

    Attributes:
        peak_bytes: Integer. The largest sample so far.
        descendants: Set of `psutil.Process`. Every process seen that it and its children started and that still
            runs, also one that has cut itself loose.
    """

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self.descendants: set[psutil.Process] = set()
        self._process = psutil.Process(pid)
        self._looked = time.monotonic()

    def sample(self) -> int:
        """Return the resident bytes at this moment; 0 once the process is gone."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self.look()
        total = sum(_resident(process) for process in (self._process, *self.descendants))
        self.peak_bytes = max(self.peak_bytes, total)
        return total

    def look(self) -> None:
        """Look for new descendants now."""
        self.descendants = {process for process in self.descendants if process.is_running()}
        with contextlib.suppress(psutil.Error):
            self.descendants.update(self._process.children(recursive=True))
        self._looked = time.monotonic()


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
