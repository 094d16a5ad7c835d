"""Environment variables for workers; `None` unsets one that the user's shell may have set."""

from collections.abc import Mapping
from typing import Final

from kerasunroll.measurement.workers.xla_log import LOGGED

EXACT_MEMORY: Final = "TF_CPU_ALLOCATOR_USE_BFC"
"""Has TensorFlow count every tensor on the CPU. It changes the speed, so times are taken without it."""

TIMED: Final[Mapping[str, str | None]] = {**LOGGED, EXACT_MEMORY: None}
COUNTED: Final[Mapping[str, str | None]] = {**LOGGED, EXACT_MEMORY: "true"}
"""But for what is read later (`preloaded.READ_LATER`) the same, so that one preloaded process serves both."""
