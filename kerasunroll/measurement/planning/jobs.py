"""The work of a comparison: what is still to be done, and what of it the time suffices for."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Final, Literal, TypeAlias

from kerasunroll.measurement.planning.estimate import Estimate
from kerasunroll.measurement.planning.findings import Findings, is_finished
from kerasunroll.measurement.planning.variant import Variant
from kerasunroll.measurement.records.record import Record

JOBS: Final = os.cpu_count() or 1
"""How many variants are trained, or have their memory counted, at once."""

Second: TypeAlias = Literal["training", "memory"]
"""What follows the timing."""


@dataclass(frozen=True)
class Work:
    """A variant to be measured.

    Args:
        variant: The variant.
        estimate: How long it will take.
    """

    variant: Variant
    estimate: Estimate

    def seconds(self, measurement: str) -> float:
        """Return the estimate for one kind of measurement."""
        return float(getattr(self.estimate, measurement))


@dataclass(frozen=True)
class Piece:
    """What is to be done for one group.

    Args:
        works: The variants of the group.
        timing_seconds: Float. How long it will take to time them in the fewest rounds, 0 if that has been done.
        round_seconds: Float. How long each further round takes.
        second: Those of them that are still to be trained, or to have their memory counted.
        second_seconds: Float. How long that will take, several at once.
    """

    works: list[Work]
    timing_seconds: float
    round_seconds: float
    second: list[Work]
    second_seconds: float

    @property
    def seconds(self) -> float:
        """How long all of it will take."""
        return self.timing_seconds + self.second_seconds


def outstanding(works: Iterable[Work], second: Second, findings: Findings, *, timed: bool = True) -> list[Piece]:
    """Return what is still to be done for each group, those included for which nothing is.

    Args:
        works: The variants, those of one group in a row.
        second: What follows the timing.
        findings: What is known already.
        timed: Boolean. Whether the variants are to be timed at all. Defaults to `True`.
    """
    pieces = []
    for _, group in groupby(works, key=lambda work: work.variant.group):
        members = list(group)
        done = not timed or timed_together([findings.of(work.variant, "timing") for work in members])
        missing = [work for work in members if not is_finished(findings.of(work.variant, second))]
        pieces.append(
            Piece(
                works=members,
                timing_seconds=0.0 if done else sum(work.estimate.timing for work in members),
                round_seconds=0.0 if done else sum(work.estimate.rounds for work in members),
                second=missing,
                second_seconds=sum(work.seconds(second) for work in missing) / JOBS,
            )
        )
    return pieces


def affordable(pieces: Sequence[Piece], seconds: float) -> list[Piece]:
    """Return the first pieces that fit into a time, but at least one with something to do.

    Args:
        pieces: What is to be done, the most important first.
        seconds: Float. The time there is.
    """
    begun = list(accumulate(piece.seconds for piece in pieces))
    return [piece for piece, total in zip(pieces, begun, strict=True) if total <= seconds or total == piece.seconds]


def timed_together(timings: Sequence[Record | None]) -> bool:
    """Tell whether all variants of a group have been timed, in turns: else their rounds do not pair."""
    return all(map(is_finished, timings)) and len({timing.session for timing in timings if timing}) == 1
