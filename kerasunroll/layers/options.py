"""The arguments of kerasunroll's recurrent layers beside Keras's: what is accepted, and how the rest is refused."""

from numbers import Integral
from typing import Any

from kerasunroll.errors import InputError, SettingError
from kerasunroll.settings import LayerUnroll, validate_layer_unroll


class StepsPerIteration(int):
    """An integer `unroll`, which Keras's own code, where it asks `if self.unroll`, takes for the loop that it is.

    Keras reads a true `unroll` as fully unrolled: it refuses an unknown number of time steps, for example.
    """

    def __bool__(self) -> bool:
        return False


def checked_unroll(value: Any) -> LayerUnroll:
    """Return the `unroll` of a layer, an integer as one that Keras takes for a loop.

    Raises:
        SettingError: If it is none of `False`, `True`, an integer of at least 2 and `"auto"`.
    """
    unroll = validate_layer_unroll(value)
    return unroll if isinstance(unroll, bool | str) else StepsPerIteration(unroll)


def checked_truncate(value: Any) -> int | None:
    """Return `truncate`.

    Raises:
        InputError: If it is neither `None` nor an integer of at least 1.
    """
    if value is None:
        return None
    if _is_count(value):
        return int(value)
    hint = " For a gradient that is not cut use None." if isinstance(value, bool) else ""
    raise InputError(
        "Invalid truncate: expected None (the gradient is not cut) or an integer k >= 1 (it is cut every k time "
        f"steps), got {value!r}.{hint}"
    )


def checked_recompute(value: Any) -> bool | int:
    """Return `recompute`.

    Raises:
        InputError: If it is neither a boolean nor an integer of at least 1.
    """
    if isinstance(value, bool):
        return value
    if _is_count(value):
        return int(value)
    raise InputError(
        "Invalid recompute: expected False (all is kept), True (segments of about sqrt(T) time steps) or an integer "
        f">= 1 (the time steps of a segment), got {value!r}."
    )


def check_together(unroll: LayerUnroll, recompute: bool | int) -> None:
    """Refuse what contradicts itself.

    Raises:
        SettingError: If an iteration of the loop would be longer than the segment it is a part of.
    """
    # An integer segment: True is one too, but has no length yet.
    if isinstance(recompute, bool) or isinstance(unroll, bool | str) or unroll <= recompute:
        return
    raise SettingError(
        f"unroll={int(unroll)} and recompute={recompute} contradict each other: one iteration of the loop would be "
        f"longer than the segment it is a part of. Use recompute={int(unroll)} or more, or unroll={recompute} or less."
    )


def _is_count(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= 1
