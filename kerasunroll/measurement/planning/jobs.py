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

AT_ONCE: Final = os.cpu_count() or 1
"""How many variants are trained, or have their memory counted, at once."""

FollowUp: TypeAlias = Literal["training", "memory"]
"""What follows the timing."""


@dataclass(frozen=True)
class PlannedVariant:
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
class GroupJob:
    """What is to be done for one group.

    Args:
        planned: The variants of the group.
        timing_seconds: Float. How long it will take to time them in the fewest rounds, 0 if that has been done.
        round_seconds: Float. How long each further round takes.
        follow_up: Those of them that are still to be trained, or to have their memory counted.
        follow_up_seconds: Float. How long that will take, several at once.
    """

    planned: list[PlannedVariant]
    timing_seconds: float
    round_seconds: float
    follow_up: list[PlannedVariant]
    follow_up_seconds: float

    @property
    def seconds(self) -> float:
        """How long all of it will take."""
        return self.timing_seconds + self.follow_up_seconds


def outstanding(
    planned: Iterable[PlannedVariant], follow_up: FollowUp, findings: Findings, *, timed: bool = True
) -> list[GroupJob]:
    """Return what is still to be done for each group, those included for which nothing is.

    Args:
        planned: The variants, those of one group in a row.
        follow_up: What follows the timing.
        findings: What is known already.
        timed: Boolean. Whether the variants are to be timed at all. Defaults to `True`.
    """
    group_jobs = []
    for _, group in groupby(planned, key=lambda one: one.variant.group):
        members = list(group)
        done = not timed or timed_together([findings.of(one.variant, "timing") for one in members])
        missing = [one for one in members if not is_finished(findings.of(one.variant, follow_up))]
        group_jobs.append(
            GroupJob(
                planned=members,
                timing_seconds=0.0 if done else sum(one.estimate.timing for one in members),
                round_seconds=0.0 if done else sum(one.estimate.rounds for one in members),
                follow_up=missing,
                follow_up_seconds=sum(one.seconds(follow_up) for one in missing) / AT_ONCE,
            )
        )
    return group_jobs


def affordable(group_jobs: Sequence[GroupJob], seconds: float) -> list[GroupJob]:
    """Return the first jobs that fit into a time, but at least one with something to do.

    Args:
        group_jobs: What is to be done, the most important first.
        seconds: Float. The time there is.
    """
    begun = list(accumulate(group_job.seconds for group_job in group_jobs))
    return [
        group_job
        for group_job, total in zip(group_jobs, begun, strict=True)
        if total <= seconds or total == group_job.seconds
    ]


def timed_together(timings: Sequence[Record | None]) -> bool:
    """Tell whether all variants of a group have been timed, in turns: else their rounds do not pair."""
    return all(map(is_finished, timings)) and len({timing.session for timing in timings if timing}) == 1
