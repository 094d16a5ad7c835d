"""What a part measures: runs that each fit into 25 minutes, and that go on where they were interrupted."""

import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import kerasunroll
from kerasunroll.errors import KerasunrollWarning
from kerasunroll.measurement.planning.grid import Grid
from kerasunroll.measurement.planning.jobs import AT_ONCE
from kerasunroll.measurement.planning.plan import PLAN_FILE, Plan
from kerasunroll.measurement.records.store import RECORDS
from kerasunroll.report.run import Run as Measured

from . import kept
from .claims import where_measured

MINUTES: Final = 25
PROCESSES: Final = 3
HALF_WIDTH: Final = 0.03
MAX_ROUNDS: Final = 30
USUAL_ROUNDS: Final = 20
"""How many a run is expected to take."""

QUICK: Final[dict[str, Any]] = {"processes": 2, "half_width": 1, "max_rounds": 10}
TIME_LIMIT: Final = "compile=3m"
MEMORY_LIMIT: Final = "3GB"
LIMITS: Final = "3 minutes to compile and 3 GB for a process"


class Run(Protocol):
    """Something that is measured in one go.

    Attributes:
        name: String. The name of its folder, of the file that keeps it, and on the command line.
    """

    name: str

    def seconds(self, *, quick: bool) -> float:
        """Return about how long it takes."""

    def measure(self, folder: Path, seconds: float, *, quick: bool) -> bool:
        """Measure what is missing, in so many seconds; tell whether nothing is missing any more."""

    def keep(self, folder: Path, archive: Path) -> None:
        """Pack what it is drawn from."""


@dataclass(frozen=True)
class Compared:
    """Settings that are compared by `kerasunroll.compare`.

    Args:
        name: String.
        plan: Function of whether it is a quick trial; returns what is compared.
    """

    name: str
    plan: Callable[[bool], Plan]

    def seconds(self, *, quick: bool) -> float:
        """Return about how long it takes, by the plan's own estimates."""
        processes = QUICK["processes"] if quick else PROCESSES
        rounds = QUICK["max_rounds"] if quick else USUAL_ROUNDS
        planned = self.plan(quick).planned(Path(), processes)
        return sum(
            one.estimate.timing + (rounds - QUICK["max_rounds"]) * one.estimate.rounds + one.estimate.memory / AT_ONCE
            for one in planned
        )

    def measure(self, folder: Path, seconds: float, *, quick: bool) -> bool:
        """Measure what is missing."""
        if not (folder / PLAN_FILE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            self.plan(quick).save(folder)
        exact = QUICK if quick else {"processes": PROCESSES, "half_width": HALF_WIDTH, "max_rounds": MAX_ROUNDS}
        with warnings.catch_warnings():
            # compare keeps what is there and returns; here, what comes after shall not begin.
            warnings.filterwarnings("error", message="Interrupted", category=KerasunrollWarning)
            try:
                comparison = kerasunroll.compare(
                    resume=folder, budget=seconds, time_limit=TIME_LIMIT, memory_limit=MEMORY_LIMIT, **exact
                )
            except KerasunrollWarning:
                raise KeyboardInterrupt from None
        return not comparison.missing

    def keep(self, folder: Path, archive: Path) -> None:
        """Pack the records, if there are any."""
        if any((folder / RECORDS).glob("*")):
            kept.pack_comparison(folder, archive)


@dataclass(frozen=True)
class Jobs:
    """Trainings, each of which leaves a file.

    Args:
        name: String.
        jobs: Function of whether it is a quick trial; returns the work of each file by the file's name.
        each_seconds: Float. About how long one takes.
    """

    name: str
    jobs: Callable[[bool], dict[str, Callable[[Path], None]]]
    each_seconds: float

    def seconds(self, *, quick: bool) -> float:
        """Return about how long it takes."""
        return self.each_seconds * len(self.jobs(quick))

    def measure(self, folder: Path, seconds: float, *, quick: bool) -> bool:
        """Do what is missing, one after the other."""
        deadline = time.monotonic() + seconds
        folder.mkdir(parents=True, exist_ok=True)
        missing = {name: job for name, job in self.jobs(quick).items() if not (folder / name).exists()}
        for number, (name, job) in enumerate(missing.items(), start=1):
            if time.monotonic() > deadline:
                return False
            print(f"{self.name}: {name} ({number} of {len(missing)})", flush=True)
            job(folder / name)
        return True

    def keep(self, folder: Path, archive: Path) -> None:
        """Pack the files."""
        kept.pack([folder], archive, [path.name for path in folder.glob("*.json")])


@dataclass(frozen=True)
class Part:
    """What answers one question.

    Args:
        name: String. On the command line.
        runs: Tuple of `Run`. What is measured for it.
        blocks: Function of the folder of the runs, as they were kept, and of a folder for pictures. Draws these, and
            returns what stands between the marks of the pages; nothing where nothing was measured.
    """

    name: str
    runs: tuple[Run, ...]
    blocks: Callable[[Path, Path], dict[str, str]]


def carried_out(run: Run, folder: Path, archive: Path, *, quick: bool) -> bool:
    """Measure a run, and keep what there is of it; tell whether nothing is missing any more."""
    print(f"{run.name}: about {run.seconds(quick=quick) / 60:.0f} minutes, at most {MINUTES}", flush=True)
    try:
        return run.measure(folder, 60 * MINUTES, quick=quick)
    finally:
        run.keep(folder, archive)


def grid_plan(
    *,
    source: str = "adding",
    cells: Sequence[str],
    units: Sequence[tuple[int, ...]],
    settings: Sequence[str],
    timesteps: Sequence[int],
    batch_sizes: Sequence[int] = (32,),
    examples: int | None = None,
) -> Plan:
    """Return the plan that `kerasunroll compare --no-train --no-inference` makes of the same options."""
    grid = Grid(cells, units, [], timesteps, batch_sizes, [False], [None], settings)
    options = {"source": source, "examples": examples, "epochs": 1, "seed": 0}
    return Plan.of_grid(grid, options, "memory", inference=False)


def command_of(plan: Plan) -> str:
    """Return the command that measures a grid."""

    def listed(option: str, values: Sequence[Any]) -> list[str]:
        return [f"--{option} {value}" for value in dict.fromkeys(map(str, values))]

    configs = plan.configs
    words = [
        "kerasunroll compare --no-train --no-inference",
        *listed("source", [config.source for config in configs]),
        *listed("examples", [config.examples for config in configs if config.examples]),
        *listed("cell", [config.stack.cell for config in configs]),
        *listed("units", [",".join(map(str, config.stack.units)) for config in configs]),
        *listed("timesteps", [config.timesteps for config in configs]),
        *listed("batch-size", [config.batch_size for config in configs]),
        *listed("unroll", [config.setting for config in configs]),
    ]
    return " ".join(words)


def measured_where(found: Sequence[Measured]) -> str:
    """Return on which machine some comparisons were measured, and when the last of them."""
    newest = max(record.created for run in found for each in run.measured for record in each.records)
    return where_measured(found[0].environment, newest)


def loaded(runs: Path, compared: Sequence[Compared]) -> list[Measured]:
    """Return those of some comparisons that have been measured, as far as they are."""
    return [Measured.load(runs / each.name) for each in compared if (runs / each.name / PLAN_FILE).exists()]
