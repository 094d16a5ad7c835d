"""Measuring on the nodes of a Ray cluster.

A long module: all that can happen to nodes and jobs while one waits for them.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import ray
from ray.util.queue import Empty, Queue

from kerasunroll.errors import InputError, RunError
from kerasunroll.measurement.execution.executor import Schedule
from kerasunroll.measurement.execution.messages import Begun, Message, ProgressMessage, Result, Timed
from kerasunroll.measurement.execution.nodes import Pool, at, here, in_words, refuse_unlike, restore_own_threads, survey
from kerasunroll.measurement.execution.remote_job import RemoteJob, Send, measure_remote_job
from kerasunroll.measurement.execution.shipping import ShippedFile, named_files, put_down
from kerasunroll.measurement.planning.findings import is_finished
from kerasunroll.measurement.planning.jobs import GroupJob, PlannedVariant
from kerasunroll.measurement.progress import ProgressCounter
from kerasunroll.measurement.records.environment import Environment, differences
from kerasunroll.measurement.records.node import Node
from kerasunroll.measurement.records.record import Outcome, Record
from kerasunroll.units import format_count

ATTEMPTS: Final = 3
"""How often a job is begun at most, where nodes die under it."""

POLL_SECONDS: Final = 0.1
"""How long to wait for progress before looking whether a job has ended."""

AHEAD: Final = 2
"""Units handed to Ray for each place: the one that runs, and the next one, so that no place waits for us."""

GRACE_SECONDS: Final = 5.0
"""What jobs have to send what they know, once they are told to end."""

Measure = Callable[[RemoteJob, list[ShippedFile], Node, Send], None]


class RayExecutor:
    """Measures on the nodes of the Ray cluster that this process is connected to.

    Each job of a schedule is a task of Ray's: it goes to one node and has it to itself, or one GPU with its share of
    the CPUs. Which node that is, and when, is Ray's business. A job whose node dies is begun again on another one, at
    most `attempts` times in all.

    Args:
        per_kind: Boolean. Whether everything is to be measured on each kind of node. Defaults to `False`.
        mix_environments: Boolean. Whether nodes may differ otherwise. Defaults to `False`.
        attempts: Integer. How often a job is begun at most. Defaults to 3.
        measure: Function that does the work on a node. Defaults to `measure_remote_job`.

    Raises:
        InputError: If the cluster has no node to measure on, or nodes that are not alike.
        RunError: If a node cannot run kerasunroll.
    """

    def __init__(
        self,
        *,
        per_kind: bool = False,
        mix_environments: bool = False,
        attempts: int = ATTEMPTS,
        measure: Measure = measure_remote_job,
    ) -> None:
        self.pools = survey()
        if not self.pools:
            raise InputError(
                "No node of this Ray cluster offers a CPU. Start one with: ray start --address=HOST:6379 "
                "(see docs/cluster.md)."
            )
        if not mix_environments:
            refuse_unlike(self.pools, per_kind=per_kind)
        self.attempts = attempts
        self.measure = measure

    @property
    def places(self) -> int:
        """How many jobs are measured at once."""
        return sum(pool.places for pool in self.pools)

    @property
    def environments(self) -> Sequence[Environment]:
        """The facts about each kind of node."""
        return [pool.environment for pool in self.pools]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of nodes, each once."""
        return tuple(dict.fromkeys(pool.kind for pool in self.pools))

    def describe(self) -> str:
        """Return the cluster in one line."""
        return f"Ray cluster: {', '.join(pool.describe() for pool in self.pools)}."

    def run(self, schedule: Schedule) -> None:
        """Measure every group of a schedule.

        Raises:
            RunError: If the last node that could measure what is missing has gone, or a result cannot be written.
        """
        run = _Run(self, schedule)
        try:
            run.until_done()
        except ray.exceptions.RayError as error:
            raise RunError(f"The Ray cluster does not answer any more ({in_words(error)}).") from error
        except BaseException:  # Ctrl-C too
            run.end()
            raise


