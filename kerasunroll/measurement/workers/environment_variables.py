"""Environment variables for workers; `None` unsets one that the user's shell may have set."""

from collections.abc import Mapping
from typing import Final

from kerasunroll.measurement.workers.xla_log import LOGGED

QUIET: Final = {"TF_CPP_MIN_LOG_LEVEL": "2"}
"""Keeps TensorFlow's notes about the CPU out of the logs; errors remain."""

_EXACT_MEMORY = "TF_CPU_ALLOCATOR_USE_BFC"
"""Has TensorFlow count every tensor on the CPU. It changes the speed, so times are taken without it."""

TIMED: Final[Mapping[str, str | None]] = {**LOGGED, _EXACT_MEMORY: None}
COUNTED: Final[Mapping[str, str | None]] = {**QUIET, _EXACT_MEMORY: "true"}
