"""What `--distribute` means on this machine. Asked before TensorFlow is loaded, which a worker process does."""

import os
from typing import Final

from kerasunroll.errors import InputError

ALL: Final = "all"


def parse_devices(text: str) -> int | None:
    """Return over how many devices of this machine a training run is to be spread.

    The devices are the GPUs, or where there is none logical CPUs, of which each gets a core at least.

    Args:
        text: String. A number, or `all`.

    Returns:
        Integer, at least 2, or `None` for one device.

    Raises:
        InputError: If it is neither, or more than there are.
    """
    available, kind = _available()
    devices = available if text == ALL else int(text) if text.isdecimal() else 0
    if devices < 1:
        raise InputError(f"Invalid --distribute: expected a number of devices such as 2, or {ALL}, got '{text}'.")
    if devices > available:
        raise InputError(
            f"--distribute {devices} is more than this machine has: {available} {kind}. "
            f"Give at most {available}, or {ALL}."
        )
    return devices if devices > 1 else None


def _available() -> tuple[int, str]:
    """Return how many devices there are, and what they are in words."""
    from kerasunroll.measurement.records.environment import environment

    here = environment()
    gpus = len(here.gpus)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        gpus = min(gpus, sum(name.strip() not in ("", "-1") for name in visible.split(",")))
    return (gpus, "GPU(s)") if gpus else (max(1, int(here.usable_cores)), "CPU core(s) and no GPU")
