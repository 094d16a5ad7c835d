"""Grids: every combination of the values that were listed, as training runs that fit their data."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from kerasunroll.data import Source
from kerasunroll.errors import InputError
from kerasunroll.models import SavedModel
from kerasunroll.settings import parse_settings
from kerasunroll.training.config import TrainingConfig
from kerasunroll.training.threads import Threads


@dataclass(frozen=True)
class Grid:
    """The values that are listed. Lengths vary slowest; threads and settings, which are compared, fastest.

    Args:
        cells: Strings: `"simple_rnn"`, `"lstm"`, `"gru"`.
        units: Tuples of integers, the units of each layer.
        layers: Integers, or empty. Where given, each of the `units` is for one layer, and is stacked so often.
        timesteps: Integers; `None` is the source's own length.
        batch_sizes: Integers.
        jit: Booleans: whether XLA compiles the training step.
        dtypes: Names of dtype policies; `None` is Keras's global policy.
        settings: Unroll settings as they are written on the command line.
        threads: `Threads`; `None` is TensorFlow's own choice. Defaults to that.
    """

    cells: Sequence[str]
    units: Sequence[tuple[int, ...]]
    layers: Sequence[int]
    timesteps: Sequence[int | None]
    batch_sizes: Sequence[int]
    jit: Sequence[bool]
    dtypes: Sequence[str | None]
    settings: Sequence[str]
    threads: Sequence[Threads | None] = (None,)

    def configs(self, open_source: Callable[[int | None], Source], options: Mapping[str, Any]) -> list[TrainingConfig]:
        """Return every combination once, those of one group in a row.

        Args:
            open_source: Called with each of the `timesteps`; returns the source with sequences of that length.
            options: The other arguments of `TrainingConfig.for_source`, the same for all.

        Raises:
            InputError: If a value, or a combination, cannot be used.
        """
        axes = [self.cells, self.dtypes, self.jit, self._stacks(), self.batch_sizes, self.threads, self.settings]
        configs = []
        for timesteps in unique(self.timesteps):
            source = open_source(timesteps)  # one at a time: long sequences are large
            for cell, dtype, jit, units, batch_size, threads, setting in product(*map(unique, axes)):
                config = TrainingConfig.for_source(
                    source,
                    cell=cell,
                    units=units,
                    unroll=parse_settings(setting),
                    dtype=dtype,
                    jit_compile=jit,
                    batch_size=batch_size,
                    threads=threads,
                    timesteps=timesteps,
                    **options,
                )
                config.check(source)
                configs.append(config)
        return unique(configs)

    def _stacks(self) -> list[tuple[int, ...]]:
        if not self.layers:
            return list(self.units)
        for units in self.units:
            if len(units) != 1:
                raise InputError(
                    f"With --layers, units are for one layer, such as --units 64, got {','.join(map(str, units))}."
                )
        return [units * layers for layers, units in product(self.layers, self.units)]


@dataclass(frozen=True)
class ModelGrid:
    """The values that are listed for a saved model, whose network is given.

    Lengths vary slowest, threads and settings fastest.

    Args:
        model: `SavedModel`.
        timesteps: Integers; `None` is the source's own length.
        batch_sizes: Integers.
        jit: Booleans: whether XLA compiles the training step; `None` is as the model was compiled.
        settings: Unroll settings as they are written on the command line.
        threads: `Threads`; `None` is TensorFlow's own choice. Defaults to that.
    """

    model: SavedModel
    timesteps: Sequence[int | None]
    batch_sizes: Sequence[int]
    jit: Sequence[bool | None]
    settings: Sequence[str]
    threads: Sequence[Threads | None] = (None,)

    def configs(self, open_source: Callable[[int | None], Source], options: Mapping[str, Any]) -> list[TrainingConfig]:
        """Return every combination once, those of one group in a row.

        Args:
            open_source: Called with each of the `timesteps`; returns the source with sequences of that length.
            options: The other arguments of `TrainingConfig.for_model`, the same for all.

        Raises:
            InputError: If a value, or a combination, cannot be used.
        """
        axes = [self.jit, self.batch_sizes, self.threads, self.settings]
        configs = []
        for timesteps in unique(self.timesteps):
            source = open_source(timesteps)
            for jit, batch_size, threads, setting in product(*map(unique, axes)):
                config = TrainingConfig.for_model(
                    source,
                    model=self.model,
                    unroll=parse_settings(setting),
                    jit_compile=jit,
                    batch_size=batch_size,
                    threads=threads,
                    timesteps=timesteps,
                    **options,
                )
                config.check(source)
                configs.append(config)
        return unique(configs)


def unique(values: Iterable[Any]) -> list[Any]:
    """Return values without repetition, in the order in which they first came."""
    found: list[Any] = []
    for value in values:
        if not any(type(value) is type(other) and value == other for other in found):
            found.append(value)
    return found
