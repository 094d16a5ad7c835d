"""What a layer has to do, in numbers that follow from its shapes alone.

With batch B, time steps T, features F, units U, gates G (1, 4 or 3), and k time steps per iteration of a loop:

| work | amount | what it is |
|---|---|---|
| `start` | 1 | the first compilation of a process |
| `network` | 1 | what does not depend on the shapes |
| `layer` | 1 | what every layer costs |
| `kernels` | 1 for each U and F, and the last layer | kerasunroll's passes are compiled by XLA, once for each shape |
| `copies` | T - 1, k - 1 or 0 | copies of the cell beside the first, in the graph or, of k, inside the kernels |
| `time_steps` | T | launching the operations of a time step |
| `iterations` | T / k | launching an iteration of k time steps, where there are several |
| `elements` | B T U | what is done, or kept, number by number: activations, states |
| `passing` | B T U of the largest layer | what is held only while a layer is at work |
| `inputs` | B T F | the same of the input |
| `recurrence` | B T G U² | multiplications in the products that wait for each other |
| `projection` | B T G U F | multiplications in the products with the input |
| `weights` | G U (U + F) | weights, their gradients, the optimizer's slots |
| `gradients` | T G U (U + F) | the weights' gradient, which Keras's layers add up time step by time step |
| `spilled` | T (G U² - 2¹⁷), if positive | the same of what is too much for a processor's cache |

A direction of a bidirectional layer counts as a layer. `network`, `start` and `kernels` are shared out among the
layers.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from kerasunroll.advice.network import GATES, Layer, Network
from kerasunroll.errors import InputError
from kerasunroll.settings import Setting

Way: TypeAlias = Literal["loop", "full", "own-loop", "own-full", "k"]
"""How a layer runs: a setting, but that all numbers of time steps per iteration are one way."""

WAYS: Final[tuple[Way, ...]] = ("loop", "full", "own-loop", "own-full", "k")

CACHED_WEIGHTS: Final = 2**17
"""What fits into half of a megabyte, as the caches of the cores of most processors hold one or two."""

Part: TypeAlias = tuple[str, Way]
"""A cell, and the way it runs."""

Work: TypeAlias = dict[Part, dict[str, float]]
"""How much there is of each kind of work, by cell and way."""


def way_of(setting: Setting) -> Way:
    """Return how a setting runs.

    Raises:
        InputError: For `"auto"`, which is no setting but a search for one.
    """
    if isinstance(setting, bool):
        return "full" if setting else "loop"
    if isinstance(setting, int):
        return "k"
    if setting == "auto":
        raise InputError("'auto' tries settings by itself when a layer is built. Give the settings to choose from.")
    return setting


def whose(way: Way) -> Literal["keras", "own"]:
    """Return whose layers run so."""
    return "keras" if way in ("loop", "full") else "own"


def work(network: Network, settings: Sequence[Setting]) -> Work:
    """Return how much of each kind of work a network has, by cell and way.

    Args:
        network: `Network`.
        settings: List of settings, one for each layer.

    Raises:
        InputError: If one of them is `"auto"`.

    Example:
    >>> network = Network((Layer("lstm", 64, 2, 100),), batch_size=32)
    >>> work(network, [True])[("lstm", "full")]["copies"]
    99
    """
    found: Work = {}
    # The last layer hands on its last output only, which is compiled differently.
    shapes = [
        (each.units, each.features, number + 1 == len(network.layers)) for number, each in enumerate(network.layers)
    ]
    alike = Counter(shapes)
    sizes = [layer.timesteps * layer.units for layer in network.layers]
    largest = sizes.index(max(sizes))
    for number, (layer, setting) in enumerate(zip(network.layers, settings, strict=True)):
        way = way_of(setting)
        amounts = {
            name: layer.directions * amount for name, amount in _of_layer(layer, network.batch_size, setting).items()
        }
        amounts |= {"start": 1 / len(network.layers), "network": 1 / len(network.layers)}
        if whose(way) == "own":
            amounts["kernels"] = 1 / alike[shapes[number]]
        if number == largest:
            amounts["passing"] = network.batch_size * sizes[number]
        if way == "k":
            amounts["copies"] /= alike[shapes[number]]  # they are inside the kernels
        before = found.setdefault((layer.cell, way), {})
        before |= {name: before.get(name, 0.0) + amount for name, amount in amounts.items()}
    return found


def _of_layer(layer: Layer, batch: int, setting: Setting) -> dict[str, float]:
    """Return the work of one direction of a layer."""
    units, features, timesteps, gates = layer.units, layer.features, layer.timesteps, GATES[layer.cell]
    way = way_of(setting)
    weights = gates * units * (units + features)
    amounts: dict[str, float] = {
        "layer": 1,
        "time_steps": timesteps,
        "elements": batch * timesteps * units,
        "inputs": batch * timesteps * features,
        "recurrence": batch * timesteps * gates * units * units,
        "projection": batch * timesteps * gates * units * features,
        "weights": weights,
    }
    if whose(way) == "keras":
        amounts["gradients"] = timesteps * weights
        amounts["spilled"] = timesteps * max(0, gates * units * units - CACHED_WEIGHTS)
    if way == "k":
        k = min(int(setting), timesteps)
        return amounts | {"iterations": timesteps / k, "copies": k - 1}
    return amounts | {"copies": timesteps - 1 if way in ("full", "own-full") else 0}
