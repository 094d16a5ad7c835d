"""Training steps of a 2-layer stack: Keras's loop and full, ours, PyTorch, JAX, and the matrix products alone.

    python benchmarks/layer_speed.py [--cell lstm] [--shape 32,100,64] [--contender torch] [--seconds 150] [--json PATH]
    python benchmarks/layer_speed.py --show [--json PATH]

All contenders are alive at once, a process each, and take turns in random order, a block of training steps each; what
is compared is the ratio within a round. First steps are taken alone, before; tensor peaks in a pass of their own.
PyTorch and JAX join where they can be imported (`pip install '.[peers]'`).

A cell and shape takes about `--seconds`: a contender whose first training step takes more than a third of it is noted
as timed out; rounds become fewer, but ten at least; tensor peaks are left out where there is no time to start again.
What is measured goes into the file at once, and replaces only what the file has of the same cell and shape: a table can
be put together in as many runs as one likes. `--show` prints the file as Markdown.
"""

import argparse
import json
import random
import tempfile
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.statistics.rounds import compare_rounds, steady_seconds
from kerasunroll.measurement.workers.environment_variables import COUNTED, TIMED
from kerasunroll.measurement.workers.worker import Limits, Worker, WorkerError
from kerasunroll.units import format_bytes, format_seconds

SHAPES = ((32, 100, 64), (64, 200, 256), (16, 400, 128), (128, 50, 32))
"""Batch, time steps, units."""

KERAS = ("keras loop", "keras full")
TENSORFLOW = (*KERAS, "ours loop", "ours k4", "ours k8", "ours full", "ours auto", "ours recompute")
LIMIT = "matrix products"
PEERS = ("torch", "jax k1", "jax k8")
USUAL = (*KERAS, "ours loop", "ours k8", "ours recompute", "torch", "jax k1", LIMIT)
BLOCK_SECONDS = 0.3
FEWEST_ROUNDS = 10
START_SECONDS = 8
"""What a worker takes before its first training step, about."""


def contenders(asked: list[str] | None) -> list[str]:
    """Return the names of what is compared, PyTorch and JAX where they are installed."""
    return [name for name in asked or USUAL if name not in PEERS or find_spec(name.split()[0])]


def measure(
    cell: str, shape: tuple[int, int, int], names: list[str], rounds: int, seconds_at_most: float, logs: Path
) -> dict[str, Any]:
    """Return the figures of each contender; of one that fails, the reason."""
    figures: dict[str, Any] = {name: {} for name in names}
    rng = random.Random(0)
    end = time.monotonic() + seconds_at_most
    limits = Limits(seconds=seconds_at_most / 3)

    def peak_seconds(name: str) -> float:
        return START_SECONDS + float(figures[name]["first_step_seconds"])

    def worker(name: str, counted: bool = False) -> Worker:
        job = {"contender": name, "cell": cell, "shape": shape}
        env = {**(COUNTED if counted else TIMED), "PYTHONPATH": str(Path(__file__).parent)}
        return Worker(job, module="layer_speed_worker", log_path=logs / f"{name}.log", limits=limits, env=env)

    with ExitStack() as alive:
        workers, counts, seconds = {}, {}, {}
        for name in track(names, f"{cell} {shape}: first training steps"):
            try:
                workers[name] = alive.enter_context(worker(name))
                # Not exact here: see `COUNTED`.
                figures[name] |= workers[name].receive() | {"tensor_peak_bytes": None}
                counts[name] = max(1, round(BLOCK_SECONDS / median(block(workers[name], 3))))
                seconds[name] = []
            except WorkerError as error:
                figures[name]["failed"] = str(error)
                workers.pop(name, None)
        counted = [name for name in workers if name in TENSORFLOW]
        stop = end - sum(map(peak_seconds, counted))
        for number in track(range(rounds), f"{cell} {shape}: rounds"):
            if number >= FEWEST_ROUNDS and time.monotonic() > stop:
                break
            for name in rng.sample(list(workers), len(workers)):
                seconds[name].append(block(workers[name], counts[name]))
    best = min((name for name in KERAS if name in seconds), key=lambda name: steady_seconds([seconds[name]]))
    for name, times in seconds.items():
        comparison = compare_rounds([times], [seconds[best]], rng=np.random.default_rng(0))
        figures[name] |= {"step_seconds": steady_seconds([times]), "against": best, **comparison.model_dump()}
    for name in track(sorted(counted, key=peak_seconds), f"{cell} {shape}: tensor peaks"):
        if time.monotonic() + peak_seconds(name) > end:
            break
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


