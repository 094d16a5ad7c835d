"""What every executor does: measure the jobs of a schedule, and hand over each record as it comes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kerasunroll.measurement.planning.findings import Findings, Measured
from kerasunroll.measurement.planning.jobs import FollowUp, GroupJob
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.progress import OnProgress
from kerasunroll.measurement.records.environment import Environment
from kerasunroll.measurement.records.record import Record


@dataclass(frozen=True)
class Schedule:
    """What is to be measured, by which rules, and who is told.

    Args:
        group_jobs: What is to be done, one job per group, the most important first.
        follow_up: What follows the timing.
        rules: What each worker may use, and until when there is time.
        findings: What is known already.
        keep: Called with each record as soon as there is one, in any thread. What belongs to it lies in the variant's
            folder by then.
        on_progress: Called with the `Progress`.
        on_timed: Called with each group as soon as it has been timed.
        timed: Boolean. Whether the variants are to be timed at all. Defaults to `True`.
        seed: Integer. Draws the order of turns. Defaults to 0.
    """

    group_jobs: Sequence[GroupJob]
    follow_up: FollowUp
    rules: Rules
    findings: Findings
    keep: Callable[[Record], None]
    on_progress: OnProgress
    on_timed: Callable[[list[Measured]], object] = lambda measured: None  # noqa: ARG005
    timed: bool = True
    seed: int = 0

    @property
    def seconds(self) -> float:
        """How long it would take on one machine."""
        return sum(group_job.seconds for group_job in self.group_jobs)

    def report_timed(self, group_job: GroupJob) -> None:
        """Say that a group has been timed."""
        self.on_timed([self.findings.measured(one.variant) for one in group_job.planned])


class Executor(Protocol):
    """Measures what is scheduled.

    Two of them there are: `LocalExecutor` and `RayExecutor`.
    """

    @property
    def places(self) -> int:
        """How many groups are measured at once."""

    @property
    def environments(self) -> Sequence[Environment]:
        """What it measures with: the facts about each kind of machine."""

    def run(self, schedule: Schedule) -> None:
        """Measure every group of a schedule; return when all is done, or the time is spent.

        Raises:
            RunError: If nothing more can be measured.
        """
