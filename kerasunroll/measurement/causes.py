"""Why a worker ended, in words for a record and a terminal."""

import signal
from pathlib import Path
from typing import Final

LOG_LINES: Final = 10
LOG_BYTES: Final = 4096
QUOTED_BYTES: Final = 80


def describe_exit(status: int) -> str:
    """Return how a process ended: its exit status, or for a negative one the signal that killed it.

    Example:
    >>> describe_exit(-11)
    'it was killed by SIGSEGV'
    """
    if status >= 0:
        return f"it ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"it was killed by {name}" + (" (was the machine out of memory?)" if name == "SIGKILL" else "")


def log_tail(path: Path) -> str:
    """Return the last lines of a log as the end of a sentence, or nothing if there are none.

    What a terminal would not show as it is, such as colour codes and bytes that are no UTF-8, is replaced.
    """
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - LOG_BYTES))
            text = log.read().decode(errors="replace")
    except OSError:  # somebody has cleared it away
        return ""
    lines = "".join(c if c.isprintable() or c == "\n" else "�" for c in text).split("\n")
    last = "\n".join([line for line in lines if line.strip()][-LOG_LINES:])
    return f"; the last lines of '{path}':\n{last}" if last else ""


def quote(line: bytes) -> str:
    """Return the beginning of a line in quotes."""
    return repr(line[:QUOTED_BYTES].decode(errors="replace")) + ("..." if len(line) > QUOTED_BYTES else "")
