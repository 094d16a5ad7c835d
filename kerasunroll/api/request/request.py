"""A comparison as it was asked for, and its plan."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kerasunroll.api.request.data import Data
from kerasunroll.api.request.network import Network
from kerasunroll.data import Source
from kerasunroll.data.given import GivenData
from kerasunroll.measurement.planning.jobs import FollowUp
from kerasunroll.measurement.planning.plan import Plan, source_facts
from kerasunroll.models import SavedModel
from kerasunroll.models.shipping.pickles import write_pickled
from kerasunroll.settings import Settings
from kerasunroll.training.config import TrainingConfig
from kerasunroll.training.threads import Threads

CALLBACKS: Final = "given/callbacks.pkl"


@dataclass(frozen=True)
class Request:
    """What is to be compared, checked, and nothing of it written yet.

    Args:
        network: `Network`.
        data: `Data`.
        settings: List of settings.
        callbacks: Bytes. The pickled callbacks, or `None`.
        epochs: Integer.
        seed: Integer.
        jit_compile: Boolean, or `None`: as the model was compiled.
        threads: List of `Threads`, or `None`: as TensorFlow chooses.
        follow_up: `"training"` or `"memory"`.
        inference: Boolean. Whether the forward pass and `predict` are timed too.
    """

    network: Network
    data: Data
    settings: list[Settings]
    callbacks: bytes | None
    epochs: int
    seed: int
    jit_compile: bool | None
    threads: list[Threads | None]
    follow_up: FollowUp
    inference: bool

    def write(self, folder: Path) -> Plan:
        """Write what came from Python into the folder of the comparison, and return the plan.

        Raises:
            InputError: If the data do not fit the model, or the folder cannot be written to.
            RunError: If writing failed, such as on a full disk.
        """
        source = self.data.write(folder)
        self.network.write(folder)
        if self.callbacks is not None:
            write_pickled(folder / CALLBACKS, self.callbacks)
        configs = [self._config(source, setting, threads) for threads in self.threads for setting in self.settings]
        for config in configs:
            config.check(source)
        return Plan(
            configs=tuple(configs),
            follow_up=self.follow_up,
            sources={str(None): source_facts(source)},
            inference=self.inference,
        )

    def _config(self, source: Source | GivenData, setting: Settings, threads: Threads | None) -> TrainingConfig:
        options: dict[str, Any] = {
            "source": self.data.name,
            "batch_size": self.data.batch_size,
            "epochs": self.epochs,
            "seed": self.seed,
            "threads": threads,
            "callbacks": None if self.callbacks is None else CALLBACKS,
        }
        stack = self.network.stack
        if not isinstance(stack, SavedModel):
            jit = bool(self.jit_compile)
            return TrainingConfig(stack=stack.replace(unroll=setting), jit_compile=jit, **options)
        if not stack.is_given:
            return TrainingConfig.for_model(
                source, model=stack, unroll=setting, jit_compile=self.jit_compile, **options
            )
        jit_compile = stack.jit_compile if self.jit_compile is None else self.jit_compile
        own: dict[str, Any] = dict.fromkeys(("optimizer", "learning_rate", "clipnorm"))
        return TrainingConfig(stack=stack.replace(unroll=setting), jit_compile=jit_compile, **own, **options)
