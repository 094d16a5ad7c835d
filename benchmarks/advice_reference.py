"""What the cost model of `kerasunroll advise` knows: measure networks on this machine, and learn from them.

    python benchmarks/advice_reference.py [--folder logs/advice-reference] [--budget 30m]

Times come from processes that measure networks group by group, as the calibration does (kerasunroll.advice); what a
fresh process takes, and its memory, from processes of their own, as `kerasunroll measure` has it. What was measured
stays in the folder: with another --budget it goes on where it was. Then the coefficients are fitted, and ten times
without a tenth of the networks to see how well they are predicted, and written to kerasunroll/advice/reference.json.
Run it on a quiet machine. advice_accuracy.py, which measures other networks, learns from what is in the folder too.
"""

import argparse
import json
import math
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from kerasunroll.cli.quantities import parse_seconds
from rich.console import Console
from rich.table import Table

import kerasunroll.advice
from kerasunroll.advice.calibration import ROUNDS, Group, examples_of, measure_groups
from kerasunroll.advice.model import FIGURES, Coefficients, Example, fit_coefficients, predict
from kerasunroll.advice.reference import FILE, Reference
from kerasunroll.cli.console import progress_bar
from kerasunroll.measurement.progress import OnProgress, Progress
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.workers.environment_variables import COUNTED, TIMED
from kerasunroll.measurement.workers.worker import Worker, WorkerError

VERSION = 3
"""Of the reference: another one has every machine measured anew."""

CELLS = ("lstm", "gru", "simple_rnn")
UNITS = (16, 24, 32, 48, 64, 96, 128, 192, 256)
BATCH_SIZES = (8, 16, 32, 64, 128)
MOST_MULTIPLICATIONS = 2e9
"""In a training step: more take so long that few networks would be measured."""

AT_ONCE = 6
"""Groups for each process: the first variant of each says what the first compilation takes."""

FILES = ("times.jsonl", "fresh.jsonl")
FOLDS = 10
STEADYINGS = 4
LEAST = 1e-9
"""Instead of nothing, whose logarithm is none: a prediction without any coefficient."""


def timed_groups() -> Iterator[Group]:
    """Yield groups of settings of one network each, cell by cell, endlessly."""
    rng = random.Random(1)
    number = 0
    while True:
        for cell in CELLS:
            layers = rng.choice((1, 1, 2))
            # Full takes long to compile: few time steps here, up to two hundred there.
            timesteps = round(8 * 2 ** (rng.uniform(0, 1.6) if number % 2 == 0 else rng.uniform(1.5, 4.5)))
            settings = ["loop", "own-loop"]
            settings += ["full"] if timesteps * layers <= 36 else []
            settings += ["own-full"] if timesteps * layers <= 22 else []
            settings += [rng.choice(("k4", "k4", "k8"))] if number % 3 == 1 else []
            rng.shuffle(settings)
            yield _fitting(rng, cell, timesteps, tuple(settings), layers)
        number += 1


def fresh_groups() -> Iterator[Group]:
    """Yield groups of one setting each, for a process each, endlessly."""
    rng = random.Random(5)
    while True:
        for setting in ("loop", "own-loop", "full", "k8", "loop", "own-loop", "full", "own-full"):
            for cell in CELLS:
                layers = rng.choice((1, 1, 2))
                most = {"full": 120, "own-full": 30}.get(setting, 600) / layers
                timesteps = min(round(20 * 2 ** rng.uniform(0, 3.9)), int(most))
                yield _fitting(rng, cell, timesteps, (setting,), layers)


def _fitting(rng: random.Random, cell: str, timesteps: int, settings: tuple[str, ...], layers: int) -> Group:
    while True:
        units, batch_size = rng.choice(UNITS), rng.choice(BATCH_SIZES)
        if batch_size * timesteps * units * units * (2 * layers - 1) * 4 < MOST_MULTIPLICATIONS:
            return Group(
                cell=cell, units=units, timesteps=timesteps, batch_size=batch_size, settings=settings, layers=layers
            )


def measure_times(path: Path, deadline: float, on_progress: OnProgress) -> None:
    """Time further groups while there is time."""
    groups = timed_groups()
    for _ in read(path):
        next(groups)
    while time.monotonic() < deadline:
        some = [next(groups) for _ in range(AT_ONCE)]
        for group, message in measure_groups(some, ROUNDS, on_progress):
            write(path, group, message["figures"])


def measure_fresh(path: Path, deadline: float, on_progress: OnProgress) -> None:
    """Have further variants compiled, and their memory counted, in processes of their own while there is time."""
    groups = fresh_groups()
    for _ in read(path):
        next(groups)
    while time.monotonic() < deadline:
        group = next(groups)
        (config,) = group.configs()
        on_progress(Progress(f"{group.cell} {group.settings[0]}: fresh", 0.5))
        write(path, group, [fresh_figures(config.model_dump(mode="json"))])


