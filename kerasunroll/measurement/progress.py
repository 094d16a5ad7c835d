"""How far a measurement has come, for whoever shows it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Progress:
    """A piece of news.

    Args:
        doing: String. What is being done, such as `"lstm full: compile"`.
        done: Float. The share of the whole that is done, from 0 to 1.
    """

    doing: str
    done: float


OnProgress: TypeAlias = Callable[[Progress], None]


class ProgressCounter:
    """Adds up pieces of work into a share of the whole, and tells it.

    Args:
        total: Float. The sum of all pieces.
        on_progress: Called with a `Progress` at every change.
    """

    def __init__(self, total: float, on_progress: OnProgress) -> None:
        self._total = total
        self._on_progress = on_progress
        self._pieces: dict[str, float] = {}

    def report(self, piece: str, doing: str, done: float) -> None:
        """Set what is done of a piece of work, and tell."""
        self._pieces[piece] = done
        self._on_progress(Progress(doing, min(1.0, sum(self._pieces.values()) / self._total)))

    def part(self, piece: str, share: float, total: float) -> "ProgressCounter":
        """Return a counter for a piece of work that consists of pieces itself.

        Args:
            piece: String. The piece of this counter's.
            share: Float. What that piece adds to this counter's sum when all of it is done.
            total: Float. The sum of the part's own pieces.
        """
        return ProgressCounter(total, lambda progress: self.report(piece, progress.doing, share * progress.done))
