"""The process that times many small variants, one group after the other.

A process each, as `kerasunroll measure` has it, would take ten times as long. What that costs: of all variants only the
first one is compiled by a TensorFlow that has compiled nothing before (its figure `cold` is 1), and what the process
grows by is not told.

The job holds the `groups`, lists of `TrainingConfig`, and the number of `rounds`. For each group it sends
`start_bytes`, what the process took when it had imported TensorFlow, and the `figures`, a dict per variant:

| figure | |
|---|---|
| `ready_seconds` | build, trace and compile: the time until the first training step |
| `step_seconds` | a training step |
| `forward_ready_seconds` | trace and compile of the forward pass |
| `forward_seconds` | a forward pass |
| `cold` | 1 for the first variant of the process, else 0 |
"""

import gc
import random
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, Final

from kerasunroll.backend import require_backend
from kerasunroll.measurement.workers.channel import open_channel

BLOCK_SECONDS: Final = 0.03
TRIAL_CALLS: Final = 3


def main() -> None:
    """Time the groups of the job."""
    with open_channel() as channel:
        channel.phase("import")
        require_backend("A worker")
        import keras
        import psutil

        from kerasunroll.measurement.stages.timed_model import Timing
        from kerasunroll.training.config import TrainingConfig

        start_bytes = psutil.Process().memory_info().rss
        channel.phase("compile")
        cold = 1
        for group in channel.job["groups"]:
            timings, figures = [], []
            for config in group:
                timing = Timing(TrainingConfig(**config))
                timings.append(timing)
                figures.append({**_compile(timing), "cold": cold})
                cold = 0
            for figure, call in (("step_seconds", _training_steps), ("forward_seconds", _forward_passes)):
                for each, seconds in zip(figures, _in_turns(timings, call, channel.job["rounds"]), strict=True):
                    each[figure] = seconds
            for each in figures:  # the first one does a step, too
                each["ready_seconds"] = max(0.0, each["ready_seconds"] - each["step_seconds"])
            channel.report(start_bytes=start_bytes, figures=figures)
            del timings
            keras.backend.clear_session()
            gc.collect()


def _compile(timing: Any) -> dict[str, float]:
    first = timing.first_training_step()
    start = time.perf_counter()
    timing.compile_forward()
    return {
        "ready_seconds": first["build_seconds"] + first["first_step_seconds"],
        "forward_ready_seconds": time.perf_counter() - start,
    }


def _training_steps(timing: Any, count: int) -> list[float]:
    seconds: list[float] = timing.training_steps(count)[0]
    return seconds


def _forward_passes(timing: Any, count: int) -> list[float]:
    seconds: list[float] = timing.inferences("forward", count)
    return seconds


def _in_turns(timings: Sequence[Any], call: Callable[[Any, int], list[float]], rounds: int) -> list[float]:
    """Return the seconds of one call for each variant: they take turns in random order, a short block each."""
    counts = [min(50, max(2, round(BLOCK_SECONDS / median(call(each, TRIAL_CALLS))))) for each in timings]
    blocks: list[list[list[float]]] = [[] for _ in timings]
    rng = random.Random(0)  # noqa: S311
    for _ in range(rounds):
        for index in rng.sample(range(len(timings)), len(timings)):
            blocks[index].append(call(timings[index], counts[index]))
    from kerasunroll.measurement.statistics.rounds import steady_seconds

    return [steady_seconds([each]) for each in blocks]


if __name__ == "__main__":
    main()
