"""Keeping pictures cheap: they are drawn when enough time has gone by to pay for them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

SHARE: Final = 0.005
"""The share of the training time that may go into drawing pictures."""


EXPECTED_SECONDS: Final = 0.5
"""What a piece of work is taken to cost before the first one: the pictures of a small network."""


class Pace:
    """Allows a piece of work as often as it fits into a share of the time.

    Args:
        share: Float. The share of the time since the first piece of work that all of it together may take.
        clock: Returns the time in seconds.
    """

    def __init__(self, share: float = SHARE, clock: Callable[[], float] = time.perf_counter) -> None:
        self._share = share
        self._clock = clock
        self._start = clock()
        self._spent = 0.0
        self._longest = EXPECTED_SECONDS

    def allows(self) -> bool:
        """Tell whether one more piece, taken to be as long as the longest so far, fits into the share."""
        return self._spent + self._longest <= self._share * (self._clock() - self._start)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count what is done in this context as work."""
        begin = self._clock()
        yield
        seconds = self._clock() - begin
        self._spent += seconds
        self._longest = max(self._longest, seconds)
