"""The process that trains one variant with everything logged for TensorBoard.

The job holds the `TrainingConfig` (`config`), the run's folder (`folder`), and what was measured before, to be
logged with it (`figures`). It announces the phases `import`, `build` and `train`, reports its progress, and at last
its history, the tensor peak and the network's outputs.
"""

from kerasunroll.backend import require_backend
from kerasunroll.measurement.workers.channel import open_channel


def main() -> None:
    """Train what the job describes."""
    with open_channel() as channel:
        channel.phase("import")
        require_backend("A worker")
        from kerasunroll.training.config import TrainingConfig
        from kerasunroll.training.run import train

        channel.phase("build")
        job = channel.job
        result = train(
            TrainingConfig(**job["config"]),
            folder=job["folder"],
            figures=job["figures"],
            on_training_step=lambda done, of: channel.report(done=done, of=of),
            on_begin=lambda: channel.phase("train"),
        )
        channel.report(result=result)


if __name__ == "__main__":
    main()
