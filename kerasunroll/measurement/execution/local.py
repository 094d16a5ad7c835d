"""Measuring on this machine."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from kerasunroll.errors import InputError
from kerasunroll.measurement.execution.executor import Schedule
from kerasunroll.measurement.planning.jobs import AT_ONCE
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.progress import ProgressCounter
from kerasunroll.measurement.records.environment import Environment, environment
from kerasunroll.measurement.stages.memory import count_variants
from kerasunroll.measurement.stages.timing import pieces, time_group
from kerasunroll.measurement.stages.training import train_variants


@dataclass(frozen=True)
class LocalExecutor:
    """Measures on this machine.

    First the variants of each group are timed, alone on the machine and in turns. Then all are trained, from the
    same weights on the same batches in the same schedule, or their memory is counted, several at once.

    Args:
        at_once: Integer. How many variants are trained, or have their memory counted, at once. Defaults to the cores.
    """

    at_once: int = AT_ONCE
    places: int = 1

    @property
    def environments(self) -> Sequence[Environment]:
        """The facts about this machine."""
        return [environment()]

    def run(self, schedule: Schedule) -> None:
        """Measure every group of a schedule.

        Raises:
            InputError: If a group is for a kind of node that this machine is not.
        """
        _refuse_other_nodes(schedule)
        follow_up_seconds = sum(group_job.follow_up_seconds for group_job in schedule.group_jobs)
        counter = ProgressCounter(schedule.seconds, schedule.on_progress)
        _time(schedule, counter)
        # The largest first: the small ones fill the time of the cores beside them.
        missing = sorted(
            chain(*(group_job.follow_up for group_job in schedule.group_jobs)),
            key=lambda one: -one.seconds(schedule.follow_up),
        )
        variants = [one.variant for one in missing]
        part = counter.part(schedule.follow_up, follow_up_seconds, len(missing))
        if schedule.follow_up == "memory":
            count_variants(variants, schedule.rules, part, at_once=self.at_once, keep=schedule.keep)
        else:
            known = {variant.folder: schedule.findings.of(variant, "timing") for variant in variants}
            timings = {folder: timing for folder, timing in known.items() if timing}
            train_variants(variants, timings, schedule.rules, part, at_once=self.at_once, keep=schedule.keep)


def _refuse_other_nodes(schedule: Schedule) -> None:
    for group_job in schedule.group_jobs:
        first = group_job.planned[0].variant
        if first.node_kind not in (None, first.node.kind):
            raise InputError(
                f"'{first.group}' is to be measured on a node of the kind {first.node_kind}, this machine is of the "
                f"kind {first.node.kind}. Give --executor ray, in a cluster that has such a node."
            )


def _time(schedule: Schedule, counter: ProgressCounter) -> None:
    rng = random.Random(schedule.seed)  # noqa: S311 - the order of turns
    follow_up_seconds = sum(group_job.follow_up_seconds for group_job in schedule.group_jobs)
    for number, group_job in enumerate(schedule.group_jobs):
        name, seconds = group_job.planned[0].variant.group, group_job.timing_seconds
        if seconds:
            later = sum(each.timing_seconds for each in schedule.group_jobs[number + 1 :]) + follow_up_seconds
            time_group(
                [one.variant for one in group_job.planned],
                _reserving(schedule.rules, own=seconds, later=later),
                counter.part(name, seconds, pieces(len(group_job.planned), schedule.rules)),
                rng,
                keep=schedule.keep,
            )
            counter.report(name, f"{name}: timed", seconds)
        schedule.report_timed(group_job)


def _reserving(rules: Rules, own: float, later: float) -> Rules:
    """Return rules whose deadline leaves time for what comes later, but does not starve what comes now."""
    return replace(rules, deadline=min(rules.deadline, max(time.monotonic() + 2 * own, rules.deadline - later)))
