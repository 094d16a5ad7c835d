"""Resident bytes of a process and everything it started."""

import time

import psutil

TREE_SECONDS = 1.0
"""How often new children are looked for: that reads every process of the machine, unlike their bytes."""


class MemoryWatch:
    """Looks at the resident bytes of a process and its descendants, and keeps the most it saw.

    Pages that several of them share count once for each.

    Args:
        pid: Integer. The process.

    Attributes:
        peak_bytes: Integer. The largest sample so far.
    """

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self._process = psutil.Process(pid)
        self._children: list[psutil.Process] = []
        self._tree_seen = time.monotonic()

    def sample(self) -> int:
        """Return the resident bytes at this moment; 0 once the process is gone."""
        if time.monotonic() - self._tree_seen >= TREE_SECONDS:
            self._children = self.descendants()
            self._tree_seen = time.monotonic()
        total = sum(_resident(process) for process in (self._process, *self._children))
        self.peak_bytes = max(self.peak_bytes, total)
        return total

    def descendants(self) -> list[psutil.Process]:
        """Return the processes that it and its children started and that are still theirs."""
        try:
            return self._process.children(recursive=True)
        except psutil.Error:
            return []


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
