"""A unit: what is compared with each other, measured on one node as it would be on any machine."""

import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kerasunroll.measurement.execution.executor import Order
from kerasunroll.measurement.execution.local import LocalExecutor
from kerasunroll.measurement.execution.messages import Message, News, Result, Timed
from kerasunroll.measurement.execution.shipping import Outbox, Parcel, with_files
from kerasunroll.measurement.planning.findings import Findings
from kerasunroll.measurement.planning.jobs import Second, Work, outstanding
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.planning.variant import Site
from kerasunroll.measurement.progress import Progress
from kerasunroll.measurement.records.environment import differences, environment
from kerasunroll.measurement.records.node import Node
from kerasunroll.measurement.records.record import Record

NEWS_SECONDS = 0.5
"""How often a node tells how far it has come."""

Post = Callable[[Message], object]


@dataclass(frozen=True)
class Unit:
    """What is compared with each other, on its way to a node.

    Args:
        number: Integer. Which one.
        works: Tuple of `Work`: the variants of one group.
        second: What follows the timing.
        timed: Boolean. Whether they are to be timed at all.
        known: Tuple of strings: the records that there are of them, as JSON.
        rules: What each worker may use.
        until: Float. Until when there is time, in seconds since 1970. The clocks of the nodes are taken to agree.
        seed: Integer. Draws the order of turns.
        jobs: Integer. How many variants are trained, or have their memory counted, at once.
    """

    number: int
    works: tuple[Work, ...]
    second: Second
    timed: bool
    known: tuple[str, ...]
    rules: Rules
    until: float
    seed: int
    jobs: int


def measure_unit(unit: Unit, parcels: list[Parcel], node: Node, post: Post) -> None:
    """Measure what is still missing of a unit; tell each record as it comes, with the files that belong to it.

    What another kind of environment has measured does not count here: then the whole unit is measured anew, so that
    records of unlike nodes never meet in one ratio.

    Args:
        unit: `Unit`.
        parcels: The files that its variants name.
        node: `Node`. The one that this is.
        post: Called with each `Message`.
    """
    here = environment()
    known = [Record.model_validate_json(text) for text in unit.known]
    findings = Findings(record for record in known if not differences(record.environment, here))
    with tempfile.TemporaryDirectory(prefix="kerasunroll-") as scratch:
        works = _moved_in(unit, parcels, node, Path(scratch))
        LocalExecutor(jobs=unit.jobs).run(
            Order(
                outstanding(works, unit.second, findings, timed=unit.timed),
                second=unit.second,
                rules=replace(unit.rules, deadline=time.monotonic() + max(0.0, unit.until - time.time())),
                findings=findings,
                keep=_Keeper(unit, works, findings, post),
                tell=_Teller(unit.number, post),
                on_timed=lambda _: post(Timed(unit.number)),
                timed=unit.timed,
                seed=unit.seed,
            )
        )


def _moved_in(unit: Unit, parcels: list[Parcel], node: Node, scratch: Path) -> list[Work]:
    """Return the unit's variants with folders and files of this node."""
    places = {parcel.name: parcel.unpack(scratch / "files") for parcel in parcels}
    return [
        replace(
            work,
            variant=replace(
                work.variant,
                folder=scratch / work.variant.setting,
                site=Site(node, with_files(work.variant.config, places)),
            ),
        )
        for work in unit.works
    ]


class _Keeper:
    """Sends each record, in any thread, behind the files that belong to it."""

    def __init__(self, unit: Unit, works: list[Work], findings: Findings, post: Post) -> None:
        self._unit = unit
        self._folders = {work.variant.setting: work.variant.folder for work in works}
        self._outboxes = {setting: Outbox(folder) for setting, folder in self._folders.items()}
        self._findings = findings
        self._post = post
        self._sending = threading.Lock()

    def __call__(self, record: Record) -> None:
        with self._sending:
            self._findings.add(record)
            number = list(self._folders).index(record.variant)
            if record.cause:  # it may name the log, which will lie with the run
                there = str(self._unit.works[number].variant.folder)
                cause = record.cause.replace(str(self._folders[record.variant]), there)
                record = record.model_copy(update={"cause": cause})
            files = self._outboxes[record.variant].take()
            self._post(Result(self._unit.number, number, record.model_dump_json(), files))


class _Teller:
    """Tells how far the unit has come, now and then."""

    def __init__(self, number: int, post: Post) -> None:
        self._number = number
        self._post = post
        self._told = 0.0

    def __call__(self, news: Progress) -> None:
        if time.monotonic() - self._told >= NEWS_SECONDS:
            self._told = time.monotonic()
            self._post(News(self._number, news.doing, news.done))
