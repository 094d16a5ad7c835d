"""How good is `kerasunroll advise`? Predictions beside full measurements of networks that it has not learned from.

    python benchmarks/advice_accuracy.py [--folder logs/advice-accuracy] [--budget 40m] [--docs docs/advice.md]

Each network is measured in all settings as `kerasunroll compare --no-train` does it: compiled in fresh processes, timed
in turns, its memory counted. Every record is in the folder the moment it exists; with another --budget it goes on where
it was. What is stated: how often the setting that was recommended takes at most 10 % longer than the best one,
compilation and N training steps together, and how far the predicted memory is off. With --docs the tables replace those
in that document. Run it on a quiet machine.

With --learn logs/advice-reference, coefficients are learned from what advice_reference.py measured and from all this:
each tenth of the networks is predicted by coefficients learned without it, and what ships is learned from all.
"""

import argparse
import math
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median

import advice_reference
import numpy as np
from kerasunroll.cli.quantities import parse_seconds
from rich.console import Console

from kerasunroll.advice import Advice, Network
from kerasunroll.advice.advice import advise_network, this_machine
from kerasunroll.advice.amounts import work
from kerasunroll.advice.calibration import GROUPS, ROUNDS, Calibration, Group, examples_of, measure_groups
from kerasunroll.advice.model import FIGURES, Example, fit_factors
from kerasunroll.advice.reference import Reference, reference
from kerasunroll.cli.console import progress_bar
from kerasunroll.measurement.planning.findings import Findings, Measured, is_finished
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.planning.variant import Variant
from kerasunroll.measurement.progress import OnProgress, ProgressCounter
from kerasunroll.measurement.records import store
from kerasunroll.measurement.records.record import Record
from kerasunroll.measurement.stages.memory import count_variants
from kerasunroll.measurement.stages.timing import time_group
from kerasunroll.measurement.workers.worker import Limits
from kerasunroll.units import format_bytes, format_count, format_seconds

TRAINING_STEPS = (300, 3000)
NEAR = 0.10
"""How much longer than the best one a setting may take that was rightly recommended."""

MEMORY_NEAR = 0.20
MEMORY = ("tensor_peak_bytes", "process_growth_bytes")
MAX_ROUNDS = 12
LIMITS = Limits(seconds=180)
LONGEST_FULL = 90
"""Copies up to which full is compiled: beyond, that alone would take minutes of the budget."""

# Cell, units, time steps, batch size, layers.
SHAPES = (
    *(("lstm", 16, 20, 8, 1), ("gru", 64, 100, 32, 1), ("simple_rnn", 128, 50, 64, 1), ("lstm", 128, 200, 32, 1)),
    *(("gru", 32, 40, 128, 2), ("simple_rnn", 64, 300, 16, 1), ("lstm", 64, 40, 32, 2), ("gru", 256, 20, 16, 1)),
    *(
        ("simple_rnn", 256, 40, 32, 2),
        ("lstm", 256, 50, 32, 1),
        ("gru", 128, 150, 64, 1),
        ("simple_rnn", 16, 100, 8, 1),
    ),
    *(("lstm", 32, 300, 16, 1), ("gru", 16, 80, 16, 1), ("simple_rnn", 32, 40, 128, 2), ("lstm", 96, 70, 128, 1)),
    *(("gru", 64, 300, 8, 1), ("simple_rnn", 96, 150, 32, 2), ("lstm", 64, 30, 64, 1), ("gru", 96, 30, 32, 2)),
    *(("simple_rnn", 192, 80, 16, 1), ("lstm", 16, 60, 128, 2), ("gru", 48, 60, 64, 1), ("simple_rnn", 64, 20, 32, 1)),
    *(("lstm", 192, 25, 16, 2), ("gru", 128, 25, 8, 1), ("simple_rnn", 128, 200, 8, 1), ("lstm", 48, 120, 8, 1)),
)


def groups() -> list[Group]:
    """Return what is measured, cell by cell in turn, so that a part of it is a fair part."""
    return [_group(*shape) for shape in SHAPES]


def _group(cell: str, units: int, timesteps: int, batch_size: int, layers: int) -> Group:
    settings = ["loop", "own-loop", "k8"]
    settings += ["full"] if timesteps * layers <= LONGEST_FULL else []
    return Group(
        cell=cell,
        units=units,
        timesteps=timesteps,
        batch_size=batch_size,
        settings=tuple(settings),
        layers=layers,
    )


def variants(group: Group, folder: Path) -> list[Variant]:
    """Return the variants of a group, each with its folder."""
    plain = [Variant(config, folder) for config in group.configs()]
    return [Variant(each.config, folder / each.group / each.setting) for each in plain]