@dataclass(eq=False)
class _Task:
    """A job that is to be measured, and what became of it so far."""

    number: int
    group_job: GroupJob
    failed: list[str] = field(default_factory=list)
    avoid: set[str] = field(default_factory=set)
    node: Node | None = None
    told: bool = False

    @property
    def planned(self) -> list[PlannedVariant]:
        return self.group_job.planned

    @property
    def group(self) -> str:
        return self.planned[0].variant.group

    def fits(self, pool: Pool) -> bool:
        return self.planned[0].variant.node_kind in (None, pool.kind)


class _Run:
    """One schedule on its way through the cluster."""

    def __init__(self, executor: RayExecutor, schedule: Schedule) -> None:
        self._executor = executor
        self._schedule = schedule
        self._pools = executor.pools
        self._lost: set[str] = set()
        self._tasks = [_Task(number, group_job) for number, group_job in enumerate(schedule.group_jobs)]
        self._waiting = deque(task for task in self._tasks if task.group_job.seconds)
        self._running: dict[Any, tuple[_Task, Pool]] = {}
        self._done = 0
        # Here, where it neither disturbs a measurement nor dies with a node.
        self._mailbox = Queue(
            actor_options={"num_cpus": 0, "label_selector": at(ray.get_runtime_context().get_node_id())}
        )
        self._files: dict[str, Any] = {}
        self._counter = ProgressCounter(schedule.seconds or 1.0, schedule.on_progress)
        self._function = ray.remote(_on_node)

    def until_done(self) -> None:
        for task in self._tasks:
            if not task.group_job.seconds:
                self._schedule.report_timed(task.group_job)
        while self._waiting or self._running:
            self._hand_out()
            # Asked first: what a job has sent before its end is in the mailbox by then.
            ended = ray.wait(list(self._running), num_returns=len(self._running), timeout=0)[0] if self._running else []
            self._read_mail(0.0 if ended else POLL_SECONDS)
            for reference in ended:
                self._conclude(reference)
        self._mailbox.shutdown(force=True)

    def end(self) -> None:
        """Tell all jobs to end, and take what they still send."""
        for reference in self._running:
            ray.cancel(reference)
        until = time.monotonic() + GRACE_SECONDS
        while self._running and time.monotonic() < until:
            ended = ray.wait(list(self._running), num_returns=len(self._running), timeout=0)[0]
            self._read_mail(POLL_SECONDS)
            for reference in ended:
                del self._running[reference]
        for reference in self._running:
            ray.cancel(reference, force=True)

    def _hand_out(self) -> None:
        if self._schedule.rules.seconds_left == 0:
            self._waiting.clear()
        load = Counter(id(pool) for _, pool in self._running.values())
        for pool in self._pools:
            while load[id(pool)] < AHEAD * pool.places and (task := self._next_for(pool)):
                self._waiting.remove(task)
                self._submit(task, pool)
                load[id(pool)] += 1
        if self._waiting and not self._running:
            raise RunError(
                f"No node is left that could measure {format_count(len(self._waiting))} of "
                f"{format_count(len(self._tasks))} groups, among them {self._waiting[0].group}."
            )

    def _next_for(self, pool: Pool) -> _Task | None:
        return next((task for task in self._waiting if task.fits(pool)), None)

    def _submit(self, task: _Task, pool: Pool) -> None:
        schedule, planned = self._schedule, tuple(task.planned)
        measured = [schedule.findings.measured(one.variant) for one in planned]
        job = RemoteJob(
            number=task.number,
            planned=planned,
            follow_up=schedule.follow_up,
            timed=schedule.timed,
            known=tuple(record.model_dump_json() for each in measured for record in each.records),
            rules=schedule.rules,
            until=time.time() + schedule.rules.seconds_left,
            seed=schedule.seed + task.number,
            at_once=pool.cpus_per_place,
        )
        names = dict.fromkeys(name for one in planned for name in named_files(one.variant.config))
        files = [self._shipped(name) for name in names]
        function = self._function.options(max_retries=0, name=task.group, **pool.claim(avoid=task.avoid))
        reference = function.remote(self._executor.measure, job, tuple(task.failed), self._mailbox.actor, *files)
        self._running[reference] = task, pool

    def _shipped(self, name: str) -> Any:
        """Put a file where every node can get it, once."""
        if name not in self._files:
            self._files[name] = ray.put(ShippedFile.of(name))
        return self._files[name]

    def _read_mail(self, seconds: float) -> None:
        try:
            mail = [self._mailbox.get(timeout=seconds)] if seconds else []
            mail += self._mailbox.get_nowait_batch(self._mailbox.size())
        except Empty:
            return
        for message in mail:
            self._take(message)

    def _take(self, message: Message) -> None:
        task = self._tasks[message.job]
        match message:
            case Begun(node=node):
                task.node = node
                self._report(task, "begun", 0.0)
            case ProgressMessage(doing=doing, done=done):
                self._report(task, doing, done)
            case Timed():
                if not task.told:
                    self._schedule.report_timed(task.group_job)
                task.told = True
            case Result(variant=number, record=text, files=files):
                put_down(files, task.planned[number].variant.folder)
                self._schedule.keep(Record.model_validate_json(text))

    def _conclude(self, reference: Any) -> None:
        """Take note of a job that has ended; see to one that came to nothing."""
        task, pool = self._running.pop(reference)
        try:
            ray.get(reference)
        except ray.exceptions.RayError as error:
            self._again(task, pool, error)
        else:
            self._done += 1
            self._report(task, "done", 1.0)

    def _again(self, task: _Task, pool: Pool, error: Exception) -> None:
        if isinstance(error, ray.exceptions.TaskUnschedulableError):  # its node died before it arrived there
            self._waiting.appendleft(task)
            self._survey_again()
            return
        task.failed.append(f"{task.node or 'a node'}: {in_words(error)}")
        if task.node and task.node.id:
            task.avoid.add(task.node.id)
            if isinstance(error, ray.exceptions.NodeDiedError):
                self._lost.add(task.node.id)
        if isinstance(error, ray.exceptions.NodeDiedError):
            self._survey_again()
        task.node = None
        if len(task.failed) < self._executor.attempts:
            self._waiting.appendleft(task)
        else:
            self._give_up(task, pool)

    def _survey_again(self) -> None:
        """See which nodes are left, and which came anew: of these, those that are like one there was before."""
        known = self._executor.environments
        self._pools = [
            pool
            for pool in survey(self._pools, self._lost)
            if any(not differences(pool.environment, environment) for environment in known)
        ]
        # What still waits for a node might wait for one that has gone.
        for reference in [each for each, (task, _) in self._running.items() if task.node is None]:
            ray.cancel(reference)
            self._waiting.appendleft(self._running.pop(reference)[0])

    def _give_up(self, task: _Task, pool: Pool) -> None:
        cause = f"it was begun {len(task.failed)} times, each time in vain: {'; '.join(task.failed)}"
        node = Node(name="none", kind=pool.kind, earlier=tuple(task.failed))
        for one in task.planned:
            for measurement in (["timing"] if self._schedule.timed else []) + [self._schedule.follow_up]:
                if not is_finished(self._schedule.findings.of(one.variant, measurement)):
                    self._schedule.keep(
                        Record(
                            configuration=one.variant.question(measurement),
                            variant=one.variant.setting,
                            outcome=Outcome.CRASHED,
                            cause=cause,
                            environment=pool.environment,
                            node=node,
                        )
                    )
        self._done += 1
        self._report(task, "given up", 1.0)
        self._schedule.report_timed(task.group_job)

    def _report(self, task: _Task, doing: str, done: float) -> None:
        share = f"{format_count(self._done)} of {format_count(len(self._tasks))} groups"
        where = f" on {task.node}" if task.node else ""
        self._counter.report(str(task.number), f"{share}, {task.group}{where}: {doing}", done * task.group_job.seconds)


def _on_node(measure: Measure, job: RemoteJob, failed: tuple[str, ...], mailbox: Any, *files: ShippedFile) -> None:
    """Do the work of a job; what a node runs."""
    restore_own_threads()
    node = here(failed)

    def send(message: Message) -> None:
        # Waits until it has arrived, so that nothing is sent while something is timed. Not by ray.get: a task that
        # waits there gives its CPUs back, and another job would begin beside this one.
        mailbox.put.remote(message).future().result()

    send(Begun(job.number, node))
    measure(job, list(files), node, send)
