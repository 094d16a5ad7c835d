"""The process that times one variant, from import to steady training steps and inferences.

It announces the phases `import`, `build`, `compile` and `steady`, and sends its figures. From then on it answers:

| command | answer |
|---|---|
| `{"what": "training_step", "count": n}` | `seconds` of n training steps, and the `loss` after them |
| `{"what": "compile_forward"}` | the `figures` of the forward pass, in the phase `forward` |
| `{"what": "forward", "count": n}` | `seconds` of n forward passes on a batch that lies ready |
| `{"what": "predict", "count": n}` | `seconds` of n batches as `predict` does them |
"""

import time
from typing import TYPE_CHECKING, Any

from kerasunroll.backend import require_backend
from kerasunroll.measurement.workers.channel import Channel, open_channel

if TYPE_CHECKING:
    from kerasunroll.measurement.stages.timed_model import Timing


def main() -> None:
    """Time the `TrainingConfig` that is the job."""
    with open_channel() as channel:
        channel.phase("import")
        require_backend("A worker")
        start = time.perf_counter()
        from kerasunroll.measurement.stages.timed_model import Timing
        from kerasunroll.training.config import TrainingConfig

        import_seconds = time.perf_counter() - start
        channel.phase("build")
        timing = Timing(TrainingConfig(**channel.job))
        channel.phase("compile")
        figures = timing.first_training_step()
        channel.phase("steady")
        channel.report(
            figures={"import_seconds": import_seconds, **figures}, operations=timing.operations, path=timing.path
        )
        for command in channel.commands():
            _answer(command, timing, channel)


def _answer(command: dict[str, Any], timing: "Timing", channel: Channel) -> None:
    match command["what"]:
        case "training_step":
            seconds, loss = timing.training_steps(command["count"])
            channel.report(seconds=seconds, loss=loss)
        case "compile_forward":
            channel.phase("forward")
            channel.report(figures=timing.compile_forward())
        case what:
            channel.report(seconds=timing.inferences(what, command["count"]))


if __name__ == "__main__":
    main()
