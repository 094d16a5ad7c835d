"""Does the comparison find differences where there are none? One setting against itself, again and again.

    python benchmarks/against_itself.py [--times 20] [--cell lstm] [--setting full] [--timesteps 16]

Each time the very same network is timed as if it were two variants: fresh processes of each, all in turns. A 95 %
interval that holds what it says leaves "no difference" at least 19 times of 20, for the training step and for the time
until the first one. Run it on a quiet machine.
"""

import argparse
import random
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from kerasunroll.data import open_source
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.planning.variant import Variant
from kerasunroll.measurement.progress import ProgressCounter
from kerasunroll.measurement.records.record import Record
from kerasunroll.measurement.stages.timing import pieces, time_group
from kerasunroll.measurement.statistics.intervals import Interval, difference_interval
from kerasunroll.measurement.statistics.rounds import TimeRatio, compare_rounds
from kerasunroll.report.rows import READY_PARTS
from kerasunroll.settings import parse_settings
from kerasunroll.training.config import TrainingConfig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--cell", default="lstm")
    parser.add_argument("--setting", default="full")
    parser.add_argument("--timesteps", type=int, default=16)
    arguments = parser.parse_args()
    source = open_source("adding", timesteps=arguments.timesteps, examples=200)
    config = TrainingConfig.for_source(
        source,
        source="adding",
        timesteps=arguments.timesteps,
        examples=200,
        cell=arguments.cell,
        units=(64, 64),
        unroll=parse_settings(arguments.setting),
    )
    console, verdicts, widths = Console(), Counter[str](), []
    for number in track(range(arguments.times), "timing a setting against itself"):
        with tempfile.TemporaryDirectory() as folder:
            step, ready = against_itself(config, Path(folder), number)
        compiling = "no difference" if ready.low <= 0 <= ready.high else "a difference"
        verdicts.update([f"training step: {step.verdict}", f"time until the first one: {compiling}"])
        widths.append((np.log(step.high / step.low) / 2, ready.high - ready.value))
        console.print(f"{step.ratio:.3f} ({step.low:.3f} to {step.high:.3f}); {ready.value:+.3f} s, {compiling}")
    for verdict, count in sorted(verdicts.items()):
        console.print(f"{verdict}: {count} of {arguments.times}")
    step_width, ready_width = np.median(widths, axis=0)
    console.print(f"median half-widths: {step_width:.1%} of the training step, {ready_width:.2f} s until the first one")


def against_itself(config: TrainingConfig, folder: Path, seed: int) -> tuple[TimeRatio, Interval]:
    """Time a network as two variants; return the ratio of their training steps, and how much longer one compiles."""
    rules = Rules(inference=False)
    counter = ProgressCounter(pieces(2, rules), lambda _: None)
    twins = [Variant(config, folder / name) for name in ("one", "other")]
    one, other = time_group(twins, rules, counter, random.Random(seed))
    processes = [record.samples["step_seconds"] for record in (one, other)]
    return compare_rounds(*processes, rng=np.random.default_rng(seed)), difference_interval(_ready(one), _ready(other))


def _ready(record: Record) -> list[float]:
    each = zip(*(record.samples[part] for part in READY_PARTS), strict=True)
    return [sum(rounds[0][0] for rounds in parts) for parts in each]


if __name__ == "__main__":
    main()
