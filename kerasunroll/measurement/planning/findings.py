"""What is known of the variants of a comparison."""

from collections.abc import Iterable
from dataclasses import dataclass

from kerasunroll.measurement.planning.variant import Variant
from kerasunroll.measurement.records.record import Outcome, Record, record_key


@dataclass(frozen=True)
class Measured:
    """What is known of one variant: a record of each kind, or `None` for what was not measured.

    Args:
        variant: The variant.
        timing: The record of its times and graphs.
        memory: The record of the memory that its tensors take.
        training: The record of its training.
    """

    variant: Variant
    timing: Record | None = None
    memory: Record | None = None
    training: Record | None = None

    @property
    def records(self) -> tuple[Record, ...]:
        """The records that there are."""
        return tuple(record for record in (self.timing, self.memory, self.training) if record)


class Findings:
    """The records of a comparison, one for each kind of measurement of each variant.

    Args:
        known: The records of an earlier run. The last one of each question counts, but one that ended rather than
            one that was interrupted later.
    """

    def __init__(self, known: Iterable[Record] = ()) -> None:
        in_order = sorted(known, key=lambda record: (is_finished(record), record.created))
        self._records = {record.key: record for record in in_order}

    def add(self, record: Record) -> None:
        """Take a new record, in place of what was known."""
        self._records[record.key] = record

    def of(self, variant: Variant, measurement: str) -> Record | None:
        """Return the record of one kind of measurement of a variant, or `None` if there is none."""
        return self._records.get(record_key(variant.question(measurement), variant.setting))

    def measured(self, variant: Variant) -> Measured:
        """Return all that is known of a variant."""
        return Measured(
            variant,
            timing=self.of(variant, "timing"),
            memory=self.of(variant, "memory"),
            training=self.of(variant, "training"),
        )


def is_finished(record: Record | None) -> bool:
    """Tell whether a measurement has come to its end, whatever that was."""
    return record is not None and record.outcome is not Outcome.INTERRUPTED
