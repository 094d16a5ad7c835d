"""Comparing variants: timing them in turns, then training each, or counting its memory."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

from kerasunroll.measurement import store
from kerasunroll.measurement.findings import Findings, Measured
from kerasunroll.measurement.memory_stage import count_variants
from kerasunroll.measurement.progress import Tally, Tell
from kerasunroll.measurement.records import Record
from kerasunroll.measurement.rules import Rules
from kerasunroll.measurement.timing_stage import time_group
from kerasunroll.measurement.training_stage import train_variants
from kerasunroll.measurement.work import JOBS, Piece, Second, Work, affordable, outstanding

RECORDS: Final = "records"
"""The folder of a comparison's records, below its own."""


def compare(
    works: Sequence[Work],
    folder: Path,
    tell: Tell,
    rules: Rules,
    *,
    second: Second,
    known: Iterable[Record] = (),
    on_timed: Callable[[list[Measured]], None] = lambda measured: None,  # noqa: ARG005
    seed: int = 0,
) -> list[Measured]:
    """Measure variants; every record is on the disk as soon as there is one.

    First the variants of each group are timed, alone on the machine and in turns. Then all are trained, from the
    same weights on the same batches in the same order, or their memory is counted, as many at once as there are
    cores. What is known already is not measured again; groups that the time does not suffice for are left out.

    Args:
        works: The variants, those of one group in a row, the most important group first.
        folder: Path. The folder of the comparison; its records go into `records` below it.
        tell: Called with the `Progress`.
        rules: `Rules`. What it may take.
        second: `"training"` or `"memory"`: what follows the timing.
        known: The records of an earlier run. What was interrupted is measured again.
        on_timed: Called with each group as soon as it has been timed.
        seed: Integer. Draws the order of turns.
    """
    findings = Findings(known)
    saving = threading.Lock()

    def keep(record: Record) -> None:
        with saving:  # several trainings end at once
            store.save(record, folder / RECORDS)
            findings.add(record)

    pieces = affordable(outstanding(works, second, findings), rules.seconds_left)
    second_seconds = sum(piece.second_seconds for piece in pieces)
    tally = Tally(sum(piece.timing_seconds for piece in pieces) + second_seconds, tell)
    _time(pieces, findings, keep, rules, tally, random.Random(seed), on_timed)  # noqa: S311
    # The largest first: the small ones fill the time of the cores beside them.
    missing = sorted(chain(*(piece.second for piece in pieces)), key=lambda work: -work.seconds(second))
    variants = [work.variant for work in missing]
    part = tally.part(second, second_seconds, len(missing))
    if second == "memory":
        count_variants(variants, rules, part, jobs=JOBS, keep=keep)
    else:
        timings = {work.variant.folder: timing for work in missing if (timing := findings.of(work.variant, "timing"))}
        train_variants(variants, timings, rules, part, jobs=JOBS, keep=keep)
    return [findings.measured(work.variant) for work in works]


def _time(
    pieces: Sequence[Piece],
    findings: Findings,
    keep: Callable[[Record], None],
    rules: Rules,
    tally: Tally,
    rng: random.Random,
    on_timed: Callable[[list[Measured]], None],
) -> None:
    for number, piece in enumerate(pieces):
        name, seconds = piece.works[0].variant.group, piece.timing_seconds
        if seconds:
            later = sum(each.timing_seconds for each in pieces[number + 1 :]) + sum(p.second_seconds for p in pieces)
            time_group(
                [work.variant for work in piece.works],
                _reserving(rules, own=seconds, later=later),
                tally.part(name, seconds, len(piece.works) + 1),
                rng,
                keep=keep,
            )
            tally.report(name, f"{name}: timed", seconds)
        on_timed([findings.measured(work.variant) for work in piece.works])


def _reserving(rules: Rules, own: float, later: float) -> Rules:
    """Return rules whose deadline leaves time for what comes later, but does not starve what comes now."""
    return replace(rules, deadline=min(rules.deadline, max(time.monotonic() + 2 * own, rules.deadline - later)))
