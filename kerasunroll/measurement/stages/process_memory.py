"""The memory of this process: what it takes, and what a network adds to it."""

import re
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True)
class ProcessMemory:
    """The resident bytes of this process at one moment.

    Args:
        now_bytes: Integer. What it takes.
        peak_bytes: Integer. The most that it ever took.
        file_bytes: Integer. The pages of program files among what it takes, 0 where the system does not tell. How many
            there are depends on how the process began: one that was forked shares them, and maps them as it needs them.
    """

    now_bytes: int
    peak_bytes: int
    file_bytes: int

    @classmethod
    def look(cls) -> Self:
        """Return what it is now."""
        try:
            kilobytes = dict(re.findall(r"^(\w+):\s*(\d+) kB$", STATUS.read_text(), re.MULTILINE))
            return cls(*(int(kilobytes[name]) * 1024 for name in ("VmRSS", "VmHWM", "RssFile")))
        except (OSError, KeyError):  # elsewhere than on Linux; macOS counts in bytes
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return cls(peak, peak, 0)

    def growth_bytes(self, since: "ProcessMemory") -> int:
        """Return how far the peak lies above an earlier moment, the pages of program files not counted."""
        return max(0, self.peak_bytes - since.now_bytes - max(0, self.file_bytes - since.file_bytes))
