"""Times and sizes as people write them."""

import math
from collections.abc import Sequence
from typing import Final

from kerasunroll.errors import InputError
from kerasunroll.measurement.workers.worker import Limits

PHASE_SECONDS: Final = 600.0
"""What any phase of a worker may take unless told otherwise."""


def parse_seconds(text: str, option: str) -> float:
    """Return the seconds in a text such as `90`, `90s`, `5m` or `1h30m`.

    Args:
        text: String.
        option: String. What it is given for, named in the error.

    Raises:
        InputError: If it is no time, or not a positive one.
    """
    import pandas as pd

    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = float(pd.Timedelta(text).total_seconds())
        except ValueError:
            seconds = math.nan
    if not 0 < seconds < math.inf:
        raise InputError(f"Invalid {option}: expected a time such as 90s, 5m or 1h30m, got '{text}'.")
    return seconds


def parse_bytes(text: str, option: str) -> int:
    """Return the bytes in a text such as `4GB` or `500MiB`.

    Raises:
        InputError: If it is no size, or not a positive one.
    """
    from pydantic import ByteSize, TypeAdapter, ValidationError

    try:
        size = int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError:
        size = 0
    if size <= 0:
        raise InputError(f"Invalid {option}: expected a size such as 4GB or 500MiB, got '{text}'.")
    return size


def parse_limits(
    time_limits: Sequence[str], memory_limit: str | None, phases: Sequence[str], option: str = "--{}-limit"
) -> Limits:
    """Return what a worker may use.

    Args:
        time_limits: Texts such as `10m` for every phase, or `compile=2m` for one.
        memory_limit: A text such as `4GB`, or `None`.
        phases: The phases that there are.
        option: String. How the two are called in the error, with `{}` for `time` and `memory`.

    Raises:
        InputError: If one cannot be used.
    """
    seconds, by_phase = PHASE_SECONDS, {}
    for text in time_limits:
        phase, equals, time = text.rpartition("=")
        if not equals:
            seconds = parse_seconds(text, option.format("time"))
        elif phase in phases:
            by_phase[phase] = parse_seconds(time, f"{option.format('time')} {phase}")
        else:
            raise InputError(
                f"Invalid {option.format('time')}: there is no phase '{phase}'. There are {', '.join(phases)}."
            )
    memory = None if memory_limit is None else parse_bytes(memory_limit, option.format("memory"))
    return Limits(seconds=seconds, phases=by_phase, memory_bytes=memory)
