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


Tell: TypeAlias = Callable[[Progress], None]


class Tally:
    """Adds up pieces of work into a share of the whole, and tells it.

    Args:
        total: Float. The sum of all pieces.
        tell: Called with a `Progress` at every change.
    """

    def __init__(self, total: float, tell: Tell) -> None:
        self._total = total
        self._tell = tell
        self._pieces: dict[str, float] = {}

    def report(self, piece: str, doing: str, done: float) -> None:
        """Set what is done of a piece of work, and tell."""
        self._pieces[piece] = done
        self._tell(Progress(doing, min(1.0, sum(self._pieces.values()) / self._total)))

    def part(self, piece: str, share: float, total: float) -> "Tally":
        """Return a tally for a piece of work that consists of pieces itself.

        Args:
            piece: String. The piece of this tally's.
            share: Float. What that piece adds to this tally's sum when all of it is done.
            total: Float. The sum of the part's own pieces.
        """
        return Tally(total, lambda news: self.report(piece, news.doing, share * news.done))
