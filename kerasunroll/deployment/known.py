"""What is known of a deployment: which contenders there are, the record of each, and what is missing."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kerasunroll.deployment.contender import Contender
from kerasunroll.deployment.plan import DeploymentPlan
from kerasunroll.deployment.stages.making import is_intact
from kerasunroll.measurement.planning.findings import is_finished
from kerasunroll.measurement.records.record import Outcome, Record


class Known:
    """The records of a deployment, the last one of each question.

    A file has one record, for all numbers of threads; each contender that was timed has one besides.

    Args:
        plan: `DeploymentPlan`.
        records: The records that there are.
    """

    def __init__(self, plan: DeploymentPlan, records: Iterable[Record] = ()) -> None:
        self.plan = plan
        in_order = sorted(records, key=lambda record: record.created)
        self._files = {record.variant: record for record in in_order if record.session is None}
        self._timed = {record.variant: record for record in in_order if record.session is not None}

    @property
    def contenders(self) -> list[Contender]:
        """What was asked for, and with Flex operations that of which nothing else can be made."""
        asked = self.plan.contenders
        return [*asked, *with_flex([(each, file) for each in asked if (file := self.file(each))])]

    @property
    def found(self) -> list[tuple[Contender, Record]]:
        """The contenders of which something is known, each with its last record."""
        return [(each, record) for each in self.contenders if (record := self.of(each))]

    @property
    def missing(self) -> list[str]:
        """What has not come to its end, such as `"full fixed: file"` or `"loop fixed: timing"`."""
        return list(dict.fromkeys(self._missing()))

    def file(self, contender: Contender) -> Record | None:
        """Return the record of making a contender's file, or `None` if there is none."""
        return self._files.get(contender.label)

    def of(self, contender: Contender) -> Record | None:
        """Return the last record of a contender, or `None` if there is none."""
        both = (self.file(contender), self._timed.get(contender.name))
        return max(filter(None, both), key=lambda record: record.created, default=None)

    def without(self, damaged: Iterable[Contender]) -> "Known":
        """Return what is known but for the files of some contenders."""
        labels = {each.label for each in damaged}
        files = [record for label, record in self._files.items() if label not in labels]
        return Known(self.plan, [*files, *self._timed.values()])

    def with_records(self, records: Iterable[Record]) -> "Known":
        """Return what is known with new records."""
        return Known(self.plan, [*self._files.values(), *self._timed.values(), *records])

    def to_make(self) -> list[Contender]:
        """Return a contender for each file that has not come to its end."""
        open_ones = {each.label: each for each in reversed(self.contenders) if not is_finished(self.file(each))}
        return list(open_ones.values())[::-1]

    def damaged(self, folder: Path) -> list[Contender]:
        """Return the contenders whose file was made, and is not as it was made any more."""
        return [each for each in self.contenders if _is_done(self.file(each)) and not is_intact(each, folder)]

    def to_time(self) -> list[tuple[Contender, Record]]:
        """Return all contenders that have a file, with its record, if one of them has not been timed to its end.

        They take turns, so that all are timed anew where one is missing.
        """
        made = [(each, file) for each in self.contenders if (file := self.file(each)) and _is_done(file)]
        sessions = {record.session for each, _ in made if (record := self.of(each)) and is_finished(record)}
        whole = len(sessions) == 1 and not any(self._is_untimed(each) for each, _ in made)
        return [] if whole else made

    def _is_untimed(self, contender: Contender) -> bool:
        record = self.of(contender)
        return record is None or record.session is None or not is_finished(record)

    def _missing(self) -> Iterator[str]:
        for each in self.contenders:
            if not is_finished(self.file(each)):
                yield f"{each.label}: file"
            elif _is_done(self.file(each)) and self._is_untimed(each):
                yield f"{each.name}: timing"


def _is_done(record: Record | None) -> bool:
    return record is not None and record.outcome is Outcome.DONE


def with_flex(made: Sequence[tuple[Contender, Record]]) -> list[Contender]:
    """Return contenders with Flex operations for those networks of which no other LiteRT file can be made."""
    found: dict[tuple[str, str, int], list[tuple[Contender, Record]]] = {}
    for contender, record in made:
        if contender.target == "litert" and contender.form != "streaming":
            key = (contender.setting, contender.quantization, contender.threads)
            found.setdefault(key, []).append((contender, record))
    return [
        tries[0][0].model_copy(update={"form": "flex"})
        for tries in found.values()
        if not any(record.outcome in (Outcome.DONE, Outcome.INTERRUPTED) for _, record in tries)
    ]
