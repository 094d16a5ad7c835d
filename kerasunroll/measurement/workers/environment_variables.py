"""Environment variables for workers; `None` unsets one that the user's shell may have set."""

from collections.abc import Mapping
from typing import Final

from kerasunroll.measurement.workers.xla_log import LOGGED

EXACT_MEMORY: Final = "TF_CPU_ALLOCATOR_USE_BFC"
"""Has TensorFlow count every tensor on the CPU. It changes the speed, so times are taken without it."""

SHARED_GPU: Final[Mapping[str, str]] = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
"""Has TensorFlow take a GPU's memory as it needs it. Left to itself, a process takes nearly all of it at once: a second
one finds none, and those that take turns are alive together."""

TIMED: Final[Mapping[str, str | None]] = {**LOGGED, **SHARED_GPU, EXACT_MEMORY: None}
COUNTED: Final[Mapping[str, str | None]] = {**LOGGED, **SHARED_GPU, EXACT_MEMORY: "true"}
"""But for what is read later (`preloaded.READ_LATER`) the same, so that one preloaded process serves both."""
