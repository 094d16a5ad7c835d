"""Timing the files in turns, each in several processes of its own, alone on the machine."""

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final
from uuid import uuid4

import numpy as np

from kerasunroll.deployment.contender import Contender
from kerasunroll.deployment.stages.making import file_of, log_of
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.progress import ProgressCounter
from kerasunroll.measurement.records.record import Outcome, Record, Stopped
from kerasunroll.measurement.stages.endings import budget_spent
from kerasunroll.measurement.statistics.rounds import MIN_ROUNDS, compare_rounds, needs_more_rounds, steady_seconds
from kerasunroll.measurement.workers.environment_variables import TIMED
from kerasunroll.measurement.workers.worker import Worker, WorkerError

INFERENCE: Final = "inference_seconds"
BLOCK_SECONDS: Final = 0.05
COUNT: Final = 10
"""The values of a block, each the mean of as many inferences as fill it."""


@dataclass
class _Timed:
    contender: Contender
    record: Record
    workers: list[Worker] = field(default_factory=list)
    rounds: list[list[list[float]]] = field(default_factory=list)
    runtime: str = ""
    of: int = 1
    error: WorkerError | None = None

    def ask(self, number: int) -> None:
        """Let one of its processes take a turn."""
        try:
            self.workers[number].send({"count": COUNT, "of": self.of})
            self.rounds[number].append(self.workers[number].receive()["seconds"])
        except WorkerError as error:
            self.fail(error)

    def fail(self, error: WorkerError) -> None:
        self.error = self.error or error
        for worker in self.workers:
            worker.kill()

    def result(self, session: str, stopped_by: Stopped | None) -> Record:
        fewest = min(map(len, self.rounds), default=0)
        rounds = [taken[:fewest] for taken in self.rounds]
        changes: dict[str, Any] = {
            "variant": self.contender.name,
            "session": session,
            "stopped_by": stopped_by,
        }
        if self.runtime:
            changes["path"] = f"{self.record.path}, by {self.runtime}"
        if fewest:
            changes |= {
                "figures": {**self.record.figures, INFERENCE: steady_seconds(rounds)},
                "samples": {INFERENCE: rounds},
            }
        if not fewest:
            self.error = self.error or budget_spent("steady")
        if self.error:
            changes |= {"outcome": self.error.outcome, "cause": self.error.cause, "phase": self.error.phase}
        return Record(**(self.record.model_dump(exclude={"created", "key"}) | changes))


def time_files(
    made: Sequence[tuple[Contender, Record]],
    folder: Path,
    batch: Path,
    rules: Rules,
    counter: ProgressCounter,
    keep: Callable[[Record], object],
    seed: int = 0,
) -> list[Record]:
    """Time one inference of every file that was made, in turns, and return the records with it.

    Args:
        made: Contenders with their records of `make_files`; those that have no file are left out.
        folder: Path. The folder of the comparison.
        batch: Path of the file with the batch.
        rules: `Rules`.
        counter: Is told about the work done: the rounds.
        keep: Called with each record.
        seed: Integer. Draws the order of turns.
    """
    running = [_Timed(contender, record) for contender, record in made if record.outcome is Outcome.DONE]
    session, stopped_by = uuid4().hex, None
    with ExitStack() as alive:
        for number in range(rules.processes):
            # To and fro: a process that starts later is a little faster.
            for each in running if number % 2 == 0 else reversed(running):
                _start(each, folder, batch, rules, number, alive)
        stopped_by = _take_rounds(running, rules, counter, random.Random(seed))  # noqa: S311 - the order of turns
    records = [each.result(session, stopped_by) for each in running]
    for record in records:
        keep(record)
    return records


def _start(timed: _Timed, folder: Path, batch: Path, rules: Rules, number: int, alive: ExitStack) -> None:
    if timed.error or rules.seconds_left == 0:
        return
    worker = alive.enter_context(
        Worker(
            {
                "contender": timed.contender.in_run(folder).model_dump(mode="json"),
                "path": str(file_of(timed.contender, folder)),
                "batch": str(batch),
            },
            module="kerasunroll.deployment.stages.inference_worker",
            log_path=log_of(timed.contender, folder, number + 1),
            limits=rules.limits,
            env=TIMED,
            preloaded=True,
        )
    )
    timed.workers.append(worker)
    timed.rounds.append([])
    try:
        answer = worker.receive()
    except WorkerError as error:
        timed.fail(error)
        return
    timed.runtime = answer["runtime"]
    timed.of = max(1, round(BLOCK_SECONDS / COUNT / median(answer["seconds"])))


def _take_rounds(timed: Sequence[_Timed], rules: Rules, counter: ProgressCounter, rng: random.Random) -> Stopped | None:
    for taken in range(1, rules.max_rounds + 1):
        running = [each for each in timed if not each.error]
        if not running:
            return None
        turns = [(each, number) for each in running for number in range(len(each.workers))]
        for each, number in rng.sample(turns, len(turns)):
            if rules.seconds_left == 0:
                return "budget"
            if not each.error:
                each.ask(number)
        counter.report("rounds", f"inference in turns, round {taken}", taken / rules.max_rounds)
        if taken >= MIN_ROUNDS and _is_enough([each for each in running if not each.error], taken, rules):
            return "width"
    return "rounds"


def _is_enough(running: Sequence[_Timed], taken: int, rules: Rules) -> bool:
    if not running:
        return True
    baseline = running[0]
    return not any(
        needs_more_rounds(
            compare_rounds(each.rounds, baseline.rounds, rng=np.random.default_rng(taken)),
            target_half_width=rules.half_width,
            max_rounds=rules.max_rounds,
        )
        for each in running[1:]
    )
