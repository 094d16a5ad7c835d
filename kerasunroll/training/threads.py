"""With how many threads TensorFlow runs a network: an axis of a comparison. Loads without TensorFlow.

| written | share an operation (intra-op) | run operations side by side (inter-op) | in names |
|---|---|---|---|
| `2` | 2 | as TensorFlow chooses | `full-threads2` |
| `2/1` | 2 | 1 | `full-threads2-1` |
| `default` | as TensorFlow chooses | as TensorFlow chooses | `full` |
"""

import re
from dataclasses import dataclass
from typing import Any, Final, Self

from kerasunroll.errors import InputError

DEFAULT: Final = "default"
"""What TensorFlow chooses by itself, in words; in code `None`."""

MOST: Final = 1024
"""More threads are taken for a slip."""

_WRITTEN: Final = re.compile(r"([0-9]+)(?:/([0-9]+))?")
_NAME: Final = re.compile(r"(.+)-threads([0-9]+)(?:-([0-9]+))?")


@dataclass(frozen=True)
class Threads:
    """How many threads TensorFlow has.

    Args:
        intra: Integer, at least 1. Threads that share the work of one operation.
        inter: Integer, at least 1. Threads that run operations side by side. Defaults to `None`: as TensorFlow chooses.
    """

    intra: int
    inter: int | None = None

    @classmethod
    def of(cls, value: Any) -> Self | None:
        """Return what is written, as on the command line; `None` is TensorFlow's own choice.

        Args:
            value: `"2"`, `"2/1"`, `"default"`, an integer, `None`, or `Threads`.

        Raises:
            InputError: If it is none of these, or too many or few.
        """
        if value is None or isinstance(value, cls):
            return value
        text = str(value).strip()
        if text == DEFAULT:
            return None
        written = None if isinstance(value, bool) else _WRITTEN.fullmatch(text)
        numbers = [int(number) for number in written.groups() if number] if written else []
        if not numbers or not all(1 <= number <= MOST for number in numbers):
            raise InputError(
                f"Invalid threads: expected a number from 1 to {MOST} such as 2 (intra-op), two of them such as 2/1 "
                f"(intra-op/inter-op), or {DEFAULT}, got {value!r}."
            )
        return cls(*numbers)

    def __str__(self) -> str:
        return f"{self.intra}" if self.inter is None else f"{self.intra}/{self.inter}"


def name_on(setting: str, threads: Threads | None) -> str:
    """Return the name of a variant: its setting, and its threads where they are not TensorFlow's own choice.

    Example:
    >>> name_on("full", Threads(2, 1))
    'full-threads2-1'
    """
    return setting if threads is None else f"{setting}-threads{str(threads).replace('/', '-')}"


def split_name(name: str) -> tuple[str, Threads | None]:
    """Return the setting and the threads of a variant from its name.

    Example:
    >>> split_name("full-threads2-1")
    ('full', Threads(intra=2, inter=1))
    """
    found = _NAME.fullmatch(name)
    return (found[1], Threads(*(int(number) for number in found.groups()[1:] if number))) if found else (name, None)


def threads_in_words(threads: Threads | None) -> str:
    """Return e.g. `"one thread"` or `"2 threads (1 inter-op)"`."""
    if threads is None:
        return "TensorFlow's own number of threads"
    words = "one thread" if threads.intra == 1 else f"{threads.intra} threads"
    return words if threads.inter is None else f"{words} ({threads.inter} inter-op)"
