"""Training the variants, with everything logged for TensorBoard. Nothing is timed here, so several run at once."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from kerasunroll.files import write_whole
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.planning.variant import Variant
from kerasunroll.measurement.progress import ProgressCounter
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.record import Outcome, Record
from kerasunroll.measurement.stages.memory import peak_figures
from kerasunroll.measurement.stages.side_by_side import Ending, Workers, side_by_side
from kerasunroll.measurement.workers.causes import describe_divergence

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
    rules: Rules,
    counter: ProgressCounter,
    at_once: int,
    keep: Callable[[Record], object] = lambda record: None,  # noqa: ARG005
) -> list[Record]:
    """Train variants, write a `run.json` into the folder of each, and return one record each.

    A variant that fails gives a record that says so; the others go on. One whose loss is no number any more gives the
    outcome `diverged`, with its figures up to there; one for which the time of `rules` does not suffice, `interrupted`.

    Args:
        variants: The variants.
        timings: What was measured before, by the variant's folder; logged with the run. Where a variant has none, the
            run logs its own times.
        rules: What each worker may use, and until when there is time.
        counter: Is told about the work done: one piece per variant.
        at_once: Integer. How many variants are trained at once.
        keep: Called with each record as soon as there is one, in any thread.
    """
    workers = Workers(rules)

    def train(variant: Variant) -> Record:
        started = datetime.now(UTC)
        _remove_earlier_curves(variant.folder)
        record = _record(variant, started, _train(variant, timings.get(variant.folder), counter, workers))
        write_whole(variant.folder / RUN_FILE, record.model_dump_json(indent=1) + "\n")
        keep(record)
        return record

    return side_by_side(variants, train, workers, at_once)


def _remove_earlier_curves(folder: Path) -> None:
    """Remove the event files of a training that was interrupted: TensorBoard would show two curves as one."""
    for file in folder.glob("*/events.out.tfevents.*"):
        file.unlink(missing_ok=True)


def _train(variant: Variant, timing: Record | None, counter: ProgressCounter, workers: Workers) -> Ending:
    job = {
        "config": variant.job,
        "folder": str(variant.folder),
        "figures": None if timing is None else _logged(timing),
    }

    def on_progress(message: dict[str, Any]) -> None:
        if "of" in message:
            done = message["done"] / message["of"]
            counter.report(f"{variant.group} {variant} training", f"{variant}: train", done)

    return workers.run(
        job,
        module="kerasunroll.measurement.stages.training_worker",
        log_path=variant.folder / "training.log",
        on_message=on_progress,
    )


def _record(variant: Variant, started: datetime, ending: Ending) -> Record:
    history = ending.result.get("history", {})
    outcome, cause, phase = Outcome.DONE, None, None
    if ending.error:
        outcome, cause, phase = ending.error.outcome, ending.error.cause, ending.error.phase
    elif diverged := _divergence(history.get("loss", [])):
        outcome, cause, phase = Outcome.DIVERGED, diverged, "train"
    return Record(
        configuration=variant.question(MEASUREMENT),
        variant=variant.setting,
        outcome=outcome,
        cause=cause,
        phase=phase,
        figures=_figures(ending.result) if ending.result else {},
        samples={name: [[values]] for name, values in history.items()},
        environment=environment(),
        node=variant.node,
        started=started,
    )


def _divergence(losses: Sequence[float]) -> str | None:
    """Return in words when the loss, one of each epoch, was no number any more."""
    for epoch, loss in enumerate(losses, start=1):
        if not math.isfinite(loss):
            return describe_divergence(loss, f"in epoch {epoch}")
    return None


def _logged(timing: Record) -> dict[str, float]:
    return {tag: timing.figures[name] for name, tag in _LOGGED.items() if name in timing.figures}


def _figures(result: Mapping[str, Any]) -> dict[str, float]:
    last = {f"final_{name}": values[-1] for name, values in result["history"].items()}
    figures = {**last, "fit_seconds": result["fit_seconds"]}
    if result["tensor_peak_bytes"] is not None:
        peak, alive = result["tensor_peak_bytes"], result["tensor_alive_bytes"]
        figures |= {"tensor_peak_bytes": peak, "tensor_alive_bytes": alive, "tensor_added_bytes": peak - alive}
    figures |= peak_figures(result.get("device_peak_bytes", {}))
    return figures
