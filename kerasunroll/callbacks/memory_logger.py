"""The callback that logs memory."""

import os
import warnings
from pathlib import Path
from typing import Any

import psutil
import tensorflow as tf

from kerasunroll.callbacks.logger import Logger, UpdateFrequency
from kerasunroll.errors import KerasunrollWarning

EXACT_CPU_MEMORY = "TF_CPU_ALLOCATOR_USE_BFC"
"""With this environment variable set to `true` before TensorFlow is imported, it counts every tensor on the CPU."""


class MemoryLogger(Logger):
    """Logs the memory that tensors take at the peak of a training step, and the memory of the process.

    Tags: `memory/tensor_peak_bytes`; `memory/tensor_alive_bytes`, the part of it that was there before the training
    step, such as weights, the optimiser's slots and data; `memory/process_bytes` (resident bytes). On a GPU the
    tensors are those on the first GPU. On a CPU, TensorFlow counts all tensors only if
    `TF_CPU_ALLOCATOR_USE_BFC=true` stands in the environment before TensorFlow is imported; without it the count
    would be far too small, so it is not logged, and a warning says so once.

    Args:
        log_dir: Path. The folder of the variant, as for `keras.callbacks.TensorBoard`.
        update_freq: `"epoch"`: the largest peak of the epoch's training steps; `"batch"` or an integer: the largest
            of so many training steps. Defaults to `"epoch"`.

    Attributes:
        peak_bytes: Integer or `None`. The largest tensor peak of all training steps since `on_train_begin`.
        alive_bytes: Integer or `None`. The part of it that was there before that training step.

    Example:
    >>> model.fit(x, y, callbacks=[MemoryLogger("logs/full")])
    """

    def __init__(self, log_dir: str | Path, update_freq: UpdateFrequency = "epoch") -> None:
        super().__init__(log_dir, update_freq)
        self._process = psutil.Process()
        self._device: str | None = None
        self._warned = False
        self._alive_bytes = 0
        self._recent = (0, 0)
        self._largest: tuple[int, int] | None = None

    @property
    def peak_bytes(self) -> int | None:
        """The largest tensor peak."""
        return self._largest and self._largest[0]

    @property
    def alive_bytes(self) -> int | None:
        """The part of it that was there before the training step."""
        return self._largest and self._largest[1]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Find out whose memory can be counted."""
        super().on_train_begin(logs)
        self._device = counted_device()
        self._recent = (0, 0)
        self._largest = None
        if self._device is None and not self._warned:
            self._warned = True
            warnings.warn(
                "TensorFlow counts only part of the memory of tensors on this CPU, so only the process's memory is "
                f"logged. For exact numbers set {EXACT_CPU_MEMORY}=true before TensorFlow is imported.",
                KerasunrollWarning,
                stacklevel=2,
            )

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Let the peak count from here."""
        if self._device is not None:
            tf.config.experimental.reset_memory_stats(self._device)
            self._alive_bytes = tf.config.experimental.get_memory_info(self._device)["current"]

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep the largest peak, and write it when due."""
        super().on_train_batch_end(batch, logs)
        # A training step that hands out gradients through time holds more than an ordinary one.
        ran_variant = getattr(self.model.train_function, "ran_variant", False)
        if self._device is not None and not ran_variant:
            peak = tf.config.experimental.get_memory_info(self._device)["peak"]
            self._recent = max(self._recent, (peak, self._alive_bytes))
            self._largest = max(self._largest or (0, 0), self._recent)
        if self.is_due():
            self._write(self.training_step)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Write the largest peak of the epoch."""
        if self.update_freq == "epoch":
            self._write(self.training_step)
        self.log.flush()

    def _write(self, training_step: int) -> None:
        values = {"memory/process_bytes": float(self._process.memory_info().rss)}
        if self._recent[0]:
            values["memory/tensor_peak_bytes"], values["memory/tensor_alive_bytes"] = map(float, self._recent)
        self.log.scalars(values, training_step)
        self._recent = (0, 0)


def counted_device() -> str | None:
    """Return the device whose tensor memory TensorFlow counts completely, or `None` if there is none."""
    if tf.config.list_logical_devices("GPU"):
        return "GPU:0"
    if os.environ.get(EXACT_CPU_MEMORY, "").lower() in ("1", "true"):
        return "CPU:0"
    return None
