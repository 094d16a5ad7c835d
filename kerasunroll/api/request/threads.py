"""The numbers of threads that were passed."""

from typing import Any

from kerasunroll.errors import InputError
from kerasunroll.training.threads import DEFAULT, Threads


def threads_of(threads: Any) -> list[Threads | None]:
    """Return the threads to compare; `None` is TensorFlow's own choice.

    Args:
        threads: One of those that `Threads.of` takes, or a list of them.

    Raises:
        InputError: If one is no number of threads, or is there twice, or there is none at all.
    """
    found = [Threads.of(each) for each in (threads if isinstance(threads, list | tuple) else [threads])]
    if not found:
        raise InputError("Expected at least one number of threads, got an empty list. Give threads=[1, 2].")
    for each in found:
        if found.count(each) > 1:
            raise InputError(f"'{each or DEFAULT}' is there twice in threads={threads!r}. Leave out one.")
    return found
