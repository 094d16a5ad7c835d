"""A deployment from the contenders to their records: files are made, then timed."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kerasunroll.deployment.contender import Contender
from kerasunroll.deployment.stages.making import make_files
from kerasunroll.deployment.stages.timing import time_files
from kerasunroll.files import write_whole
from kerasunroll.measurement.planning.jobs import AT_ONCE
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.progress import OnProgress, ProgressCounter
from kerasunroll.measurement.records import store
from kerasunroll.measurement.records.record import Outcome, Record

PLAN_FILE: Final = "deployment.json"


def measure_deployment(
    contenders: Sequence[Contender], folder: Path, batch: Path, rules: Rules, on_progress: OnProgress
) -> list[tuple[Contender, Record]]:
    """Make and time the files of all contenders; every record is in the folder as soon as there is one.

    Where no LiteRT file of a network can be made, one with Flex operations is tried.

    Args:
        contenders: What `contenders` returned.
        folder: Path. It exists.
        batch: Path of the file with the batch that is timed.
        rules: `Rules`. What it may take.
        on_progress: Called with the `Progress`.
    """
    saving = threading.Lock()

    def keep(record: Record) -> None:
        with saving:
            store.save(record, folder / store.RECORDS)

    save_contenders(contenders, folder)  # so that an interrupted run can be read
    counter = ProgressCounter(3.0, on_progress)
    making = counter.part("making", 2.0, len(contenders) * 1.25)
    records = make_files(contenders, folder, rules, making, AT_ONCE, keep)
    made = list(zip(contenders, records, strict=True))
    if flex := with_flex(made):
        made += zip(flex, make_files(flex, folder, rules, making, AT_ONCE, keep), strict=True)
    save_contenders([contender for contender, _ in made], folder)
    timed = time_files(made, folder, batch, rules, counter.part("timing", 1.0, 1.0), keep)
    return [(contender, record) for (contender, _), record in zip(made, timed, strict=True)]


def with_flex(made: Sequence[tuple[Contender, Record]]) -> list[Contender]:
    """Return contenders with Flex operations for those networks of which no other LiteRT file could be made."""
    found: dict[tuple[str, str, int], list[tuple[Contender, Record]]] = {}
    for contender, record in made:
        if contender.target == "litert" and contender.form != "streaming":
            key = (contender.setting, contender.quantization, contender.threads)
            found.setdefault(key, []).append((contender, record))
    return [
        tries[0][0].model_copy(update={"form": "flex"})
        for tries in found.values()
        if not any(record.outcome is Outcome.DONE for _, record in tries)
    ]


def save_contenders(contenders: Sequence[Contender], folder: Path) -> None:
    """Write what was compared into the folder."""
    lines = ",\n".join(contender.model_dump_json() for contender in contenders)
    write_whole(folder / PLAN_FILE, f"[\n{lines}\n]\n")
