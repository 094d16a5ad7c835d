"""Why a worker ended, in words for a record and a terminal."""

import math
import re
import signal
from pathlib import Path
from typing import Final

from kerasunroll.units import shown_path

LOG_LINES: Final = 10
LOG_BYTES: Final = 1 << 16
QUOTED_BYTES: Final = 80

_INFO: Final = re.compile(r"I\d{4} \d\d:\d\d:|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: I ")
"""How a line of TensorFlow's level INFO begins: as Abseil writes it now, and as TensorFlow did before."""


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

    TensorFlow's lines of the level INFO are left out: they say nothing about an end, and there may be many. What a
    terminal would not show as it is, such as colour codes and bytes that are no UTF-8, is replaced.
    """
    try:
        with path.open("rb") as log:
            beginning = max(0, path.stat().st_size - LOG_BYTES)
            log.seek(beginning)
            if beginning:
                log.readline()  # the rest of a line
            text = log.read().decode(errors="replace")
    except OSError:  # somebody has cleared it away
        return ""
    lines = "".join(c if c.isprintable() or c == "\n" else "�" for c in text).split("\n")
    last = "\n".join([line for line in lines if line.strip() and not _INFO.match(line)][-LOG_LINES:])
    return f"; the last lines of '{shown_path(path)}':\n{last}" if last else ""


def quote(line: bytes) -> str:
    """Return the beginning of a line in quotes."""
    return repr(line[:QUOTED_BYTES].decode(errors="replace")) + ("..." if len(line) > QUOTED_BYTES else "")


def describe_divergence(loss: float, when: str) -> str:
    """Return that a loss is no number any more, since when, and what to do.

    Example:
    >>> describe_divergence(math.inf, "in epoch 2")
    'the loss became infinite in epoch 2: lower the learning rate, clip the gradient, or look for NaN in the data'
    """
    what = "NaN" if math.isnan(loss) else "infinite"
    return f"the loss became {what} {when}: lower the learning rate, clip the gradient, or look for NaN in the data"
