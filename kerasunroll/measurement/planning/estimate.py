"""How long it will take to measure a variant: roughly, and before anything has been measured.

The constants were seen with Keras 3.15 and TensorFlow 2.21 on 2 cores. A plan needs them to about a factor of two:
while it runs, what is left is estimated anew from how long the rest really took.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kerasunroll.measurement.planning.rules import PROCESSES, Rules
from kerasunroll.measurement.statistics.rounds import MIN_ROUNDS
from kerasunroll.models import SavedModel
from kerasunroll.models.files.saved import SavedLayer
from kerasunroll.settings import Setting
from kerasunroll.training.config import TrainingConfig

START_SECONDS: Final = 0.5
"""A process that was forked until the data are read."""

COMPILE_SECONDS: Final = 1.7
"""The first training step of a loop."""

COPY_SECONDS: Final[Mapping[str, float]] = {"simple_rnn": 0.015, "lstm": 0.04, "gru": 0.09}
"""What each copy of a cell in the graph adds to the first training step."""

XLA_FACTOR: Final = 20.0
"""How much longer XLA takes for each copy."""

GATES: Final[Mapping[str, int]] = {"simple_rnn": 1, "lstm": 4, "gru": 3}
FLOPS_PER_CORE: Final = 30e9
TIME_STEP_SECONDS: Final[Mapping[str, float]] = {"simple_rnn": 6e-5, "lstm": 1.2e-4, "gru": 1.3e-4}
"""What a time step of a layer costs beside its matrix products, forward and backward."""

BLOCK_SECONDS: Final = 0.1
FORWARD_SHARE: Final = 0.6
"""Tracing and compiling the forward pass and `predict`, as a share of the training step's."""

LOGGING_SECONDS: Final = 4.0
UNKNOWN_TIMESTEPS: Final = 100
UNKNOWN_UNITS: Final = 64


@dataclass(frozen=True)
class Estimate:
    """Seconds that a variant will take.

    Args:
        timing: Float. To time it, in as few rounds as possible.
        memory: Float. To count its memory.
        training: Float. To train it with everything logged.
        rounds: Float. What each further round of timing takes.
    """

    timing: float
    memory: float
    training: float
    rounds: float


def estimate(
    config: TrainingConfig, training_sequences: int, *, inference: bool = True, processes: int = PROCESSES
) -> Estimate:
    """Estimate how long it will take to measure a variant.

    Args:
        config: `TrainingConfig`.
        training_sequences: Integer. The sequences of an epoch.
        inference: Boolean. Whether the forward pass and `predict` are timed too. Defaults to `True`.
        processes: Integer. In how many processes it is timed. Defaults to 3.
    """
    compiling = compile_seconds(config)
    step = training_step_seconds(config)
    block = processes * max(BLOCK_SECONDS, step)
    training_steps = config.epochs * (training_sequences // config.batch_size)
    return Estimate(
        timing=processes * (START_SECONDS + compiling) / Rules(processes=processes).compiling_at_once([config])
        + inference * FORWARD_SHARE * compiling
        + (1 + inference) * MIN_ROUNDS * block,
        memory=START_SECONDS + (1 + FORWARD_SHARE / 2) * compiling + 5 * step,
        training=START_SECONDS + LOGGING_SECONDS + 2 * compiling + 1.2 * training_steps * step,
        rounds=block,
    )


def compile_seconds(config: TrainingConfig) -> float:
    """Estimate what the first training step takes beyond an ordinary one."""
    settings, layers = config.stack.settings, _layers(config)
    xla = XLA_FACTOR if config.jit_compile else 1.0
    copies = sum(
        COPY_SECONDS[_known(layer.cell)] * (_copies(setting, layer.timesteps) * (1 + layer.bidirectional) - 1)
        for setting, layer in zip(settings, layers, strict=False)
    )
    return COMPILE_SECONDS + xla * copies


def training_step_seconds(config: TrainingConfig) -> float:
    """Estimate an ordinary training step: the matrix products, forward and twice backward, and a cost per time step."""
    seconds = 0.0
    cores = os.cpu_count() or 1
    if config.threads:
        cores = min(cores, config.threads.intra)
    for layer in _layers(config):
        cell, units, time_steps = _known(layer.cell), layer.units or UNKNOWN_UNITS, layer.timesteps or UNKNOWN_TIMESTEPS
        products = GATES[cell] * units * (units + (layer.features or units))
        flops = 3 * 2 * config.batch_size * time_steps * products
        launches = time_steps * TIME_STEP_SECONDS[cell]
        seconds += (flops / (FLOPS_PER_CORE * cores) + launches) * (1 + layer.bidirectional)
    return seconds


def _layers(config: TrainingConfig) -> list[SavedLayer]:
    """Return the recurrent layers of a network, each with its number of time steps if that is known at all."""
    stack = config.stack
    if isinstance(stack, SavedModel):
        return [layer.model_copy(update={"timesteps": layer.timesteps or stack.timesteps}) for layer in stack.recurrent]
    features = [stack.input_shape[-1] or 1, *stack.units[:-1]]
    return [
        SavedLayer(
            name=f"{stack.cell}_{number}",
            cell=stack.cell,
            units=units,
            features=received,
            timesteps=stack.timesteps,
            bidirectional=stack.bidirectional,
        )
        for number, (units, received) in enumerate(zip(stack.units, features, strict=True), start=1)
    ]


def _known(cell: str) -> str:
    """Return the cell itself, or for one that nothing is known about, the most usual one."""
    return cell if cell in GATES else "lstm"


def _copies(setting: Setting, timesteps: int | None) -> int:
    """Return how many copies of the cell are in the graph."""
    if setting in (True, "own-full"):
        return timesteps or UNKNOWN_TIMESTEPS
    return setting if isinstance(setting, int) and setting else 1
