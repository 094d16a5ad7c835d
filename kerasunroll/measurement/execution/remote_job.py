"""A remote job: what is compared with each other, measured on one node as it would be on any machine."""

import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kerasunroll.measurement.execution.executor import Schedule
from kerasunroll.measurement.execution.local import LocalExecutor
from kerasunroll.measurement.execution.messages import Message, ProgressMessage, Result, Timed
from kerasunroll.measurement.execution.shipping import NewFiles, ShippedFile, with_files
from kerasunroll.measurement.planning.findings import Findings
from kerasunroll.measurement.planning.jobs import FollowUp, PlannedVariant, outstanding
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.planning.variant import Placement
from kerasunroll.measurement.progress import Progress
from kerasunroll.measurement.records.environment import differences, environment
from kerasunroll.measurement.records.node import Node
from kerasunroll.measurement.records.record import Record

PROGRESS_SECONDS = 0.5
"""How often a node tells how far it has come."""

Send = Callable[[Message], object]


@dataclass(frozen=True)
class RemoteJob:
    """What is compared with each other, on its way to a node.

    Args:
        number: Integer. Which one.
        planned: Tuple of `PlannedVariant`: the variants of one group.
        follow_up: What follows the timing.
        timed: Boolean. Whether they are to be timed at all.
        known: Tuple of strings: the records that there are of them, as JSON.
        rules: What each worker may use.
        until: Float. Until when there is time, in seconds since 1970. The clocks of the nodes are taken to agree.
        seed: Integer. Draws the order of turns.
        at_once: Integer. How many variants are trained, or have their memory counted, at once.
    """

    number: int
    planned: tuple[PlannedVariant, ...]
    follow_up: FollowUp
    timed: bool
    known: tuple[str, ...]
    rules: Rules
    until: float
    seed: int
    at_once: int


def measure_remote_job(job: RemoteJob, files: list[ShippedFile], node: Node, send: Send) -> None:
    """Measure what is still missing of a job; tell each record as it comes, with the files that belong to it.

    What another kind of environment has measured does not count here: then the whole job is measured anew, so that
    records of unlike nodes never meet in one ratio.

    Args:
        job: `RemoteJob`.
        files: The files that its variants name.
        node: `Node`. The one that this is.
        send: Called with each `Message`.
    """
    here = environment()
    known = [Record.model_validate_json(text) for text in job.known]
    findings = Findings(record for record in known if not differences(record.environment, here))
    with tempfile.TemporaryDirectory(prefix="kerasunroll-") as scratch:
        planned = _moved_in(job, files, node, Path(scratch))
        LocalExecutor(at_once=job.at_once).run(
            Schedule(
                outstanding(planned, job.follow_up, findings, timed=job.timed),
                follow_up=job.follow_up,
                rules=replace(job.rules, deadline=time.monotonic() + max(0.0, job.until - time.time())),
                findings=findings,
                keep=_Keeper(job, planned, findings, send),
                on_progress=_Teller(job.number, send),
                on_timed=lambda _: send(Timed(job.number)),
                timed=job.timed,
                seed=job.seed,
            )
        )


def _moved_in(job: RemoteJob, files: list[ShippedFile], node: Node, scratch: Path) -> list[PlannedVariant]:
    """Return the job's variants with folders and files of this node."""
    places = {file.name: file.unpack(scratch / "files") for file in files}
    return [
        replace(
            one,
            variant=replace(
                one.variant,
                folder=scratch / one.variant.setting,
                placement=Placement(node, with_files(one.variant.config, places)),
            ),
        )
        for one in job.planned
    ]


class _Keeper:
    """Sends each record, in any thread, behind the files that belong to it."""

    def __init__(self, job: RemoteJob, planned: list[PlannedVariant], findings: Findings, send: Send) -> None:
        self._job = job
        self._folders = {one.variant.setting: one.variant.folder for one in planned}
        self._new_files = {setting: NewFiles(folder) for setting, folder in self._folders.items()}
        self._findings = findings
        self._send = send
        self._sending = threading.Lock()

    def __call__(self, record: Record) -> None:
        with self._sending:
            self._findings.add(record)
            number = list(self._folders).index(record.variant)
            if record.cause:  # it may name the log, which will lie with the run
                there = str(self._job.planned[number].variant.folder)
                cause = record.cause.replace(str(self._folders[record.variant]), there)
                record = record.model_copy(update={"cause": cause})
            files = self._new_files[record.variant].take()
            self._send(Result(self._job.number, number, record.model_dump_json(), files))


class _Teller:
    """Tells how far the job has come, now and then."""

    def __init__(self, number: int, send: Send) -> None:
        self._number = number
        self._send = send
        self._told = 0.0

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() - self._told >= PROGRESS_SECONDS:
            self._told = time.monotonic()
            self._send(ProgressMessage(self._number, progress.doing, progress.done))
