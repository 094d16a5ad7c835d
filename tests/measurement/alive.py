"""Which processes still run."""

import time
from collections.abc import Iterable

import psutil


def remaining(pids: Iterable[int], seconds: float = 5.0) -> list[int]:
    """Return those of the processes that still run after `seconds`. A zombie is dead, whoever may reap it."""
    end = time.monotonic() + seconds
    while (alive := [pid for pid in pids if runs(pid)]) and time.monotonic() < end:
        time.sleep(0.02)
    return alive


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
