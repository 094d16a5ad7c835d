"""How long XLA compiled, as TensorFlow itself says in its log."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

LOGGED: Final[Mapping[str, str]] = {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_CPP_VMODULE": "device_compiler=1"}
"""With these environment variables TensorFlow writes a line for every program that XLA compiled."""

_COMPILATION: Final = re.compile(rb"Compilation of XLA executable time: [^(\n]*\((\d+) us\)")


def xla_compile_seconds(log: Path) -> float | None:
    """Return the seconds that XLA compiled so far, or `None` where it compiled nothing.

    Args:
        log: Path of the log of a process that runs with `LOGGED`. It counts every program that XLA compiles: a whole
            training step, or only a function inside it.

    Example:
    >>> xla_compile_seconds(Path("timing.log"))  # doctest: +SKIP
    0.26905
    """
    times = [int(microseconds) for microseconds in _COMPILATION.findall(log.read_bytes())]
    return sum(times) / 1e6 if times else None
