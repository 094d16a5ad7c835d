"""A model, compiled, with its data: everything that is ready before the first training step."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kerasunroll.data import Source
from kerasunroll.data.given import GivenData
from kerasunroll.errors import InputError
from kerasunroll.models import SavedModel, StackConfig, build_stack, load_model, with_unroll
from kerasunroll.models.shipping.pickles import read_pickled
from kerasunroll.tasks import Classification, Task
from kerasunroll.training.config import TrainingConfig
from kerasunroll.training.devices import strategy_for, use_threads


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
    source: Source | GivenData

    @property
    def batch_size(self) -> int | None:
        """The size of the only batches that the model takes, or `None`: any."""
        stack = self.config.stack
        return stack.batch_size if isinstance(stack, SavedModel) else None


def prepare(config: TrainingConfig) -> Session:
    """Open the data, build the model or load it, and compile it. Sets Keras's global seed.

    A saved model that was compiled keeps its own optimiser, with all its state, its loss and its metrics. With
    `distribute`, all is made under a strategy, and `fit` divides each batch among the devices.

    Raises:
        DataError: If the data source cannot be used.
        InputError: If the stack cannot be built, the model cannot be loaded, has changed or cannot be converted, or if
            there are fewer devices than the run is to be spread over.
        RunError: If TensorFlow has been used already, with other threads or devices than these.
    """
    use_threads(config.threads)
    strategy = strategy_for(config.distribute)  # first: it may have to divide the CPU
    keras.utils.set_random_seed(config.seed)
    source = config.open_source()
    config.check(source)
    with strategy.scope():
        return Session(config, _compiled_model(config, source), source)


def shown_loss(logs: Mapping[str, Any]) -> float:
    """Return the loss among what Keras shows after a training step; of a `train_step` without one, the first number."""
    values = tf.nest.flatten(logs.get("loss", logs))
    return float(values[0]) if values else math.nan


def _compiled_model(config: TrainingConfig, source: Source | GivenData) -> keras.Model:
    model = network_of(config.stack)
    if isinstance(config.stack, SavedModel) and model.compiled:
        if config.distribute:
            _check_distributable(model)
        if config.jit_compile is not None:
            model.jit_compile = config.jit_compile
        return model
    loss, metric = _loss_and_metric(_task(config, source), from_logits=not _gives_probabilities(model))
    model.compile(_optimizer(config), loss, metrics=[metric], jit_compile=config.jit_compile)
    return model


def _task(config: TrainingConfig, source: Source | GivenData) -> Task:
    if isinstance(source, Source):
        return source.task
    head = config.stack.head if isinstance(config.stack, StackConfig) else None
    if head is None:
        raise InputError(
            "Arrays do not say what is to be learned: give the StackConfig a head, such as Classification(10)."
        )
    return head


def _check_distributable(model: keras.Model) -> None:
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    for what, value in (
        ("gradient_accumulation_steps", optimizer.gradient_accumulation_steps),
        ("steps_per_execution", model.steps_per_execution),
    ):
        if (value or 1) > 1:
            raise InputError(
                f"Model '{model.name}' was compiled with {what}={value}, which Keras cannot do on several devices. "
                "Compile and save it without, or leave out --distribute."
            )


def network_of(stack: StackConfig | SavedModel) -> keras.Model:
    """Build a network, or load it, in its setting; compiled where a saved model was.

    Raises:
        InputError: If it cannot be built or loaded, or has changed.
    """
    if isinstance(stack, StackConfig):
        return build_stack(stack)
    stack.check_file()
    if stack.is_given:
        model: keras.Model = read_pickled(Path(stack.path)).build(stack.unroll)
        return model
    with warnings.catch_warnings():
        # Of a model that was saved before it was trained: there is no state of the optimizer to be loaded.
        warnings.filterwarnings("ignore", message="Skipping variable loading for optimizer")
        model = load_model(stack.path, custom_objects=stack.custom_objects)
    return with_unroll(model, stack.unroll)


def _gives_probabilities(model: keras.Model) -> bool:
    """Tell whether the model ends in a softmax, as a user's own often does: the factories' stacks give logits."""
    # A functional model may end in keras.ops.softmax, which is an operation but no layer.
    last = (getattr(model, "operations", None) or model.layers or [None])[-1]
    if isinstance(last, keras.layers.TimeDistributed):
        last = last.layer
    return type(last).__name__ == "Softmax" or getattr(last, "activation", None) is keras.activations.softmax


def _optimizer(config: TrainingConfig) -> Any:
    options = {"learning_rate": config.learning_rate, "clipnorm": config.clipnorm}
    return keras.optimizers.get({"class_name": config.optimizer, "config": options})


def _loss_and_metric(task: Task, *, from_logits: bool) -> tuple[Any, Any]:
    if isinstance(task, Classification):
        return (
            keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits),
            keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
        )
    return keras.losses.MeanSquaredError(), keras.metrics.MeanAbsoluteError(name="mae")
