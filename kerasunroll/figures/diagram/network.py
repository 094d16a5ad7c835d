"""What is drawn: a stack of recurrent layers, and how each runs through time. Loads without TensorFlow."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kerasunroll.errors import InputError, SettingError
from kerasunroll.models import StackConfig
from kerasunroll.models.factories.fields import CELL_NAMES
from kerasunroll.settings import AUTO, LayerUnroll, layer_arguments

STATES: Final[Mapping[str, tuple[str, ...]]] = {"simple_rnn": ("h",), "lstm": ("h", "c"), "gru": ("h",)}


@dataclass(frozen=True, kw_only=True)
class Way:
    """One direction of a layer through time.

    Args:
        backwards: Boolean. Whether the last time step is processed first.
        unroll: `False` (loop), `True` (full) or an integer `k >= 2` (k time steps per loop iteration).
        truncate: Integer or `None`. The gradient is cut every so many time steps.
        segment: Integer or `None`. The time steps of a segment that is recomputed on the way back.
    """

    backwards: bool = False
    unroll: bool | int = False
    truncate: int | None = None
    segment: int | None = None

    @property
    def setting(self) -> str:
        """The short name of the setting."""
        return {False: "loop", True: "full"}[self.unroll] if isinstance(self.unroll, bool) else f"k{self.unroll}"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A recurrent layer, as it is drawn.

    Args:
        cell: String. What is written on its cells, such as `"LSTM"`.
        states: Tuple of the names of its states: `("h",)`, or `("h", "c")` of an LSTM.
        units: Integer.
        ways: Tuple of one `Way`, or of two in a bidirectional layer: forwards, then backwards.
    """

    cell: str
    states: tuple[str, ...]
    units: int
    ways: tuple[Way, ...]

    @property
    def short(self) -> str:
        """What fits into a small box."""
        return "RNN" if self.cell == "SimpleRNN" else self.cell

    @property
    def kind(self) -> str:
        """The cell, and whether it reads in both directions."""
        return f"{'bidirectional ' if len(self.ways) == 2 else ''}{self.cell}"


@dataclass(frozen=True, kw_only=True)
class Network:
    """A stack of recurrent layers.

    Args:
        layers: Tuple of `Layer`, the first one first.
        timesteps: Integer. T, at least 1.
        sequences: Boolean. Whether there is an output at every time step, or at the last only.

    Raises:
        InputError: If it cannot be drawn.
    """

    layers: tuple[Layer, ...]
    timesteps: int
    sequences: bool = False

    def __post_init__(self) -> None:
        if self.timesteps < 1:
            raise InputError(f"Expected at least 1 time step to draw, got {self.timesteps}.")
        if any(layer.ways[0].backwards for layer in self.layers[1:]):
            raise InputError("Only the first layer of a stack is drawn with go_backwards=True, got a later one.")

    @property
    def reversed(self) -> bool:
        """Whether the network reads the sequence from its end: `go_backwards=True` without a layer that goes on."""
        return self.layers[0].ways[0].backwards

    @property
    def name(self) -> str:
        """The network in words, such as `2 × LSTM(64), T = 6`."""
        groups: list[list[str]] = []
        for layer in self.layers:
            words = f"{layer.kind}({layer.units})"
            if groups and groups[-1][0] == words:
                groups[-1].append(words)
            else:
                groups.append([words])
        stack = ", ".join((f"{len(same)} × " if len(same) > 1 else "") + same[0] for same in groups)
        return f"{stack}, T = {self.timesteps}"

    @classmethod
    def from_config(
        cls, config: StackConfig, *, truncate: int | None = None, recompute: bool | int = False
    ) -> "Network":
        """Return what a stack's configuration describes.

        Args:
            config: `StackConfig`, with its number of time steps.
            truncate: Integer or `None`. As the argument of kerasunroll's layers, for all layers.
            recompute: Boolean or integer. As the argument of kerasunroll's layers, for all layers.

        Raises:
            InputError: If T is not known, a setting is `"auto"`, or `truncate` or `recompute` is invalid.
        """
        if config.timesteps is None:
            raise InputError("The number of time steps is not known: give one to draw, such as input_shape=(6, 1).")
        directions = [False, True] if config.bidirectional else [config.go_backwards]
        layers = []
        for number, (units, setting) in enumerate(zip(config.units, config.settings, strict=True)):
            unroll = layer_arguments(setting)[1]
            ways = tuple(
                make_way(
                    unroll,
                    truncate,
                    recompute,
                    config.timesteps,
                    backwards=backwards and (config.bidirectional or number == 0),
                )
                for backwards in directions
            )
            layers.append(Layer(cell=CELL_NAMES[config.cell], states=STATES[config.cell], units=units, ways=ways))
        return cls(layers=tuple(layers), timesteps=config.timesteps, sequences=config.return_sequences)


def make_way(
    unroll: LayerUnroll, truncate: int | None, recompute: bool | int, timesteps: int, *, backwards: bool
) -> Way:
    """Return how a layer with these arguments runs through time.

    Raises:
        InputError: If `unroll` is `"auto"` still, or another is out of its range.
        SettingError: If `unroll` and `recompute` contradict each other.
    """
    if unroll == AUTO:
        raise InputError("A layer with unroll='auto' takes its setting when it is built. Give the setting to draw.")
    for name, value in (("truncate", truncate), ("recompute", recompute)):
        if value is not None and not isinstance(value, bool) and value < 1:
            raise InputError(f"Invalid {name}: expected an integer of at least 1, got {value}.")
    if not isinstance(unroll, bool | str) and not isinstance(recompute, bool) and unroll > recompute:
        raise SettingError(
            f"unroll={int(unroll)} and recompute={recompute} contradict each other: one iteration of the loop would be "
            f"longer than the segment it is a part of. Use recompute={int(unroll)} or more."
        )
    # As kerasunroll's layers do it: by default, a segment is the square root of T long, rounded up; what is shorter
    # than a segment is kept.
    segment = math.isqrt(timesteps - 1) + 1 if recompute is True else int(recompute) or None
    return Way(
        backwards=backwards,
        unroll=unroll if isinstance(unroll, bool) else int(unroll),
        truncate=truncate,
        segment=segment if segment is not None and segment <= timesteps else None,
    )
