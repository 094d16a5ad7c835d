"""What is going to be measured, and how long that will take."""

import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from kerasunroll.measurement.planning.jobs import FollowUp, GroupJob, affordable
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.statistics.rounds import MIN_ROUNDS
from kerasunroll.units import format_count, format_seconds


def plan_line(group_jobs: Sequence[GroupJob], rules: Rules, places: int = 1) -> str:
    """Return a plan in a sentence or two.

    Args:
        group_jobs: What is to be done, for at least one group.
        rules: `Rules`. What it may take.
        places: Integer. How many groups are measured at once. Defaults to 1.

    Returns:
        A string such as `"6 variants in 3 groups, about 2 min 10 s to 2 min 50 s."`.
    """
    fitting = affordable(group_jobs, rules.seconds_left * places)
    variants = sum(len(group_job.planned) for group_job in group_jobs)
    line = f"{_count(variants, 'variant')} in {_count(len(group_jobs), 'group')}"
    if not any(group_job.seconds for group_job in group_jobs):
        return f"{line}: all of it has been measured."
    line += f", about {_time(fitting, rules, min(places, len(fitting)))}."
    if len(fitting) < len(group_jobs):
        line += f" The time suffices for the first {_count(len(fitting), 'group')}; --resume does the others."
    return line


def plan_table(group_jobs: Sequence[GroupJob], rules: Rules, follow_up: FollowUp, places: int = 1) -> Table:
    """Return a plan as a table: a line per group, with what is to be done and how long it will take.

    Args:
        group_jobs: What is to be done, for at least one group.
        rules: `Rules`. What it may take.
        follow_up: What follows the timing.
        places: Integer. How many groups are measured at once. Defaults to 1.
    """
    fitting = affordable(group_jobs, rules.seconds_left * places)
    table = Table(title=plan_line(group_jobs, rules, places), title_justify="left", title_style="")
    table.add_column("group")
    table.add_column("settings")
    limited = rules.deadline < math.inf
    for heading in ("timing", follow_up, *(["in this time"] if limited else [])):
        table.add_column(heading, justify="right")
    for group_job in group_jobs:
        table.add_row(
            Text(group_job.planned[0].variant.group),
            Text(" ".join(one.variant.setting for one in group_job.planned)),
            format_seconds(group_job.timing_seconds) if group_job.timing_seconds else "done",
            format_seconds(group_job.follow_up_seconds) if group_job.follow_up_seconds else "done",
            *(["yes" if group_job in fitting else "no"] if limited else []),
        )
    return table


def _count(number: int, what: str) -> str:
    return f"{format_count(number)} {what}{'' if number == 1 else 's'}"


def _time(group_jobs: Sequence[GroupJob], rules: Rules, places: int) -> str:
    """Return the time from as few rounds as possible to as many as allowed."""
    least = sum(group_job.seconds for group_job in group_jobs) / places
    more = sum(group_job.round_seconds for group_job in group_jobs) / places * (rules.max_rounds - MIN_ROUNDS)
    low, high = (format_seconds(round(min(seconds, rules.seconds_left))) for seconds in (least, least + more))
    return low if low == high else f"{low} to {high}"
