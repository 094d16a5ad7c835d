"""Training the variants, with everything logged for TensorBoard. Nothing is timed here, so several run at once."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Final

from kerasunroll.measurement.environment import environment
from kerasunroll.measurement.files import write_whole
from kerasunroll.measurement.processes import Limits, Worker, WorkerError
from kerasunroll.measurement.progress import Tally
from kerasunroll.measurement.records import Outcome, Record
from kerasunroll.measurement.variant import Variant
from kerasunroll.measurement.worker_env import COUNTED

MEASUREMENT: Final = "training"
RUN_FILE: Final = "run.json"

_LOGGED = {
    "step_seconds": "time/step_seconds",
    "trace_seconds": "time/trace_seconds",
    "compile_seconds": "time/compile_seconds",
}


def train_variants(
    variants: Sequence[Variant],
    timings: Mapping[Path, Record],
    limits: Limits,
    tally: Tally,
    jobs: int,
    keep: Callable[[Record], object] = lambda record: None,  # noqa: ARG005
) -> list[Record]:
    """Train variants, write a `run.json` into the folder of each, and return one record each.

    A variant that fails gives a record that says so; the others go on.

    Args:
        variants: The variants.
        timings: What was measured before, by the variant's folder; logged with the run. Where a variant has none, the
            run logs its own times.
        limits: What each worker may use.
        tally: Is told about the work done: one piece per variant.
        jobs: Integer. How many variants are trained at once.
        keep: Called with each record as soon as there is one, in any thread.
    """
    workers = _Workers()

    def train(variant: Variant) -> Record:
        record = _train(variant, timings.get(variant.folder), limits, tally, workers)
        write_whole(variant.folder / RUN_FILE, record.model_dump_json(indent=1) + "\n")
        keep(record)
        return record

    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(train, variant) for variant in variants]
        try:
            return [future.result() for future in futures]
        except BaseException:  # Ctrl-C too: the threads wait for workers that are to end now
            for future in futures:
                future.cancel()
            workers.kill()
            raise


@dataclass(frozen=True)
class _Workers:
    """The workers of several threads, all to be ended at once; also one that was being started meanwhile."""

    started: list[Worker] = field(default_factory=list)
    ending: Event = field(default_factory=Event)

    def add(self, worker: Worker) -> None:
        self.started.append(worker)
        if self.ending.is_set():
            worker.kill()

    def kill(self) -> None:
        self.ending.set()
        for worker in list(self.started):
            worker.kill()


def _train(variant: Variant, timing: Record | None, limits: Limits, tally: Tally, workers: _Workers) -> Record:
    job = {
        "config": variant.config.model_dump(mode="json"),
        "folder": str(variant.folder),
        "figures": None if timing is None else _logged(timing),
    }
    piece = f"{variant.group} {variant} training"
    result: dict[str, Any] = {}
    figures: dict[str, float] = {}
    error = None
    try:
        with Worker(
            job,
            module="kerasunroll.measurement.training_worker",
            log_path=variant.folder / "training.log",
            limits=limits,
            env=COUNTED,
        ) as worker:
            workers.add(worker)
            for message in worker.messages():
                if "of" in message:
                    tally.report(piece, f"{variant}: train", message["done"] / message["of"])
                result = message.get("result", result)
            figures = _figures(result)
    except WorkerError as caught:
        error = caught
    return Record(
        configuration=variant.question(MEASUREMENT),
        variant=variant.setting,
        outcome=error.outcome if error else Outcome.DONE,
        cause=error.cause if error else None,
        phase=error.phase if error else None,
        figures=figures,
        samples={name: [values] for name, values in result.get("history", {}).items()},
        environment=environment(),
    )


def _logged(timing: Record) -> dict[str, float]:
    return {tag: timing.figures[name] for name, tag in _LOGGED.items() if name in timing.figures}


def _figures(result: Mapping[str, Any]) -> dict[str, float]:
    last = {f"final_{name}": values[-1] for name, values in result["history"].items()}
    figures = {**last, "fit_seconds": result["fit_seconds"]}
    if result["tensor_peak_bytes"] is not None:
        figures["tensor_peak_bytes"] = result["tensor_peak_bytes"]
    return figures
