"""What a unit costs beside its own work on a Ray cluster: units that do nothing, on a cluster on this machine.

It starts a cluster of a few nodes here, sends 10, 100 and 1000 units that do nothing but send their records back, and
prints a table as in docs/cluster-cost.md. All nodes share this machine's cores, and the driver has them too: on real
nodes, what the nodes do costs the driver nothing.

Run: python benchmarks/cluster_overhead.py --nodes 3 --units 10 --units 100 --units 1000
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import psutil
from ray.cluster_utils import Cluster

from kerasunroll.measurement.comparison import compare
from kerasunroll.measurement.execution.connection import connected
from kerasunroll.measurement.execution.messages import ProgressMessage, Result, Timed
from kerasunroll.measurement.execution.ray_executor import RayExecutor
from kerasunroll.measurement.execution.remote_job import RemoteJob, Send
from kerasunroll.measurement.execution.shipping import ShippedFile
from kerasunroll.measurement.planning.estimate import Estimate
from kerasunroll.measurement.planning.grid import Grid
from kerasunroll.measurement.planning.jobs import PlannedVariant
from kerasunroll.measurement.planning.plan import Plan
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.records import store
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.node import Node
from kerasunroll.measurement.records.record import Record
from kerasunroll.measurement.records.store import RECORDS

BATCH_SIZES = range(1, 1001)
STORE_BYTES = 80 * 2**20
LOG_BYTES = 20_000
"""About what the log and the outputs of a variant are in size."""


def do_nothing(job: RemoteJob, files: list[ShippedFile], node: Node, send: Send) -> None:  # noqa: ARG001
    """Send what a unit sends: some progress, and a record of each kind with a file for each variant."""
    started, facts = datetime.now(UTC), environment()
    for kind in ("timing", "memory"):
        send(ProgressMessage(job.number, kind, 0.5))
        for number, one in enumerate(job.planned):
            record = Record(
                configuration=one.variant.question(kind),
                variant=one.variant.setting,
                outcome="done",
                samples={"step_seconds": [[[0.01] * 8] * 40] * 3} if kind == "timing" else {},
                environment=facts,
                node=node,
                started=started,
                session="one",
            )
            send(Result(job.number, number, record.model_dump_json(), {f"{kind}.log": b"x" * LOG_BYTES}))
        if kind == "timing":
            send(Timed(job.number))


def planned(number: int, folder: Path) -> list[PlannedVariant]:
    """Return as many groups of two settings, which differ in the batch size."""
    sizes = list(BATCH_SIZES)[:number]
    grid = Grid(["lstm"], [(2,)], [], [2], sizes, [False], [None], ["loop", "full"])
    plan = Plan.of_grid(grid, {"source": "adding", "examples": 2000, "seed": 0}, "memory")
    return [PlannedVariant(one.variant, Estimate(1.0, 1.0, 1.0, 0.1)) for one in plan.planned(folder)]


def measure(number: int) -> tuple[float, float, float, float]:
    """Return the seconds that so many units take, those of its CPU, its bytes, and the seconds to read again."""
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as folder:
        chosen = planned(number, Path(folder))
        executor = RayExecutor(measure=do_nothing)
        used, begun = sum(process.cpu_times()[:2]), time.perf_counter()
        found = compare(chosen, Path(folder), lambda _: None, Rules(), follow_up="memory", executor=executor)
        seconds = time.perf_counter() - begun
        used = sum(process.cpu_times()[:2]) - used
        begun = time.perf_counter()
        store.load(Path(folder) / RECORDS)
        reading = time.perf_counter() - begun
    missing = [each for each in found if not (each.timing and each.memory)]
    if missing:
        raise SystemExit(f"{len(missing)} of {len(found)} variants have no records.")
    return seconds, used, process.memory_info().rss, reading


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--units", type=int, action="append", help="how many units; may be repeated")
    chosen = parser.parse_args(arguments)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": STORE_BYTES})
    for _ in range(chosen.nodes):
        cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    with connected(cluster.address):
        measure(chosen.nodes)  # starts a process on each node, once
        print("| units | seconds | per unit | of it driver's CPU | driver's memory | read again |")
        print("|---|---|---|---|---|---|")
        for number in chosen.units or [10, 100, 1000]:
            seconds, used, memory, reading = measure(number)
            per_job = f"{1e3 * seconds / number:.0f} ms | {1e3 * used / number:.0f} ms"
            print(f"| {number:,} | {seconds:.1f} | {per_job} | {memory / 1e6:.0f} MB | {reading:.1f} s |", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
