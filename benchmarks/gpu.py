"""What `unroll` changes on a GPU: loop with and without cuDNN, full, k, and kerasunroll's own, in under ten minutes.

    python benchmarks/gpu.py [--cell lstm] [--shape 32,50,64] [--variant full] [--budget 9m] [--folder logs/gpu]

The engine is that of `kerasunroll compare`: processes of all variants are alive at once and take turns, then each
counts its memory in a process of its own. A variant that fails is a row that says so. The table goes into docs/gpu.md;
in the folder lie `gpu.json`, with a row for each variant, and the records with every sample. What is not finished when
the budget is spent, or after Ctrl-C, is measured by the same command once more.

`--device cpu` does the same without a GPU, to see that it works. Its table goes to the console only, unless `--page`
names a file.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Final

from kerasunroll.api.progress import progress_bar
from kerasunroll.data import open_source
from kerasunroll.errors import InputError, KerasunrollError
from kerasunroll.files import write_whole
from kerasunroll.measurement.comparison import compare
from kerasunroll.measurement.planning.estimate import estimate
from kerasunroll.measurement.planning.jobs import PlannedVariant
from kerasunroll.measurement.planning.plan import earlier_records
from kerasunroll.measurement.planning.quantities import parse_limits, parse_seconds
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.planning.variant import Variant
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.statistics.rounds import MIN_ROUNDS
from kerasunroll.measurement.workers.phases import PHASES
from kerasunroll.report.rows import READY, STEP, Row, comparison_rows
from kerasunroll.settings import Setting
from kerasunroll.training.config import TrainingConfig
from kerasunroll.units import format_bytes, format_seconds

CELLS: Final = ("lstm", "gru", "simple_rnn")
SHAPES: Final = ("32,50,64", "64,100,256")
"""Batch, time steps, units of the one layer; the most important first."""

PAGE: Final = Path("docs/gpu.md")
BEGIN: Final = "<!-- written by benchmarks/gpu.py -->"
END: Final = "<!-- end of what benchmarks/gpu.py writes -->"


@dataclass(frozen=True)
class Contender:
    """A way through time.

    Args:
        name: String. As the table has it.
        setting: The unroll setting.
        without_cudnn: Boolean. Whether cuDNN is switched off. It runs loops only, so that the others need no word.
    """

    name: str
    setting: Setting
    without_cudnn: bool = False

    def is_for(self, cell: str) -> bool:
        """Tell whether it is another one than those before: cuDNN has no SimpleRNN for Keras."""
        return cell != "simple_rnn" or self.setting is not False or not self.without_cudnn


CONTENDERS: Final = (
    Contender("loop", False),
    Contender("loop-no-cudnn", False, without_cudnn=True),
    Contender("full", True),
    Contender("k8", 8),
    Contender("own-loop", "own-loop", without_cudnn=True),
    Contender("own-full", "own-full"),
)
NAMES: Final = tuple(each.name for each in CONTENDERS)


@dataclass(frozen=True)
class Case:
    """A cell in a shape.

    Args:
        cell: String.
        batch: Integer. Sequences.
        timesteps: Integer.
        units: Integer.
        contenders: Tuple of `Contender`: the loop first, which the others are compared with.
    """

    cell: str
    batch: int
    timesteps: int
    units: int
    contenders: tuple[Contender, ...]

    def planned(self, folder: Path, processes: int) -> list[PlannedVariant]:
        """Return its variants, in one group, so that all take turns."""
        options = {"timesteps": self.timesteps, "examples": 5 * self.batch}
        source = open_source("adding", **options)
        planned = []
        for contender in self.contenders:
            config = TrainingConfig.for_source(
                source,
                source="adding",
                cell=self.cell,
                units=(self.units,),
                unroll=contender.setting,
                batch_size=self.batch,
                cell_kwargs={"use_cudnn": False} if contender.without_cudnn and self.cell != "simple_rnn" else {},
                name=f"{self.cell}-L1-U{self.units}-T{self.timesteps}",
                **options,
            )
            where = f"{self.cell}-B{self.batch}-T{self.timesteps}-U{self.units}"
            variant = Variant(config, folder / where / contender.name)
            seconds = estimate(config, source.training_sequences, inference=False, processes=processes)
            planned.append(PlannedVariant(variant, seconds))
        return planned


def cases(cells: Sequence[str], shapes: Iterable[str], names: Sequence[str]) -> list[Case]:
    """Return every cell in every shape, the first shape of all cells first; the loop is always among the variants.

    Raises:
        InputError: If a shape is none.
    """
    wanted = [each for each in CONTENDERS if each.name in ("loop", *names)]
    found = []
    for shape in shapes:
        try:
            batch, timesteps, units = map(int, shape.split(","))
        except ValueError:
            raise InputError(f"--shape is batch,timesteps,units, such as 32,50,64, got '{shape}'.") from None
        if min(batch, timesteps, units) < 1:
            raise InputError(f"--shape needs positive numbers, got '{shape}'.")
        found += [
            Case(cell, batch, timesteps, units, tuple(each for each in wanted if each.is_for(cell))) for cell in cells
        ]
    return found


def choose(device: str) -> None:
    """Have workers run on a device.

    Raises:
        InputError: If TensorFlow sees no GPU.
    """
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        return
    # In a process of its own: workers are forked from processes that have no GPU open.
    question = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=False)
    if answer.returncode or answer.stdout.split()[-1:] in ([], ["0"]):
        raise InputError("TensorFlow sees no GPU here. Give --device cpu to try the benchmark without one.")


def measure(chosen: Sequence[Case], folder: Path, rules: Rules) -> list[tuple[Case, list[Row]]]:
    """Measure what is not yet known of the cases, and return the rows of each."""
    planned = [case.planned(folder, rules.processes) for case in chosen]
    known = earlier_records(folder).records
    with progress_bar() as on_progress:
        measured = compare(list(chain(*planned)), folder, on_progress, rules, follow_up="memory", known=known)
    rows = iter(comparison_rows(measured, half_width=rules.half_width))
    return [(case, [next(rows) for _ in case.contenders]) for case in chosen]


def table(rows: Sequence[tuple[Case, Sequence[Row]]], *, on_gpu: bool) -> str:
    """Return what was measured as Markdown: where, and a row for each variant."""
    columns = (
        *("cell; B, T, U", "variant", "path", "training step", "to the loop (95 % interval)"),
        *("until the first one", "tensor peak on the GPU", "outputs differ by, before / after", "ended"),
    )
    lines = [_where(on_gpu=on_gpu), "", "| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for case, variants in rows:
        shape = f"{case.cell}; {case.batch}, {case.timesteps}, {case.units}"
        for contender, row in zip(case.contenders, variants, strict=True):
            cells = (shape, contender.name, row.path or "–", *_figures(row, on_gpu=on_gpu), _ending(row))
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _where(*, on_gpu: bool) -> str:
    facts = environment()
    device = f"{', '.join(facts.gpus) or 'a GPU'} (driver {facts.gpu_driver})" if on_gpu else f"No GPU: {facts.cpu}"
    versions = ", ".join(f"{name} {facts.versions[name]}" for name in ("tensorflow", "keras") if name in facts.versions)
    return f"{device}; {versions}; {datetime.now(UTC):%Y-%m-%d}."


def _figures(row: Row, *, on_gpu: bool) -> tuple[str, ...]:
    step, ratio = row.figures.get(STEP), row.against_loop
    ready = row.each_process.get(READY)
    peak = format_bytes(row.figures.get("tensor_peak_bytes")) if on_gpu else "not measured: no GPU"
    differences = [row.figures.get(f"largest_difference_{when}") for when in ("before", "after")]
    return (
        format_seconds(step),
        f"{ratio.ratio:.3g} ({ratio.low:.3g} to {ratio.high:.3g})" if ratio else "–",
        format_seconds(fmean(ready) if ready else None),
        peak,
        " / ".join("–" if each is None else f"{each:.0e}" for each in differences),
    )


def _ending(row: Row) -> str:
    problems = "; ".join(row.problems).replace("|", "/").replace("\n", " ")
    return problems[:160] or row.outcome


def write_page(page: Path, text: str) -> None:
    """Put a table between the markers of a page."""
    before, after = around_the_table(page)
    write_whole(page, f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def around_the_table(page: Path) -> tuple[str, str]:
    """Return what stands in a page before and behind the table.

    Raises:
        InputError: If the page cannot be read, or has not both markers.
    """
    try:
        before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    except OSError as error:
        raise InputError(f"Cannot read --page '{page}': {error.strerror}.") from error
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise InputError(f"--page '{page}' must have the lines '{BEGIN}' and '{END}', between which the table goes.")
    return before, after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu", help="default: gpu")
    parser.add_argument("--cell", choices=CELLS, action="append", help="default: all")
    parser.add_argument("--shape", action="append", help=f"batch,timesteps,units; default: {' and '.join(SHAPES)}")
    parser.add_argument("--variant", choices=NAMES, action="append", help="beside the loop; default: all")
    parser.add_argument("--budget", default="9m", help="time for everything (default: 9m)")
    parser.add_argument("--time-limit", default="2m", help="for any phase of a process (default: 2m)")
    parser.add_argument("--memory-limit", help="for a process, such as 4GB (default: none)")
    parser.add_argument("--processes", type=int, default=2, help="of each variant (default: 2)")
    parser.add_argument("--rounds", type=int, default=20, help="at most, and at least 10 (default: 20)")
    parser.add_argument("--folder", type=Path, help="default: logs/gpu, or logs/gpu-on-cpu with --device cpu")
    parser.add_argument("--page", type=Path, help=f"default: {PAGE} with --device gpu, else none")
    try:
        sys.exit(run(parser.parse_args()))
    except KerasunrollError as error:
        print(error, file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except KeyboardInterrupt:
        print("Interrupted. The same command goes on where it was.", file=sys.stderr)
        sys.exit(130)


def run(options: argparse.Namespace) -> int:
    """Measure, write the page and the rows; return the exit status: 1 where nothing could be measured."""
    on_gpu = options.device == "gpu"
    if options.processes < 1 or options.rounds < MIN_ROUNDS:
        raise InputError(f"--processes is at least 1 and --rounds at least {MIN_ROUNDS}.")
    rules = Rules(
        limits=parse_limits([options.time_limit], options.memory_limit, PHASES),
        max_rounds=options.rounds,
        inference=False,
        processes=options.processes,
        deadline=time.monotonic() + parse_seconds(options.budget, "--budget"),
    )
    chosen = cases(options.cell or CELLS, options.shape or SHAPES, options.variant or NAMES)
    page = options.page or (PAGE if on_gpu else None)
    if page:  # before anything is measured
        around_the_table(page)
    choose(options.device)
    folder = options.folder or Path("logs", "gpu" if on_gpu else "gpu-on-cpu")
    rows = measure(chosen, folder, rules)
    text = table(rows, on_gpu=on_gpu)
    print(text)
    write_whole(folder / "gpu.json", _as_json(rows, options.device))
    if page:
        write_page(page, text)
    return 0 if any(STEP in row.figures for _, variants in rows for row in variants) else 1


def _as_json(rows: Sequence[tuple[Case, Sequence[Row]]], device: str) -> str:
    listed = [
        {"variant": contender.name, **row.as_json()}
        for case, variants in rows
        for contender, row in zip(case.contenders, variants, strict=True)
    ]
    facts = environment().model_dump(mode="json")
    return json.dumps({"device": device, "environment": facts, "rows": listed}, indent=1) + "\n"


if __name__ == "__main__":
    main()
