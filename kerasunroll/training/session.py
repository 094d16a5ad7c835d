"""A model, compiled, with its data: everything that is ready before the first training step."""

from dataclasses import dataclass
from typing import Any

import keras

from kerasunroll.data import Source
from kerasunroll.models import build_stack
from kerasunroll.tasks import Classification, Task
from kerasunroll.training.config import TrainingConfig


@dataclass(frozen=True)
class Session:
    """What `prepare` returns.

    Args:
        config: The `TrainingConfig`.
        model: The compiled Keras model.
        source: The data.
    """

    config: TrainingConfig
    model: keras.Model
    source: Source

    @property
    def metric(self) -> str:
        """The name of the metric beside the loss."""
        return metric_name(self.source.task)


def prepare(config: TrainingConfig) -> Session:
    """Open the data, build and compile the model. Sets Keras's global seed.

    Raises:
        DataError: If the data source cannot be used.
        InputError: If the stack cannot be built.
    """
    keras.utils.set_random_seed(config.seed)
    source = config.open_source()
    model = build_stack(config.stack)
    loss, metric = _loss_and_metric(source.task)
    model.compile(_optimizer(config), loss, metrics=[metric], jit_compile=config.jit_compile)
    return Session(config, model, source)


def metric_name(task: Task) -> str:
    """Return the name of the metric that goes with a task: `accuracy` or `mae`."""
    return "accuracy" if isinstance(task, Classification) else "mae"


def _optimizer(config: TrainingConfig) -> Any:
    options = {"learning_rate": config.learning_rate, "clipnorm": config.clipnorm}
    return keras.optimizers.get({"class_name": config.optimizer, "config": options})


def _loss_and_metric(task: Task) -> tuple[Any, Any]:
    if isinstance(task, Classification):
        return (
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
        )
    return keras.losses.MeanSquaredError(), keras.metrics.MeanAbsoluteError(name="mae")
