"""The process that counts the memory of one variant's tensors.

The job holds the `TrainingConfig` (`config`) and the folder that the network's outputs are written to (`folder`). It
announces the phases `import`, `build`, `training` and `forward`, and at last sends the figures.
"""

from kerasunroll.backend import require_backend
from kerasunroll.measurement.workers.channel import open_channel


def main() -> None:
    """Count what the job describes."""
    with open_channel() as channel:
        channel.phase("import")
        require_backend("A worker")
        from kerasunroll.measurement.stages.counted_model import tensor_bytes
        from kerasunroll.training.config import TrainingConfig

        job = channel.job
        channel.phase("build")
        channel.report(result=tensor_bytes(TrainingConfig(**job["config"]), job["folder"], on_phase=channel.phase))


if __name__ == "__main__":
    main()
