"""The process that times one variant, from import to steady training steps.

It announces the phases `import`, `build`, `compile` and `steady`, sends its figures, and from then on answers the
command `{"count": n}` with the seconds of n training steps.
"""

import time

from kerasunroll.measurement.channel import open_channel


def main() -> None:
    """Time the `TrainingConfig` that is the job."""
    with open_channel() as channel:
        channel.phase("import")
        start = time.perf_counter()
        from kerasunroll.measurement.timing import Timing
        from kerasunroll.training.config import TrainingConfig

        import_seconds = time.perf_counter() - start
        channel.phase("build")
        timing = Timing(TrainingConfig(**channel.job))
        channel.phase("compile")
        figures = timing.first_training_step()
        channel.phase("steady")
        channel.report(figures={"import_seconds": import_seconds, **figures}, path=timing.path())
        for command in channel.commands():
            channel.report(seconds=timing.block(command["count"]))


if __name__ == "__main__":
    main()
