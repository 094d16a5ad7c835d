"""Training steps of a 2-layer stack: Keras's loop and full, ours, PyTorch, JAX, and the matrix products alone.

    python benchmarks/layer_speed.py [--cell lstm] [--shape 32,100,64] [--rounds 15] [--quick] [--json PATH]

All contenders are alive at once, a process each, and take turns in random order, a block of training steps each; what
is compared is the ratio within a round. First steps are taken alone, before; tensor peaks in a pass of their own.
PyTorch and JAX join where they can be imported (`pip install torch jax`).
"""

import argparse
import json
import random
import tempfile
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from kerasunroll.measurement.environment import environment
from kerasunroll.measurement.processes import Limits, Worker, WorkerError
from kerasunroll.measurement.stats import compare_rounds, steady_seconds
from kerasunroll.measurement.worker_env import COUNTED, TIMED
from kerasunroll.units import format_bytes, format_seconds

SHAPES = ((32, 100, 64), (64, 200, 256), (16, 400, 128), (128, 50, 32))
"""Batch, time steps, units."""

KERAS = ("keras loop", "keras full")
TENSORFLOW = (*KERAS, "ours loop", "ours k4", "ours k8", "ours full", "ours auto", "ours recompute")
LIMIT = "matrix products"
QUICK = ("keras loop", "keras full", "ours loop", LIMIT)
BLOCK_SECONDS = 0.3
LIMITS = Limits(seconds=300)


def contenders(quick: bool) -> list[str]:
    """Return the names of what is compared, PyTorch and JAX where they are installed."""
    if quick:
        return list(QUICK)
    extras = [*(["torch"] if find_spec("torch") else []), *(["jax k1", "jax k8"] if find_spec("jax") else [])]
    return [*TENSORFLOW, *extras, LIMIT]


def measure(cell: str, shape: tuple[int, int, int], names: list[str], rounds: int, logs: Path) -> dict[str, Any]:
    """Return the figures of each contender; of one that fails, the reason."""
    figures: dict[str, Any] = {name: {} for name in names}
    rng = random.Random(0)

    def worker(name: str, counted: bool = False) -> Worker:
        job = {"contender": name, "cell": cell, "shape": shape}
        env = {**(COUNTED if counted else TIMED), "PYTHONPATH": str(Path(__file__).parent)}
        return Worker(job, module="layer_speed_worker", log_path=logs / f"{name}.log", limits=LIMITS, env=env)

    with ExitStack() as alive:
        workers, counts, seconds = {}, {}, {}
        for name in track(names, f"{cell} {shape}: first training steps"):
            try:
                workers[name] = alive.enter_context(worker(name))
                figures[name] |= workers[name].receive()
                counts[name] = max(2, round(BLOCK_SECONDS / median(block(workers[name], 3))))
                seconds[name] = []
            except WorkerError as error:
                figures[name]["failed"] = str(error)
                workers.pop(name, None)
        for _ in track(range(rounds), f"{cell} {shape}: rounds"):
            for name in rng.sample(list(workers), len(workers)):
                seconds[name].append(block(workers[name], counts[name]))
    best = min((name for name in KERAS if name in seconds), key=lambda name: steady_seconds(seconds[name]))
    for name, times in seconds.items():
        comparison = compare_rounds(times, seconds[best], rng=np.random.default_rng(0))
        figures[name] |= {"step_seconds": steady_seconds(times), "against": best, **comparison.model_dump()}
    for name in track([name for name in workers if name in TENSORFLOW], f"{cell} {shape}: tensor peaks"):
        with worker(name, counted=True) as counting:
            figures[name]["tensor_peak_bytes"] = counting.receive()["tensor_peak_bytes"]
    return figures


def block(worker: Worker, count: int) -> list[float]:
    """Have a worker do training steps, and return the seconds of each."""
    worker.send({"count": count})
    seconds: list[float] = worker.receive()["seconds"]
    return seconds


def report(cell: str, shape: tuple[int, int, int], figures: dict[str, Any]) -> Table:
    """Return the table of one cell and shape."""
    batch, timesteps, units = shape
    table = Table(title=f"{cell} 2×{units}, T={timesteps}, batch {batch}")
    for column in ("", "training step", "to Keras's better", "95 % interval", "first step", "tensor peak", "process"):
        table.add_column(column)
    for name, each in figures.items():
        if "failed" in each:
            table.add_row(name, each["failed"][:60])
            continue
        peak = each.get("tensor_peak_bytes")
        table.add_row(
            name,
            format_seconds(each["step_seconds"]),
            f"{each['ratio']:.2f}",
            f"{each['low']:.2f} to {each['high']:.2f}",
            format_seconds(each["first_step_seconds"]),
            "" if peak is None else format_bytes(peak),
            format_bytes(each["process_growth_bytes"]),
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", choices=("lstm", "gru", "simple_rnn"), action="append", help="default: all")
    parser.add_argument("--shape", action="append", help="batch,timesteps,units; default: those of issue 5")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="only Keras's two, our loop and the limit")
    parser.add_argument("--json", type=Path, default=Path("layer_speed.json"), help="where the figures are written")
    arguments = parser.parse_args()
    shapes = [tuple(int(n) for n in shape.split(",")) for shape in arguments.shape or ()] or list(SHAPES)
    results = []
    for cell in arguments.cell or ("lstm", "gru", "simple_rnn"):
        for shape in shapes:
            with tempfile.TemporaryDirectory() as logs:
                figures = measure(cell, shape, contenders(arguments.quick), arguments.rounds, Path(logs))
            Console(width=120).print(report(cell, shape, figures))
            results.append({"cell": cell, "shape": shape, "figures": figures})
            written = {"environment": environment().model_dump(mode="json"), "results": results}
            arguments.json.write_text(json.dumps(written, indent=1, default=str))


if __name__ == "__main__":
    main()
