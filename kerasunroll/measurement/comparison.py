"""Comparing variants: timing them in turns, then training each with everything logged."""

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from kerasunroll.measurement import store
from kerasunroll.measurement.processes import Limits
from kerasunroll.measurement.progress import Tally, Tell
from kerasunroll.measurement.records import Record
from kerasunroll.measurement.timing_stage import time_group
from kerasunroll.measurement.training_stage import train_variants
from kerasunroll.measurement.variant import Variant

RECORDS = "records"
"""The folder of a comparison's records, below its own."""


@dataclass(frozen=True)
class Measured:
    """What a comparison found out about one variant.

    Args:
        variant: The variant.
        timing: The record of its times.
        training: The record of its training.
    """

    variant: Variant
    timing: Record
    training: Record


def compare(variants: Sequence[Variant], folder: Path, tell: Tell, limits: Limits, seed: int = 0) -> list[Measured]:
    """Measure variants; every record is on the disk as soon as there is one.

    First the variants of each group are timed, alone on the machine and in turns. Then all are trained, from the
    same weights on the same batches in the same order, as many at once as there are cores.

    Args:
        variants: The variants, those of one group in a row.
        folder: Path. The folder of the comparison; its records go into `records` below it.
        tell: Called with the `Progress`.
        limits: What each worker may use.
        seed: Integer. Draws the order of turns.
    """
    keep = partial(store.save, folder=folder / RECORDS)
    groups = [list(group) for _, group in groupby(variants, key=lambda variant: variant.group)]
    tally = Tally(2 * len(variants) + len(groups), tell)
    rng = random.Random(seed)  # noqa: S311
    timings: dict[Path, Record] = {}
    for group in groups:
        records = time_group(group, limits, tally, rng)
        timings.update((variant.folder, record) for variant, record in zip(group, records, strict=True))
        for record in records:
            keep(record)
    # The largest graphs first: the small ones fill the time of the cores beside them.
    by_size = sorted(variants, key=lambda variant: -timings[variant.folder].figures.get("training_step_nodes", 0))
    records = train_variants(by_size, timings, limits, tally, jobs=os.cpu_count() or 1, keep=keep)
    trainings = {variant.folder: record for variant, record in zip(by_size, records, strict=True)}
    return [Measured(variant, timings[variant.folder], trainings[variant.folder]) for variant in variants]
