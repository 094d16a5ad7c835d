"""Counting the memory of the variants' tensors. Nothing is timed here, so several run at once."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.planning.variant import Variant
from kerasunroll.measurement.progress import ProgressCounter
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.record import Outcome, Record
from kerasunroll.measurement.stages.side_by_side import Workers, side_by_side

MEASUREMENT: Final = "memory"

_PHASES: Final = ("start", "import", "build", "compile", "forward", "end")


def count_variants(
    variants: Sequence[Variant],
    rules: Rules,
    counter: ProgressCounter,
    at_once: int,
    keep: Callable[[Record], object] = lambda record: None,  # noqa: ARG005
) -> list[Record]:
    """Count the bytes of each variant's tensors and return one record each.

    The figures are those of `tensor_bytes`. The outputs of the network before and after its few training steps are
    written into the variant's folder.

    A variant that fails gives a record that says so; the others go on. One for which the time of `rules` does not
    suffice gives the outcome `interrupted`.

    Args:
        variants: The variants.
        rules: What each worker may use, and until when there is time.
        counter: Is told about the work done: one piece per variant.
        at_once: Integer. How many variants are measured at once.
        keep: Called with each record as soon as there is one, in any thread.
    """
    workers = Workers(rules)

    def count(variant: Variant) -> Record:
        record = _count(variant, counter, workers)
        keep(record)
        return record

    return side_by_side(variants, count, workers, at_once)


def _count(variant: Variant, counter: ProgressCounter, workers: Workers) -> Record:
    def on_progress(phase: str) -> None:
        done = _PHASES.index(phase) / (len(_PHASES) - 1)
        counter.report(f"{variant.group} {variant} memory", f"{variant}: memory, {phase}", done)

    started = datetime.now(UTC)
    ending = workers.run(
        {"config": variant.job, "folder": str(variant.folder)},
        module="kerasunroll.measurement.stages.memory_worker",
        log_path=variant.folder / "memory.log",
        on_phase=on_progress,
    )
    on_progress("end")
    return Record(
        configuration=variant.question(MEASUREMENT),
        variant=variant.setting,
        outcome=ending.error.outcome if ending.error else Outcome.DONE,
        cause=ending.error.cause if ending.error else None,
        phase=ending.error.phase if ending.error else None,
        figures=ending.result,
        environment=environment(),
        node=variant.node,
        started=started,
    )


def peak_figures(peaks: Mapping[str, int]) -> dict[str, int]:
    """Return the tensor peaks of several devices as figures of a record.

    Example:
    >>> peak_figures({"gpu_0": 2048, "gpu_1": 1024})
    {'tensor_peak_gpu_0_bytes': 2048, 'tensor_peak_gpu_1_bytes': 1024}
    """
    return {f"tensor_peak_{device}_bytes": peak for device, peak in peaks.items()}