def measure(folder: Path, deadline: float, on_progress: OnProgress) -> list[tuple[Group, list[Measured]]]:
    """Measure what is missing while there is time; return the groups that are complete."""
    records = folder / "records"
    findings = Findings(store.load(records).records)
    rules = Rules(limits=LIMITS, inference=False, max_rounds=MAX_ROUNDS, processes=1, deadline=deadline)

    def keep(record: Record) -> None:
        store.save(record, records)
        findings.add(record)

    counter = ProgressCounter(2 * len(SHAPES), on_progress)
    complete = []
    for number, group in enumerate(groups()):
        members = variants(group, folder)
        if rules.seconds_left and not all(is_finished(findings.of(each, "timing")) for each in members):
            part = counter.part(f"{number} times", 1.0, len(members) + 1)
            time_group(members, rules, part, random.Random(number), keep=keep)
        missing = [each for each in members if not is_finished(findings.of(each, "memory"))]
        if rules.seconds_left and missing:
            # Nothing is timed meanwhile, so two at once.
            count_variants(missing, rules, counter.part(f"{number} memory", 1.0, len(missing)), at_once=2, keep=keep)
        measured = [findings.measured(each) for each in members]
        if all(is_finished(each.timing) and is_finished(each.memory) for each in measured):
            complete.append((group, measured))
    return complete


Complete = Sequence[tuple[Group, list[Measured]]]
"""The networks that were measured in all settings."""


def learned_without(
    complete: Complete, folder: Path, machine: Calibration, on_progress: OnProgress
) -> list[tuple[Reference, Calibration]]:
    """Return, for each network, coefficients that know nothing of it, and the machine's factors beside those.

    What is learned from all networks becomes what the package knows.

    Args:
        complete: The networks.
        folder: Path. Where advice_reference.py has put its figures.
        machine: `Calibration`. What else is known of this machine.
        on_progress: Called with the `Progress` of measuring the machine once more.
    """
    before, here = advice_reference.measured_networks(folder), [examples(measured) for _, measured in complete]
    calibrated = [
        example
        for group, message in measure_groups(GROUPS, ROUNDS, on_progress)
        for example in examples_of(group, message["figures"])
    ]
    shipped = advice_reference.learn([*before, *here])
    advice_reference.ship(shipped)

    def without(fold: int) -> tuple[Reference, Calibration]:
        others = [network for number, network in enumerate(here) if number % advice_reference.FOLDS != fold]
        learned = advice_reference.coefficients([*before, *others])
        factors = fit_factors(calibrated, learned)
        return shipped.model_copy(update={"coefficients": learned}), machine.model_copy(update={"factors": factors})

    folds = [without(fold) for fold in range(advice_reference.FOLDS)]
    return [folds[number % advice_reference.FOLDS] for number in range(len(complete))]


def examples(measured: Sequence[Measured]) -> list[tuple[str, Example]]:
    """Return what was measured of a network as something to learn from."""
    return [
        (figure, Example(work(Network.of(config.stack, config.batch_size), config.stack.settings), value))
        for each in measured
        for config in [each.variant.config]
        for figure, value in found_figures(each).items()
        if figure in FIGURES
    ]


@dataclass(frozen=True)
class Outcome:
    """One network over so many training steps: what was recommended, and what would have been best.

    Args:
        network: String.
        training_steps: Integer.
        recommended: String.
        best: String.
        longer: Float. By how much the recommended setting takes longer than the best one; 0 where it is that one.
        seconds: Float. The time of the best one.
    """

    network: str
    training_steps: int
    recommended: str
    best: str
    longer: float
    seconds: float


def total_seconds(measured: Measured, training_steps: int) -> float:
    """Return what a setting took, or would have: infinitely long, if it could not be measured."""
    figures = measured.timing.figures if measured.timing else {}
    if "step_seconds" not in figures:
        return math.inf
    return sum(figures[f"{part}_seconds"] for part in ("build", "trace", "compile")) + (
        training_steps * figures["step_seconds"]
    )


def outcome(advice: Advice, measured: Sequence[Measured], training_steps: int) -> Outcome:
    """Return how good an advice was."""
    totals = {each.variant.setting: total_seconds(each, training_steps) for each in measured}
    best = min(totals, key=totals.__getitem__)
    taken = str(advice.recommended)
    longer = totals[taken] / totals[best] - 1
    return Outcome(measured[0].variant.group, training_steps, taken, best, longer, totals[best])


def errors(advice: Advice, measured: Sequence[Measured]) -> Iterator[tuple[str, str, float, float]]:
    """Yield setting, figure, prediction and measurement."""
    for each in measured:
        found = found_figures(each)
        predicted = advice.prediction(each.variant.setting)
        for figure in ("ready_seconds", "step_seconds", *MEMORY):
            if figure in found:
                yield each.variant.setting, figure, getattr(predicted, figure), found[figure]


def found_figures(measured: Measured) -> dict[str, float]:
    """Return what was measured of a variant, with the time until the first training step."""
    found = {
        **(measured.timing.figures if measured.timing else {}),
        **(measured.memory.figures if measured.memory else {}),
    }
    return found | ({"ready_seconds": total_seconds(measured, 0)} if "step_seconds" in found else {})


