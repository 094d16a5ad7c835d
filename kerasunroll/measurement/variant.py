"""A variant to be measured: a training run in one setting, and where its results go."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kerasunroll.training.config import TrainingConfig

LOOP: Final = "loop"
"""The setting that the others of a group are compared with; where it is missing, the first one."""


@dataclass(frozen=True)
class Variant:
    """One training run in one setting.

    Args:
        config: `TrainingConfig`.
        folder: Path. The folder of TensorBoard's runs, the model and the logs of this variant.
    """

    config: TrainingConfig
    folder: Path

    @property
    def group(self) -> str:
        """What is compared with each other has the same group: `group_name`."""
        return group_name(self.config)

    @property
    def setting(self) -> str:
        """The short name of the setting."""
        return self.config.setting

    def __str__(self) -> str:
        return f"{self.config.stack.cell} {self.setting}"

    def question(self, measurement: str) -> dict[str, Any]:
        """Return a record's configuration: everything but the setting, which is the record's variant."""
        configuration = self.config.model_dump(mode="json")
        del configuration["stack"]["unroll"]
        return {"measurement": measurement, **configuration}


def group_name(config: TrainingConfig) -> str:
    """Return the name of everything about a training run that a grid can vary but the setting.

    It is the stack's name, then the batch size and XLA where they are not the usual ones.

    Args:
        config: `TrainingConfig`.

    Returns:
        A string such as `"lstm-L2-U64-T100"` or `"gru-L1-U128-T400-mixed_bfloat16-B64-xla"`.
    """
    usual_batch_size = TrainingConfig.model_fields["batch_size"].default
    words = [config.stack.name]
    words += [f"B{config.batch_size}"] if config.batch_size != usual_batch_size else []
    words += ["xla"] if config.jit_compile else []
    return "-".join(words)
