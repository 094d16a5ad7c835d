"""Comparing variants: timing them in turns, then training each, or counting its memory."""

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from kerasunroll.measurement.execution.executor import Executor, Schedule
from kerasunroll.measurement.execution.local import LocalExecutor
from kerasunroll.measurement.planning.findings import Findings, Measured
from kerasunroll.measurement.planning.jobs import FollowUp, PlannedVariant, affordable, outstanding
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.progress import OnProgress
from kerasunroll.measurement.records import store
from kerasunroll.measurement.records.record import Record


def compare(
    planned: Sequence[PlannedVariant],
    folder: Path,
    on_progress: OnProgress,
    rules: Rules,
    *,
    follow_up: FollowUp,
    known: Iterable[Record] = (),
    on_timed: Callable[[list[Measured]], None] = lambda measured: None,  # noqa: ARG005
    seed: int = 0,
    executor: Executor | None = None,
) -> list[Measured]:
    """Measure variants; every record is on the disk as soon as there is one.

    The variants of each group are timed, alone on their machine and in turns. Then they are trained, from the same
    weights on the same batches in the same order, or their memory is counted. What is known already is not measured
    again; groups that the time does not suffice for are left out.

    Args:
        planned: The variants, those of one group in a row, the most important group first.
        folder: Path. The folder of the comparison; its records go into `records` below it.
        on_progress: Called with the `Progress`.
        rules: `Rules`. What it may take.
        follow_up: `"training"` or `"memory"`: what follows the timing.
        known: The records of an earlier run. What was interrupted is measured again.
        on_timed: Called with each group as soon as it has been timed.
        seed: Integer. Draws the order of turns.
        executor: `Executor`. Who does the measuring. Defaults to this machine.
    """
    executor = executor or LocalExecutor()
    findings = Findings(known)
    saving = threading.Lock()

    def keep(record: Record) -> None:
        with saving:  # several trainings end at once
            store.save(record, folder / store.RECORDS)
            findings.add(record)

    group_jobs = affordable(outstanding(planned, follow_up, findings), rules.seconds_left * executor.places)
    executor.run(
        Schedule(
            group_jobs,
            follow_up=follow_up,
            rules=rules,
            findings=findings,
            keep=keep,
            on_progress=on_progress,
            on_timed=on_timed,
            seed=seed,
        )
    )
    return [findings.measured(one.variant) for one in planned]
