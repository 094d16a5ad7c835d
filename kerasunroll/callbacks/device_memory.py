"""The memory of tensors, as TensorFlow counts it: once for each device that has memory of its own."""

import os
from collections.abc import Mapping
from typing import Any, Final

import tensorflow as tf

EXACT_CPU_MEMORY: Final = "TF_CPU_ALLOCATOR_USE_BFC"
"""With this environment variable set to `true` before TensorFlow is imported, it counts every tensor on the CPU."""


class DeviceMemory:
    """The tensors of a model on the devices it runs on, and their peak since the last `reset`.

    These are the GPUs of the model's strategy, or the first GPU without one. On a CPU there is one count, also where
    the CPU is divided into logical ones: they share one memory.

    Args:
        model: A Keras model.

    Attributes:
        devices: Tuple of strings, such as `("GPU:0", "GPU:1")` or `("CPU:0",)`; empty where TensorFlow does not count
            all tensors.
    """

    def __init__(self, model: Any) -> None:
        self.devices = _counted_devices(model.distribute_strategy)

    def reset(self) -> dict[str, int]:
        """Let the peaks count from here; return the bytes that are alive on each device, by the name of its tag."""
        for device in self.devices:
            tf.config.experimental.reset_memory_stats(device)
        return self._info("current")

    def peaks(self) -> dict[str, int]:
        """Return the most bytes on each device since the last `reset`, by the name of its tag."""
        return self._info("peak")

    def _info(self, what: str) -> dict[str, int]:
        return {tag_name(device): tf.config.experimental.get_memory_info(device)[what] for device in self.devices}


def tag_name(device: str) -> str:
    """Return the name of a device in tags and figures.

    Example:
    >>> tag_name("GPU:1")
    'gpu_1'
    """
    return device.lower().replace(":", "_")


def fullest(peaks: Mapping[str, int]) -> str:
    """Return the device whose peak is the largest: the one that would be the first to be full."""
    return max(peaks, key=lambda device: peaks[device])


def _counted_devices(strategy: Any) -> tuple[str, ...]:
    gpus = len(tf.config.list_logical_devices("GPU"))
    if gpus:
        return tuple(f"GPU:{index}" for index in range(strategy.num_replicas_in_sync))
    if os.environ.get(EXACT_CPU_MEMORY, "").lower() in ("1", "true"):
        return ("CPU:0",)
    return ()
