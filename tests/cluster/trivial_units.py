"""Units that take no time of their own, so that what an executor does can be looked at alone."""

import time
from datetime import UTC, datetime
from itertools import pairwise

from kerasunroll.measurement.execution.executor import Schedule
from kerasunroll.measurement.execution.messages import Result, Timed
from kerasunroll.measurement.planning.estimate import Estimate
from kerasunroll.measurement.planning.findings import Findings
from kerasunroll.measurement.planning.grid import Grid
from kerasunroll.measurement.planning.jobs import PlannedVariant, outstanding
from kerasunroll.measurement.planning.plan import Plan
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.record import Record


def planned(folder, number, settings=("loop", "full"), **options) -> list[PlannedVariant]:
    """Return the variants of as many groups, which differ in T."""
    grid = Grid(["lstm"], [(2,)], [], list(range(2, 2 + number)), [8], [False], [None], list(settings))
    plan = Plan.of_grid(grid, {"source": "adding", "examples": 32, "seed": 0}, "memory", **options)
    return [PlannedVariant(one.variant, Estimate(1.0, 1.0, 1.0, 0.1)) for one in plan.planned(folder)]


def schedule(planned, found, rules=None, **options) -> Schedule:
    """Return a schedule whose records go into a list."""
    findings = Findings()

    def keep(record):
        findings.add(record)
        found.append(record)

    options = {"on_progress": lambda _: None} | options
    return Schedule(outstanding(planned, "memory", findings), "memory", rules or Rules(), findings, keep, **options)


def sleeping(seconds):
    """Return what a node does: sleep, then tell a record of each kind for each variant, and a file."""

    def measure(job, files, node, send):
        started = datetime.now(UTC)
        time.sleep(seconds)
        for kind in ("timing", "memory"):
            for number, one in enumerate(job.planned):
                record = Record(
                    configuration=one.variant.question(kind),
                    variant=one.variant.setting,
                    outcome="done",
                    environment=environment(),
                    node=node,
                    started=started,
                )
                send(Result(job.number, number, record.model_dump_json(), {f"{kind}.log": b"all is well\n"}))
            if kind == "timing":
                send(Timed(job.number))

    return measure


def spans(records) -> dict[str, list[tuple[datetime, datetime, str]]]:
    """Return for each node when each unit was measured there: begin, end and group."""
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        group = str({name: value for name, value in record.configuration.items() if name != "measurement"})
        found.setdefault((record.node.id, group), []).append(record)
    nodes: dict[str, list[tuple[datetime, datetime, str]]] = {}
    for (node, group), members in found.items():
        begin, end = min(record.started for record in members), max(record.created for record in members)
        nodes.setdefault(node, []).append((begin, end, group))
    return {node: sorted(of_node) for node, of_node in nodes.items()}


def shared(records) -> list[str]:
    """Return the nodes on which two units ran at the same time."""
    return [
        node
        for node, units in spans(records).items()
        if any(later[0] < earlier[1] for earlier, later in pairwise(units))
    ]
