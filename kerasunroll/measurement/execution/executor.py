"""What every executor does: measure an order's pieces, and hand over each record as it comes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kerasunroll.measurement.planning.findings import Findings, Measured
from kerasunroll.measurement.planning.jobs import Piece, Second
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.progress import Tell
from kerasunroll.measurement.records.environment import Environment
from kerasunroll.measurement.records.record import Record


@dataclass(frozen=True)
class Order:
    """What is to be measured, by which rules, and who is told.

    Args:
        pieces: What is to be done, the most important piece first. What is compared with each other is one piece.
        second: What follows the timing.
        rules: What each worker may use, and until when there is time.
        findings: What is known already.
        keep: Called with each record as soon as there is one, in any thread. What belongs to it lies in the variant's
            folder by then.
        tell: Called with the `Progress`.
        on_timed: Called with each group as soon as it has been timed.
        timed: Boolean. Whether the variants are to be timed at all. Defaults to `True`.
        seed: Integer. Draws the order of turns. Defaults to 0.
    """

    pieces: Sequence[Piece]
    second: Second
    rules: Rules
    findings: Findings
    keep: Callable[[Record], None]
    tell: Tell
    on_timed: Callable[[list[Measured]], object] = lambda measured: None  # noqa: ARG005
    timed: bool = True
    seed: int = 0

    @property
    def seconds(self) -> float:
        """How long it would take on one machine."""
        return sum(piece.seconds for piece in self.pieces)

    def report_timed(self, piece: Piece) -> None:
        """Say that a piece has been timed."""
        self.on_timed([self.findings.measured(work.variant) for work in piece.works])


class Executor(Protocol):
    """Measures what is ordered.

    Two of them there are: `LocalExecutor` and `RayExecutor`.
    """

    @property
    def places(self) -> int:
        """How many pieces are measured at once."""

    @property
    def environments(self) -> Sequence[Environment]:
        """What it measures with: the facts about each kind of machine."""

    def run(self, order: Order) -> None:
        """Measure every piece of an order; return when all is done, or the time is spent.

        Raises:
            RunError: If nothing more can be measured.
        """