def fresh_figures(config: dict[str, Any]) -> dict[str, float]:
    """Return what a variant takes in fresh processes; nothing of what fails."""
    figures: dict[str, float] = {"cold": 1}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "worker.log"
        try:
            with Worker(
                config, module="kerasunroll.measurement.stages.timing_worker", log_path=log, env=TIMED
            ) as worker:
                found = worker.receive()["figures"]
            figures["ready_seconds"] = found["build_seconds"] + found["first_step_seconds"]
            figures["process_growth_bytes"] = found["process_growth_bytes"]
            job = {"config": config, "folder": folder}
            with Worker(
                job, module="kerasunroll.measurement.stages.memory_worker", log_path=log, env=COUNTED
            ) as worker:
                figures |= worker.receive()["result"]
        except WorkerError as error:
            Console(stderr=True).print(str(error))
    return figures


def read(path: Path) -> list[dict[str, Any]]:
    """Return the groups that were measured, each with the figures of its variants."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def write(path: Path, group: Group, figures: Sequence[dict[str, float]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps({"group": group.model_dump(mode="json"), "figures": figures}) + "\n")


Measured = list[tuple[str, Example]]
"""The figures of the variants of one network."""


def measured_networks(folder: Path) -> list[Measured]:
    """Return what was measured in a folder, network by network."""
    lines = [line for name in FILES for line in read(folder / name)]
    return [examples_of(Group(**each["group"]), each["figures"]) for each in lines]


def ship(learned: Reference) -> None:
    """Have the package know what was learned."""
    path = Path(kerasunroll.advice.__file__).with_name(FILE)
    path.write_text(learned.model_dump_json(indent=1) + "\n", encoding="utf-8")


def learn(networks: Sequence[Measured]) -> Reference:
    """Return the coefficients, and how well they predict networks that they were not learned from."""
    folds = [networks[fold::FOLDS] for fold in range(FOLDS)]
    errors: dict[str, list[list[float]]] = {figure: [] for figure in FIGURES}
    for fold in range(FOLDS):
        others = [network for number, each in enumerate(folds) if number != fold for network in each]
        learned = coefficients(others)
        for network in folds[fold]:
            for figure in FIGURES:
                found = [
                    math.log(each.value / max(predict(figure, each.work, learned[figure], {}), LEAST))
                    for name, each in network
                    if name == figure
                ]
                errors[figure] += [found] if found else []
    spread = {figure: _deviation(errors[figure], lambda each: each) for figure in FIGURES}
    between = {figure: _deviation(errors[figure], _from_their_mean) for figure in FIGURES}
    return Reference(
        version=VERSION,
        environment=environment(),
        coefficients=coefficients(networks),
        spread=spread,
        # Where no network was measured in several settings, each is taken to be off by itself.
        spread_between={figure: between[figure] or spread[figure] for figure in FIGURES},
    )


def coefficients(networks: Sequence[Measured]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the coefficients of every figure."""
    return {figure: _coefficients(figure, networks) for figure in FIGURES}


def _coefficients(figure: str, networks: Sequence[Measured]) -> dict[str, dict[str, float]]:
    """Fit a figure; a few times over, as the machine was faster while some networks were measured than others.

    Half of what all settings of a network are off by is taken to be the machine's speed at that moment.
    """
    groups = [[each for name, each in network if name == figure] for network in networks]
    for _ in range(STEADYINGS):
        fitted = fit_coefficients(figure, [each for group in groups for each in group])
        groups = [_steadied(figure, group, fitted) for group in groups]
    return fitted


def _steadied(figure: str, group: list[Example], fitted: Coefficients) -> list[Example]:
    if len(group) < 2:  # alone, it may be off for any reason
        return group
    off = [math.log(max(predict(figure, each.work, fitted, {}), LEAST) / each.value) for each in group]
    speed = math.exp(0.5 * float(np.mean(off)))
    return [Example(each.work, each.value * speed) for each in group]


def _deviation(errors: Sequence[Sequence[float]], of: Callable[[Sequence[float]], Sequence[float]]) -> float:
    """Return a standard deviation that a few networks of another kind do not rule: 1.48 times the median error."""
    found = [abs(error) for network in errors for error in of(network)]
    return float(1.48 * np.median(found)) if found else 0.0


def _from_their_mean(errors: Sequence[float]) -> Sequence[float]:
    """Return by how much the settings of one network are off more, or less, than all of them."""
    count = len(errors)
    if count == 1:
        return []
    mean = float(np.mean(errors))
    return [(error - mean) * math.sqrt(count / (count - 1)) for error in errors]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("logs/advice-reference"), help="where the figures are")
    parser.add_argument("--budget", default="30m", help="time for measuring; default: 30m; 0s to learn only")
    arguments = parser.parse_args()
    times, fresh = (arguments.folder / name for name in FILES)
    if arguments.budget != "0s":
        seconds = parse_seconds(arguments.budget, "--budget")
        with progress_bar(Console()) as on_progress:
            measure_times(times, time.monotonic() + 0.6 * seconds, on_progress)
            measure_fresh(fresh, time.monotonic() + 0.4 * seconds, on_progress)
    networks = measured_networks(arguments.folder)
    learned = learn(networks)
    table = Table("figure", "variants", "standard deviation of the error", "between settings")
    for figure in FIGURES:
        count = sum(name == figure for network in networks for name, _ in network)
        table.add_row(figure, str(count), f"{learned.spread[figure]:.0%}", f"{learned.spread_between[figure]:.0%}")
    Console().print(table)
    ship(learned)


if __name__ == "__main__":
    main()
