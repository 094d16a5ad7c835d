"""What a deployment found, as rows: one per contender. No TensorFlow."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kerasunroll.deployment.contender import Contender
from kerasunroll.deployment.formats.micro import MICRO_OPERATIONS
from kerasunroll.deployment.stages.timing import INFERENCE
from kerasunroll.inspection.model_parity.differences import rounding
from kerasunroll.measurement.records.record import Outcome, Record
from kerasunroll.measurement.statistics.rounds import TimeRatio, compare_rounds

EPS: Final = {"none": 2.0**-23, "float16": 2.0**-11}
"""The distance of 1 to the next number, in the weights of a file."""

LEAST_DB: Final = 10.0
"""An int8 file whose noise is more than a tenth of the signal's power is said to compute something else."""


@dataclass(frozen=True)
class Row:
    """One contender.

    Args:
        contender: `Contender`.
        record: `Record`.
        baseline: String or `None`. The contender whose time this one's is compared with.
        ratio: `TimeRatio` of one inference over the baseline's, or `None`.
        tells_threads: Boolean. Whether others have another number of threads, so that its own has to be told.
            Defaults to `False`.
    """

    contender: Contender
    record: Record
    baseline: str | None
    ratio: TimeRatio | None
    tells_threads: bool = False

    @property
    def name(self) -> str:
        """What it is called."""
        return self.contender.name

    @property
    def title(self) -> str:
        """What it is called beside others: its file, and where there are several numbers of threads, its own."""
        return f"{self.contender.label}, {self.threads}" if self.tells_threads and self.was_run else self.name

    @property
    def threads(self) -> str:
        """Its number of threads in words."""
        return "one thread" if self.contender.threads == 1 else f"{self.contender.threads} threads"

    @property
    def was_run(self) -> bool:
        """Whether its file came so far as to be timed, so that the number of threads plays a part."""
        return self.is_made or self.record.session is not None

    @property
    def is_made(self) -> bool:
        """Whether there is a file that runs here."""
        return self.record.outcome is Outcome.DONE

    def figure(self, name: str) -> float | None:
        """Return a figure of the record, or `None` where it has none."""
        value = self.record.figures.get(name)
        return None if value is None else float(value)

    @property
    def flex(self) -> tuple[str, ...]:
        """The operations that the plain LiteRT interpreter lacks."""
        return tuple(name for name in self.record.operations if name.startswith("Flex"))

    @property
    def not_in_micro(self) -> tuple[str, ...]:
        """The operations that TensorFlow Lite Micro lacks."""
        if self.contender.target != "litert":
            return tuple(self.record.operations)
        return tuple(name for name in self.record.operations if name not in MICRO_OPERATIONS)

    @property
    def tolerance(self) -> float | None:
        """The difference that rounding explains; `None` for int8."""
        eps, largest = EPS.get(self.contender.quantization), self.figure("largest_output")
        if eps is None or largest is None:
            return None
        return rounding(eps, self.contender.stack.timesteps or 1) * max(1.0, largest)

    @property
    def computes_the_same(self) -> bool | None:
        """Whether its outputs are the model's; `None` where it has no file."""
        difference, noise = self.figure("largest_difference"), self.figure("noise_db")
        if difference is None or not self.is_made:
            return None
        if self.tolerance is not None:
            return difference <= self.tolerance
        return noise is not None and (noise == math.inf or noise >= LEAST_DB)


def deployment_rows(found: Sequence[tuple[Contender, Record]]) -> list[Row]:
    """Return one row per contender, each compared with the first that was timed.

    A file that could not be made is one row, for whatever number of threads it was meant.

    Args:
        found: What `measure_deployment` returned.
    """
    baseline = next((record for _, record in found if INFERENCE in record.samples), None)
    several = len({contender.threads for contender, _ in found}) > 1
    rows: dict[str, Row] = {}
    for contender, record in found:
        row = _row(contender, record, baseline, tells_threads=several)
        rows.setdefault(row.name if row.was_run else contender.label, row)
    return list(rows.values())


def _row(contender: Contender, record: Record, baseline: Record | None, *, tells_threads: bool) -> Row:
    if baseline is None or record is baseline or INFERENCE not in record.samples or record.session != baseline.session:
        return Row(contender, record, None, None, tells_threads)
    return Row(contender, record, baseline.variant, compared(record, baseline), tells_threads)


def compared(record: Record, other: Record) -> TimeRatio:
    """Return the time of one inference over another's, from the rounds that both took."""
    ours, theirs = record.samples[INFERENCE], other.samples[INFERENCE]
    both = min(len(ours[0]), len(theirs[0]))
    # The seed is that of the look at which the rounds ended, so that the interval is the same.
    rng = np.random.default_rng(both)
    return compare_rounds([rounds[:both] for rounds in ours], [rounds[:both] for rounds in theirs], rng=rng)
