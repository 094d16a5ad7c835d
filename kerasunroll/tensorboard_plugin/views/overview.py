"""The overview: the verdict on each network, and what each setting costs beside the loop."""

from collections.abc import Sequence
from typing import Any

from kerasunroll.measurement.statistics.intervals import Interval, mean_interval
from kerasunroll.report.configuration import describe
from kerasunroll.report.rows import Row
from kerasunroll.report.run import Run, planned_training_steps
from kerasunroll.report.verdict.costs import Cost
from kerasunroll.report.verdict.summary import summary
from kerasunroll.report.verdict.text import small_print, verdict_sentences
from kerasunroll.report.verdict.verdict import Constraints, Verdict, verdicts
from kerasunroll.tensorboard_plugin.comparisons import Found
from kerasunroll.tensorboard_plugin.requests import number
from kerasunroll.units import format_bytes, format_seconds

MEMORY = "process_peak_bytes"
"""What a memory limit is compared with."""


def overview_view(
    comparisons: Sequence[Found], training_steps: int | None = None, memory_limit: int | None = None
) -> dict[str, Any]:
    """Return the verdicts on all comparisons.

    Args:
        comparisons: Sequence of `Found`.
        training_steps: Integer; as many as were planned by default.
        memory_limit: Integer. Bytes that a process may take; no limit by default.
    """
    constraints = Constraints(memory_limit, training_steps)
    rows = [row for found in comparisons if found.run for row in found.run.rows]
    planned = [steps for found in comparisons if found.run for steps in planned_training_steps(found.run.plan).values()]
    peaks = [row.figures[MEMORY] for row in rows if MEMORY in row.figures]
    return {
        "comparisons": [_comparison(found, constraints) for found in comparisons],
        "planned_training_steps": max(planned, default=None),
        "memory": {"least": min(peaks), "most": max(peaks)} if peaks else None,
    }


def _comparison(found: Found, constraints: Constraints) -> dict[str, Any]:
    if found.run is None:
        return {"name": found.name, "problem": found.problem, "groups": [], "notes": [], "summary": None}
    run = found.run
    on_groups = verdicts(run.rows, constraints, planned_training_steps(run.plan))
    return {
        "name": found.name,
        "problem": "",
        "summary": summary(on_groups),
        "notes": _notes(run),
        "groups": [_group(run.groups[each.group], each, found.colours) for each in on_groups],
    }


def _notes(run: Run) -> list[str]:
    notes = [f"Records of different environments are compared here: {fact}." for fact in run.other_environments]
    return [*notes, *(f"A record cannot be used: '{each.path.name}': {each.reason}." for each in run.damaged)]


def _group(rows: Sequence[Row], verdict: Verdict, colours: dict[str, str]) -> dict[str, Any]:
    baseline = verdict.cost(verdict.baseline)
    of_setting = {row.setting: row for row in rows}
    return {
        "name": verdict.group,
        "about": describe(rows[0].config),
        "sentences": verdict_sentences(verdict),
        "small_print": small_print(verdict),
        "rows": [
            {
                "setting": cost.setting,
                "colour": colours[cost.setting],
                "taken": cost.setting == verdict.take,
                "out": verdict.out.get(cost.setting) or verdict.unfinished.get(cost.setting) or "",
                "figures": _figures(of_setting[cost.setting], cost, baseline),
            }
            for cost in verdict.costs
        ],
        "problems": [f"{row.setting}: {problem}" for row in rows for problem in row.problems],
    }


def _figures(row: Row, cost: Cost, baseline: Cost) -> dict[str, Any]:
    """Return what a setting costs; each with its interval where there is one."""
    ready = mean_interval(cost.ready_each) if len(cost.ready_each) > 1 else None
    memory = row.interval(MEMORY)
    return {
        "step": _figure(cost.step_seconds, _step_interval(cost, baseline), format_seconds),
        "ready": _figure(cost.ready_seconds, ready, format_seconds),
        "memory": _figure(row.figures.get(MEMORY), memory, format_bytes),
        "loss": _figure(row.figures.get("final_loss"), None, lambda value: f"{value:.4g}"),
    }


def _step_interval(cost: Cost, baseline: Cost) -> Interval | None:
    """Return the interval of the ratio, at the loop's time; the loop itself has none."""
    if cost.ratio is None or not baseline.step_seconds or cost is baseline:
        return None
    return cost.ratio.scaled(baseline.step_seconds)


def _figure(value: float | None, interval: Interval | None, show: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    return {
        "value": number(value),
        "low": number(interval.low) if interval else None,
        "high": number(interval.high) if interval else None,
        "text": show(value),
        "range": f"{show(interval.low)} to {show(interval.high)}" if interval else "",
    }
