"""What the callbacks cost: the time of a training step with each, over that of a bare one.

    python benchmarks/callback_overhead.py [--timesteps 64] [--unroll loop] [--rounds 12] [--training-steps 100]

All variants are alive in one process and take turns in random order, a block of training steps each; what is compared
is the ratio within a round. A block is what `fit` does: the callbacks before and after each training step, and at the
ends of epochs. What a callback does once (compiling, the last picture) is not in it.
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_CPU_ALLOCATOR_USE_BFC"] = "true"

import keras
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from kerasunroll.callbacks import (
    GradientFlowLogger,
    GradientNormLogger,
    GraphLogger,
    MemoryLogger,
    MetricsLogger,
    StateLogger,
    TimeLogger,
    comparison_callbacks,
)
from kerasunroll.callbacks.pace import Pace
from kerasunroll.data import open_source
from kerasunroll.settings import parse_settings
from kerasunroll.training.config import TrainingConfig
from kerasunroll.training.session import prepare
from kerasunroll.units import format_seconds

EPOCH = 44
"""Training steps in an epoch of digits."""

BARE = "bare"
AGAIN = "bare, once more"
"""Whoever is made first is a little slower: what the two bare ones differ by is what the machine alone does."""


def callback_sets(x: Any, quick: bool) -> dict[str, Callable[[Path], list[keras.callbacks.Callback]]]:
    """Return what is compared: a name, and a function from a log folder to callbacks."""
    sets: dict[str, Callable[[Path], list[keras.callbacks.Callback]]] = {
        BARE: lambda _: [],
        "all of comparison_callbacks, default": lambda d: comparison_callbacks(d, states_of=x),
        "gradient norms, every training step": lambda d: [GradientNormLogger(d, 1)],
        "gradients through time, default (50)": lambda d: [GradientFlowLogger(d)],
        "gradients through time, every training step": lambda d: [GradientFlowLogger(d, 1)],
    }
    if not quick:
        sets |= {
            "losses and metrics, every 10": lambda d: [MetricsLogger(d, update_freq=10)],
            "losses and metrics, every training step": lambda d: [MetricsLogger(d, update_freq=1)],
            "gradient norms, every 10": lambda d: [GradientNormLogger(d, 10)],
            "memory, every training step": lambda d: [MemoryLogger(d, 1)],
            "time, every training step": lambda d: [TimeLogger(d, 1)],
            "graph": lambda d: [GraphLogger(d)],
            "states, every epoch": lambda d: [StateLogger(d, x)],
        }
    return sets | {AGAIN: lambda _: []}


class Contestant:
    """A model in training, which does so many training steps when told to."""

    def __init__(self, config: TrainingConfig, callbacks: list[keras.callbacks.Callback]) -> None:
        session = prepare(config)
        self.model = session.model
        batches = session.source.train(config.batch_size)
        self.model.fit(batches.take(1), verbose=0, shuffle=False)
        self.iterator = iter(batches.take(EPOCH).cache().repeat())
        self.callbacks = keras.callbacks.CallbackList(callbacks, model=self.model)
        self.callbacks.on_train_begin()
        self.done = self.epoch = 0
        self.seconds = 0.0
        self.began: float | None = None
        for callback in callbacks:
            if hasattr(callback, "pace"):
                # Pictures take a share of the training time, which here passes in this contestant's turns only.
                callback.pace = Pace(clock=self.clock)

    def clock(self) -> float:
        """Return the seconds of this contestant's turns so far."""
        return self.seconds + (0.0 if self.began is None else time.perf_counter() - self.began)

    def block(self, training_steps: int) -> float:
        """Do training steps as `fit` does, and return the seconds of one on average."""
        before = self.seconds
        self.began = time.perf_counter()
        for _ in range(training_steps):
            batch = self.done % EPOCH
            if batch == 0:
                self.callbacks.on_epoch_begin(self.epoch)
            self.callbacks.on_train_batch_begin(batch)
            logs = self.model.train_function(self.iterator)
            self.callbacks.on_train_batch_end(batch, logs)
            if batch == EPOCH - 1:
                self.callbacks.on_epoch_end(self.epoch, {})
                self.epoch += 1
            self.done += 1
        self.seconds, self.began = self.clock(), None
        return (self.seconds - before) / training_steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timesteps", type=int, default=64, help="64: digits; another length: the adding problem")
    parser.add_argument("--unroll", default="loop")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--training-steps", type=int, default=100, help="in a block; a multiple of 50")
    parser.add_argument("--quick", action="store_true", help="only the callbacks with a target")
    arguments = parser.parse_args()
    name = "digits" if arguments.timesteps == 64 else "adding"
    source = open_source(name, timesteps=arguments.timesteps)
    config = TrainingConfig.for_source(
        source,
        cell="lstm",
        units=(64, 64),
        unroll=parse_settings(arguments.unroll),
        source=name,
        timesteps=arguments.timesteps,
    )
    with tempfile.TemporaryDirectory() as folder:
        sets = callback_sets(source.x_validation[:1], arguments.quick)
        contestants = {}
        for number, (label, make) in enumerate(track(sets.items(), "compiling", total=len(sets))):
            contestants[label] = Contestant(config, make(Path(folder) / str(number)))
            contestants[label].block(EPOCH + 51)  # every callback has done everything once
        seconds: dict[str, list[list[float]]] = {label: [] for label in sets}
        rng = random.Random(0)
        for _ in track(range(arguments.rounds), "rounds"):
            for label in rng.sample(list(sets), len(sets)):
                seconds[label].append([contestants[label].block(arguments.training_steps)])
    report(config, seconds)


def ratio_of_totals(ours: np.ndarray, bare: np.ndarray) -> tuple[float, float, float]:
    """Return the ratio of the total times, with its 95 % percentile bootstrap interval over rounds.

    Not a robust one: what a callback does now and then, such as a picture, must count in full.
    """
    rounds = np.random.default_rng(0).integers(len(bare), size=(2000, len(bare)))
    low, high = np.quantile(ours[rounds].sum(axis=1) / bare[rounds].sum(axis=1), [0.025, 0.975])
    return float(ours.sum() / bare.sum()), float(low), float(high)


def report(config: TrainingConfig, seconds: dict[str, list[list[float]]]) -> None:
    both = np.mean([np.ravel(seconds[name]) for name in (BARE, AGAIN)], axis=0)
    bare = np.median(both)
    table = Table(
        title=f"{config.stack.name}, {config.setting}, batch {config.batch_size}: bare {format_seconds(bare)}"
    )
    for column in ("callbacks", "cost of a training step", "95 % interval"):
        table.add_column(column)
    for label, rounds in seconds.items():
        if label != BARE:
            ratio, low, high = ratio_of_totals(np.ravel(rounds), both)
            table.add_row(label, f"{ratio - 1:+.1%}", f"{low - 1:+.1%} to {high - 1:+.1%}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
