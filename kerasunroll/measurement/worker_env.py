"""Environment variables for workers."""

from typing import Final

QUIET: Final = {"TF_CPP_MIN_LOG_LEVEL": "2"}
"""Keeps TensorFlow's notes about the CPU out of the logs; errors remain."""

EXACT_MEMORY: Final = {"TF_CPU_ALLOCATOR_USE_BFC": "true"}
"""Has TensorFlow count every tensor on the CPU; it changes the speed, so times are taken without it."""
