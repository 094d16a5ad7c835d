"""Making the file of each contender, each in a process of its own, several at once: nothing is timed here."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from kerasunroll.deployment.contender import FORMS, Contender
from kerasunroll.files import checksums, write_whole
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.progress import ProgressCounter
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.node import this_node
from kerasunroll.measurement.records.record import Outcome, Record
from kerasunroll.measurement.stages.side_by_side import Workers, side_by_side

PHASES: Final = ("start", "import", "build", "convert", "check", "end")


def make_files(
    contenders: Sequence[Contender],
    folder: Path,
    rules: Rules,
    counter: ProgressCounter,
    at_once: int,
    keep: Callable[[Record], object],
) -> list[Record]:
    """Make a file for each contender, see whether it computes the same, and return a record each: of the file's label.

    A file that cannot be made gives a record that says so; the others go on.

    Args:
        contenders: The contenders.
        folder: Path. The folder of the comparison; files go into `files` below it, logs into `logs`.
        rules: `Rules`. What each process may use.
        counter: Is told about the work done: one piece per contender.
        at_once: Integer. How many are made at once.
        keep: Called with each record as soon as there is one, in any thread.
    """
    workers = Workers(rules)

    def make(contender: Contender) -> Record:
        record = _make(contender, folder, counter, workers)
        keep(record)
        return record

    return side_by_side(contenders, make, workers, at_once)


def file_of(contender: Contender, folder: Path) -> Path:
    """Return where the file of a contender lies."""
    return folder / "files" / contender.file_name


def is_intact(contender: Contender, folder: Path) -> bool:
    """Return whether the file of a contender is still as it was made.

    Its checksums lie beside it, as `sha256sum --check` reads them.
    """
    try:
        return _checksums_of(contender, folder).read_text() == _checksum_lines(contender, folder)
    except (OSError, UnicodeDecodeError):
        return False


def _checksums_of(contender: Contender, folder: Path) -> Path:
    path = file_of(contender, folder)
    return path.with_name(f"{path.name}.sha256")


def _checksum_lines(contender: Contender, folder: Path) -> str:
    path = file_of(contender, folder)
    return "".join(f"{checksum}  {name}\n" for name, checksum in checksums(path, path.parent).items())


def log_of(contender: Contender, folder: Path, number: int = 0) -> Path:
    """Return where the log of a contender's process goes: 0 makes the file, those after it time it."""
    name = f"{contender.run_name}_{number}" if number else contender.file_name
    return folder / "logs" / f"{name}.log"


def _make(contender: Contender, folder: Path, counter: ProgressCounter, workers: Workers) -> Record:
    def on_phase(phase: str) -> None:
        done = PHASES.index(phase) / (len(PHASES) - 1)
        counter.report(contender.label, f"{contender.label}: {phase}", done)

    made: dict[str, Any] = {}
    started, path = datetime.now(UTC), file_of(contender, folder)
    ending = workers.run(
        {"contender": contender.in_run(folder).model_dump(mode="json"), "path": str(path)},
        module="kerasunroll.deployment.stages.converting_worker",
        log_path=log_of(contender, folder),
        on_phase=on_phase,
        on_message=lambda message: made.update(message.get("result", message)),
    )
    on_phase("end")
    error = ending.error
    if not error:
        write_whole(_checksums_of(contender, folder), _checksum_lines(contender, folder))
    return Record(
        configuration=contender.question(),
        variant=contender.label,
        outcome=error.outcome if error else Outcome.DONE,
        cause=error.cause if error else None,
        phase=error.phase if error else None,
        figures=made.get("figures", {}),
        operations=made.get("operations", {}),
        path=FORMS[contender.form],
        environment=environment(),
        node=this_node(),
        started=started,
    )
