"""Is it the same verdict tomorrow? The default comparison again and again, and how far its answers spread.

    python benchmarks/verdict_repeatability.py [--times 10] [--options "--timesteps 16"]

Each time `kerasunroll compare --no-train` runs as a user runs it: three cells, loop and full, in fresh processes.
Verdicts rest on the timing alone, so nothing is trained. Beside the verdicts it tells what the harness costs: the time
in which no worker worked or the coordinator computed, and the coordinator's memory. Run it on a quiet machine.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean

import numpy as np
import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from kerasunroll.units import format_bytes, format_ratio, format_seconds

COMMAND = [sys.executable, "-c", "from kerasunroll.cli import main; main()", "compare", "--no-train"]
LOOK_SECONDS = 0.1


@dataclass
class Run:
    """One comparison: its answers by group, and what it cost."""

    answers: dict[str, tuple[str, float]]
    wall_seconds: float
    harness_seconds: float
    coordinator_bytes: int


def compare(options: list[str], folder: Path) -> Run:
    """Run one comparison, and watch its processes."""
    start = time.monotonic()
    process = subprocess.Popen([*COMMAND, "--logdir", str(folder), *options], stdout=subprocess.DEVNULL)
    coordinator = psutil.Process(process.pid)
    peak, alone, computed = 0, 0.0, 0.0
    busy_before: dict[int, float] = {}
    last = start
    while process.poll() is None:
        time.sleep(LOOK_SECONDS)
        now = time.monotonic()
        try:
            peak = max(peak, coordinator.memory_info().rss)
            computed = sum(coordinator.cpu_times()[:2])
            busy = {child.pid: sum(child.cpu_times()[:2]) for child in coordinator.children()}
        except psutil.Error:
            busy = {}
        if not any(seconds > busy_before.get(pid, -1.0) for pid, seconds in busy.items()):
            alone += now - last
        busy_before, last = busy, now
    if process.returncode:
        raise SystemExit(f"The comparison in {folder} ended with exit status {process.returncode}.")
    return Run(answers(folder / "compare"), time.monotonic() - start, alone + computed, peak)


def answers(folder: Path) -> dict[str, tuple[str, float]]:
    """Return verdict and ratio of each variant that is compared with the loop."""
    variants = json.loads((folder / "results.json").read_text())["variants"]
    compared = [each for each in variants if each["against_loop"]]
    return {
        f"{each['group']} {each['setting']}": (each["against_loop"]["verdict"], each["against_loop"]["ratio"])
        for each in compared
    }


def table(runs: list[Run]) -> Table:
    """Return a line per variant: how often the commonest verdict came, and how far the ratios spread."""
    made = Table(title=f"{len(runs)} comparisons")
    for heading in ("variant", "verdict", "agree", "ratio", "half-width of 95 % of the ratios"):
        made.add_column(heading)
    for variant in runs[0].answers:
        verdicts = Counter(run.answers[variant][0] for run in runs)
        ratios = [run.answers[variant][1] for run in runs]
        low, high = np.quantile(ratios, [0.025, 0.975])
        ((verdict, count),) = verdicts.most_common(1)
        middle = geometric_mean(ratios)
        spread = (high - low) / 2 / middle
        made.add_row(variant, verdict, f"{count} of {len(runs)}", format_ratio(middle), f"{spread:.1%}")
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--options", default="", help="further options of kerasunroll compare, in quotes")
    arguments = parser.parse_args()
    console = Console()
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for number in track(range(arguments.times), "comparing"):
            runs.append(compare(shlex.split(arguments.options), Path(folder) / str(number)))
            console.print(runs[-1].answers)
    console.print(table(runs))
    console.print(f"one comparison: {format_seconds(geometric_mean(run.wall_seconds for run in runs))}")
    console.print(f"of it the harness: {format_seconds(max(run.harness_seconds for run in runs))} at most")
    console.print(f"coordinator: {format_bytes(max(run.coordinator_bytes for run in runs))} at most")


if __name__ == "__main__":
    main()
