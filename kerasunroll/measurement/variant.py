"""A variant to be measured: a training run in one setting, and where its results go."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasunroll.training.config import TrainingConfig


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
        """What is compared with each other has the same group: the stack's name."""
        return self.config.stack.name

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