def keep(path: Path, result: dict[str, Any]) -> None:
    """Put a result into the file, in place of an earlier one of the same cell and shape."""
    others = [each for each in load(path) if (each["cell"], each["shape"]) != (result["cell"], result["shape"])]
    path.write_text(json.dumps({"results": [*others, result]}, indent=1, default=str))


def load(path: Path) -> list[dict[str, Any]]:
    """Return the results of a file, none if there is no file."""
    return json.loads(path.read_text())["results"] if path.exists() else []


def markdown(results: list[dict[str, Any]]) -> str:
    """Return four tables: training steps, first steps, the tensor peaks to Keras's loop, and by what processes grew."""
    names = [name for name in (*TENSORFLOW, *PEERS, LIMIT) if any(name in each["figures"] for each in results)]

    def step(figures: dict[str, Any], name: str) -> str:
        each = figures[name]
        return f"{format_seconds(each['step_seconds'])}, {each['ratio']:.2f} ({each['low']:.2f} to {each['high']:.2f})"

    def first(figures: dict[str, Any], name: str) -> str:
        return format_seconds(figures[name]["first_step_seconds"])

    def peak(figures: dict[str, Any], name: str) -> str:
        ours, loops = (figures[each]["tensor_peak_bytes"] for each in (name, "keras loop"))
        return f"{ours / loops:.2f}" if ours and loops else "-"

    def growth(figures: dict[str, Any], name: str) -> str:
        return format_bytes(figures[name]["process_growth_bytes"])

    lines = []
    titles = {
        "training step, to Keras's better (95 % interval)": step,
        "first training step": first,
        "tensor peak, to Keras's loop": peak,
        "process growth": growth,
    }
    for title, show in titles.items():
        lines += [f"| {title} | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        for each in results:
            cells = []
            for name in names:
                try:
                    cells.append(show(each["figures"], name))
                except KeyError:  # timed out, or left out
                    cells.append("-")
            lines.append(f"| {each['cell']} {tuple(each['shape'])} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", choices=("lstm", "gru", "simple_rnn"), action="append", help="default: all")
    parser.add_argument("--shape", action="append", help="batch,timesteps,units; default: four of them")
    parser.add_argument(
        "--contender", choices=(*TENSORFLOW, *PEERS, LIMIT), action="append", help=f"default: {', '.join(USUAL)}"
    )
    parser.add_argument("--rounds", type=int, default=15, help="at most (default: 15)")
    parser.add_argument("--seconds", type=float, default=170, help="for one cell and shape, about (default: 170)")
    parser.add_argument("--json", type=Path, default=Path("layer_speed.json"), help="where the figures are kept")
    parser.add_argument("--show", action="store_true", help="measure nothing, print what is kept")
    arguments = parser.parse_args()
    if not arguments.show:
        shapes = [tuple(int(n) for n in shape.split(",")) for shape in arguments.shape or ()] or list(SHAPES)
        names = contenders(arguments.contender)
        for cell in arguments.cell or ("lstm", "gru", "simple_rnn"):
            for shape in shapes:
                with tempfile.TemporaryDirectory() as logs:
                    figures = measure(cell, shape, names, arguments.rounds, arguments.seconds, Path(logs))
                Console(width=120).print(report(cell, shape, figures))
                facts = environment().model_dump(mode="json")
                keep(arguments.json, {"cell": cell, "shape": list(shape), "environment": facts, "figures": figures})
    print(markdown(load(arguments.json)))


if __name__ == "__main__":
    main()
