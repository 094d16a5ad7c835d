"""The callback that logs memory."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from kerasunroll.callbacks.device_memory import EXACT_CPU_MEMORY, DeviceMemory, fullest
from kerasunroll.callbacks.logger import Logger, UpdateFrequency
from kerasunroll.callbacks.sinks.sink import Sink
from kerasunroll.errors import KerasunrollWarning


class MemoryLogger(Logger):
    """Logs the memory that tensors take at the peak of a training step, and the memory of the process.

    Tags: `memory/tensor_peak_bytes`; `memory/tensor_alive_bytes`, the part of it that was there before the training
    step, such as weights, the optimiser's slots and data; `memory/process_bytes` (resident bytes). On a GPU the tensors
    are those on the first GPU. Under a strategy over several GPUs, `memory/gpu_0/tensor_peak_bytes`, ... are the peaks
    of each GPU, and the first two tags are those of the GPU with the largest peak, which would run out of memory first.
    Logical CPUs share one memory, and TensorFlow has one count for all of them. On a CPU, TensorFlow counts all tensors
    only if `TF_CPU_ALLOCATOR_USE_BFC=true` is set in the environment before it is imported. Without it the count would
    be far too small, so it is not logged, and a warning says so once.

    Args:
        log_dir: Path. The folder of the variant, as for `keras.callbacks.TensorBoard`; `None` for no TensorBoard.
        update_freq: `"epoch"`: the largest peak of the epoch's training steps; `"batch"` or an integer: the largest of
            that many training steps. Defaults to `"epoch"`.
        sinks: List of `kerasunroll.callbacks.sinks.Sink`, written into beside TensorBoard. Defaults to none.
        strict: Boolean. Whether a failure of the logger raises, and so ends the training. Defaults to `False`.

    Attributes:
        peak_bytes: Integer or `None`. The largest tensor peak of all training steps since `on_train_begin`.
        alive_bytes: Integer or `None`. The part of it that was there before that training step.
        device_peak_bytes: Dict from `"gpu_0"`, ... to the largest tensor peak there; empty unless there are several.

    Example:
    >>> model.fit(x, y, callbacks=[MemoryLogger("logs/full")])
    """

    subject = "Memory is"

    def __init__(
        self,
        log_dir: str | Path | None,
        update_freq: UpdateFrequency = "epoch",
        *,
        sinks: Sequence[Sink] = (),
        strict: bool = False,
    ) -> None:
        super().__init__(log_dir, update_freq, sinks=sinks, strict=strict)
        self._process = psutil.Process()
        self._memory: DeviceMemory | None = None
        self._warned = False
        self._alive: dict[str, int] = {}
        self._reset()

    @property
    def peak_bytes(self) -> int | None:
        """The largest tensor peak."""
        return self._largest and self._largest[0]

    @property
    def alive_bytes(self) -> int | None:
        """The part of it that was there before the training step."""
        return self._largest and self._largest[1]

    def training_begins(self) -> None:
        """Find out whose memory can be counted."""
        self._memory = DeviceMemory(self.model)
        self._reset()
        if not self._memory.devices and not self._warned:
            self._warned = True
            warnings.warn(
                "TensorFlow counts only part of the memory of tensors on this CPU, so only the process's memory is "
                f"logged. For exact numbers set {EXACT_CPU_MEMORY}=true before TensorFlow is imported.",
                KerasunrollWarning,
                stacklevel=2,
            )

    def training_steps_begin(self) -> None:
        """Let the peak count from here."""
        if self._memory is not None:
            self._alive = self._memory.reset()

    def training_steps_end(self, count: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Keep the largest peak, and write it when due."""
        # A training step that hands out gradients through time holds more than an ordinary one.
        ran_variant = getattr(self.model.train_function, "ran_variant", False)
        if self._memory is not None and self._memory.devices and not ran_variant:
            self._keep(self._memory.peaks())
        if self.is_due():
            self._write(self.training_step)

    def epoch_ends(self, epoch: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Write the largest peak of the epoch."""
        if self.update_freq == "epoch":
            self._write(self.training_step)

    def _reset(self) -> None:
        self._recent = (0, 0)
        self._recent_by_device: dict[str, int] = {}
        self._largest: tuple[int, int] | None = None
        self.device_peak_bytes: dict[str, int] = {}

    def _keep(self, peaks: dict[str, int]) -> None:
        device = fullest(peaks)
        self._recent = max(self._recent, (peaks[device], self._alive[device]))
        self._largest = max(self._largest or (0, 0), self._recent)
        if len(peaks) > 1:
            self._recent_by_device = _larger(self._recent_by_device, peaks)
            self.device_peak_bytes = _larger(self.device_peak_bytes, peaks)

    def _write(self, training_step: int) -> None:
        values = {"memory/process_bytes": float(self._process.memory_info().rss)}
        if self._recent[0]:
            values["memory/tensor_peak_bytes"], values["memory/tensor_alive_bytes"] = map(float, self._recent)
        for device, peak in self._recent_by_device.items():
            values[f"memory/{device}/tensor_peak_bytes"] = float(peak)
        self.log.scalars(values, training_step)
        self._recent, self._recent_by_device = (0, 0), {}


def _larger(peaks: dict[str, int], others: dict[str, int]) -> dict[str, int]:
    """Return the larger peak of each device."""
    return {device: max(peaks.get(device, 0), peak) for device, peak in others.items()}
