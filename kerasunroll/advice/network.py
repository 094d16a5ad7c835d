"""The network as far as its cost depends on it: the shapes of its recurrent layers, and of the batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kerasunroll.errors import InputError
from kerasunroll.models import SavedModel, StackConfig

GATES: Final = {"simple_rnn": 1, "lstm": 4, "gru": 3}
"""The cells that are known, and how many products each has with its input, and with its state."""


@dataclass(frozen=True)
class Layer:
    """A recurrent layer.

    Args:
        cell: String. `"simple_rnn"`, `"lstm"` or `"gru"`.
        units: Integer, U.
        features: Integer, F: the numbers in a time step of its input.
        timesteps: Integer, T.
        directions: Integer. 2 for a `Bidirectional`, else 1.
    """

    cell: str
    units: int
    features: int
    timesteps: int
    directions: int = 1


@dataclass(frozen=True)
class Network:
    """The recurrent layers of a network, and the size of a batch.

    Args:
        layers: Tuple of `Layer`, in order.
        batch_size: Integer, B.
        others: Boolean. Whether there may be other layers that cost something. Defaults to `False`.
    """

    layers: tuple[Layer, ...]
    batch_size: int
    others: bool = False

    @classmethod
    def of(cls, stack: StackConfig | SavedModel, batch_size: int) -> "Network":
        """Return the network of a stack, or of a saved model.

        Args:
            stack: `StackConfig` or `SavedModel`.
            batch_size: Integer, at least 1.

        Raises:
            InputError: If nothing can be predicted: an unknown number of time steps, or another cell.
        """
        if batch_size < 1:
            raise InputError(f"Invalid batch_size: expected an integer of at least 1, got {batch_size}.")
        if isinstance(stack, SavedModel):
            return cls(_saved_layers(stack), batch_size, others=True)
        if stack.timesteps is None:
            raise InputError("The number of time steps is unknown. Give timesteps as a positive integer.")
        directions = 1 + stack.bidirectional
        # Of a token the first layer sees its embedding.
        first = stack.input_shape[1] if stack.embedding is None else stack.units[0]
        features: Sequence[int] = [first or 1, *(directions * units for units in stack.units[:-1])]
        layers = (
            Layer(stack.cell, units, received, stack.timesteps, directions)
            for units, received in zip(stack.units, features, strict=True)
        )
        return cls(tuple(layers), batch_size)

    def describe(self) -> str:
        """Return the shapes in one line.

        Example:
        >>> Network((Layer("lstm", 64, 2, 100),), 32).describe()
        'lstm of 64 units on 2 features; T=100, batches of 32'
        """
        described = [
            f"{'bidirectional ' if layer.directions == 2 else ''}{layer.cell} of {layer.units} units"
            for layer in self.layers
        ]
        features = self.layers[0].features
        described[0] += f" on {features} feature{'' if features == 1 else 's'}"
        timesteps = ", ".join(dict.fromkeys(str(layer.timesteps) for layer in self.layers))
        return f"{', '.join(described)}; T={timesteps}, batches of {self.batch_size}"


def _saved_layers(saved: SavedModel) -> tuple[Layer, ...]:
    if not saved.recurrent:
        raise InputError(f"'{saved.path}' has its recurrent layers inside custom objects. {_measure(saved)}")
    layers = []
    for each in saved.recurrent:
        timesteps = each.timesteps or saved.timesteps
        if each.cell not in GATES:
            raise InputError(
                f"Predictions are for {', '.join(GATES)}; layer '{each.name}' of '{saved.path}' is {each.cell}. "
                f"{_measure(saved)}"
            )
        if each.units is None or each.features is None or timesteps is None:
            raise InputError(f"'{saved.path}' does not say the shapes of layer '{each.name}'. {_measure(saved)}")
        layers.append(Layer(each.cell, each.units, each.features, timesteps, 1 + each.bidirectional))
    return tuple(layers)


def _measure(saved: SavedModel) -> str:
    return f"Measure it instead: kerasunroll compare --no-train --model {Path(saved.path).name}"
