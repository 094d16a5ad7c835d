"""Workers side by side, for measurements in which nothing is timed."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.records.record import Record
from kerasunroll.measurement.stages.endings import budget_spent, explained
from kerasunroll.measurement.workers.environment_variables import COUNTED
from kerasunroll.measurement.workers.worker import Worker, WorkerError


@dataclass(frozen=True)
class Ending:
    """How a worker ended.

    Args:
        result: Dict of JSON values, which it sent at last; empty if it did not come so far.
        error: `WorkerError`, or `None` if it finished.
    """

    result: dict[str, Any] = field(default_factory=dict)
    error: WorkerError | None = None


@dataclass(frozen=True)
class Workers:
    """The workers of several threads, all to be ended at once; also one that was being started meanwhile.

    Args:
        rules: What each may use.
    """

    rules: Rules
    _started: list[Worker] = field(default_factory=list)
    _ending: Event = field(default_factory=Event)

    def run(
        self,
        job: Mapping[str, Any],
        *,
        module: str,
        log_path: Path,
        on_message: Callable[[dict[str, Any]], object] = lambda message: None,  # noqa: ARG005
        on_phase: Callable[[str], None] | None = None,
    ) -> Ending:
        """Have a worker do a job until it sends its `result`; other messages go to `on_message`.

        The arguments are those of `Worker`.
        """
        if self.rules.seconds_left == 0:
            return Ending(error=budget_spent("start"))
        message: dict[str, Any] = {}
        try:
            with Worker(
                job,
                module=module,
                log_path=log_path,
                limits=self.rules.limits,
                env=COUNTED,
                on_phase=on_phase,
                preloaded=True,
            ) as worker:
                self._add(worker)
                while "result" not in message:
                    message = worker.receive(timeout=self.rules.seconds_left)
                    on_message(message)
        except WorkerError as error:
            return Ending(error=explained(error, self.rules))
        return Ending(message["result"])

    def kill(self) -> None:
        """End all workers now, and every one that is started from now on."""
        self._ending.set()
        for worker in list(self._started):
            worker.kill()

    def _add(self, worker: Worker) -> None:
        self._started.append(worker)
        if self._ending.is_set():
            worker.kill()


Measured = TypeVar("Measured")
"""A variant, or what else is measured."""


def side_by_side(
    variants: Sequence[Measured], measure: Callable[[Measured], Record], workers: Workers, at_once: int
) -> list[Record]:
    """Measure variants in threads and return their records, in order.

    Args:
        variants: The variants.
        measure: Function of a variant, which uses `workers.run`.
        workers: `Workers`. They are killed when an exception comes, such as Ctrl-C, and no more are started.
        at_once: Integer. How many variants are measured at once.
    """
    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(measure, variant) for variant in variants]
        try:
            return [future.result() for future in futures]
        except BaseException:  # Ctrl-C too: the threads wait for workers that are to end now
            for future in futures:
                future.cancel()
            workers.kill()
            raise