def report(complete: Complete, advices: dict[tuple[str, int], Advice]) -> str:
    """Return what is stated, in Markdown."""
    outcomes = [
        outcome(advices[measured[0].variant.group, steps], measured, steps)
        for (_, measured), steps in product(complete, TRAINING_STEPS)
    ]
    found = [
        error
        for _, measured in complete
        for error in errors(advices[measured[0].variant.group, TRAINING_STEPS[0]], measured)
    ]
    return "\n".join([*_summary(outcomes, found), "", *_outcome_table(outcomes)])


def _summary(outcomes: Sequence[Outcome], found: Sequence[tuple[str, str, float, float]]) -> Iterator[str]:
    yield f"{len(outcomes) // len(TRAINING_STEPS)} networks, {len(TRAINING_STEPS)} lengths of training each."
    yield ""
    yield "| training steps | recommended within 10 % of the best | best itself | longer, mean | longer, worst |"
    yield "|---|---|---|---|---|"
    for steps in TRAINING_STEPS:
        own = [each for each in outcomes if each.training_steps == steps]
        near, hit = sum(each.longer <= NEAR for each in own), sum(each.recommended == each.best for each in own)
        longer = [each.longer for each in own]
        yield (
            f"| {format_count(steps)} | {near} of {len(own)} | {hit} of {len(own)} | {np.mean(longer):.1%} "
            f"| {max(longer):.1%} |"
        )
    yield ""
    yield "| predicted | variants | median error | within 20 % | predicted over measured, median |"
    yield "|---|---|---|---|---|"
    for figure in ("ready_seconds", "step_seconds", *MEMORY):
        ratios = [predicted / measured for _, name, predicted, measured in found if name == figure]
        off = [abs(ratio - 1) for ratio in ratios]
        near = sum(each <= MEMORY_NEAR for each in off)
        yield (
            f"| {figure.replace('_', ' ')} | {len(off)} | {median(off):.0%} | {near / len(off):.0%} "
            f"| {median(ratios):.2f} |"
        )


def _outcome_table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield "| network | training steps | recommended | best | longer | best takes |"
    yield "|---|---|---|---|---|---|"
    for each in outcomes:
        yield (
            f"| {each.network} | {format_count(each.training_steps)} | {each.recommended} | {each.best} "
            f"| {each.longer:.0%} | {format_seconds(each.seconds)} |"
        )


def write_docs(path: Path, text: str) -> None:
    """Put the report between the two marks in a document."""
    begin, end = "<!-- accuracy: written by benchmarks/advice_accuracy.py -->", "<!-- end of accuracy -->"
    whole = path.read_text(encoding="utf-8")
    if begin not in whole or end not in whole:
        raise SystemExit(f"'{path}' has no place for the tables: it lacks '{begin}' or '{end}'.")
    between = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    path.write_text(between.sub(lambda _: f"{begin}\n{text}\n{end}", whole), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("logs/advice-accuracy"), help="where the records are")
    parser.add_argument("--budget", default="40m", help="time for measuring; default: 40m")
    parser.add_argument("--docs", type=Path, help="a document to write the tables into")
    parser.add_argument("--verbose", action="store_true", help="also every prediction beside its measurement")
    parser.add_argument("--learn", type=Path, help="where advice_reference.py has put its figures: learn anew from all")
    arguments = parser.parse_args()
    deadline = time.monotonic() + parse_seconds(arguments.budget, "--budget")
    console = Console(width=140)
    known = reference()
    with progress_bar(console) as on_progress:
        machine = this_machine(known, on_progress=on_progress)
        complete = measure(arguments.folder, deadline, on_progress)
        if not complete:
            raise SystemExit("Nothing has been measured to the end: give more time with --budget.")
        knowledge = [(known, machine)] * len(complete)
        if arguments.learn:
            knowledge = learned_without(complete, arguments.learn, machine, on_progress)
    advices = {
        (measured[0].variant.group, steps): advise_network(
            Network.of(measured[0].variant.config.stack, group.batch_size),
            group.settings,
            *known_of_it,
            training_steps=steps,
        )
        for ((group, measured), known_of_it), steps in product(zip(complete, knowledge, strict=True), TRAINING_STEPS)
    }
    if arguments.verbose:
        for _, measured in complete:
            group = measured[0].variant.group
            for setting, figure, predicted, found in errors(advices[group, TRAINING_STEPS[0]], measured):
                show = format_bytes if figure.endswith("bytes") else format_seconds
                console.print(f"{group} {setting} {figure}: {show(predicted)} predicted, {show(found)} measured")
    text = report(complete, advices)
    console.print(text, markup=False)
    if arguments.docs:
        write_docs(arguments.docs, text)


if __name__ == "__main__":
    main()
