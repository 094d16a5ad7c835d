"""What a training run's gradients through time were, kept as a file beside the run. No TensorFlow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasunroll.inspection.gradients.norms import Array

FLOW_FILE = "gradients_through_time.npz"


@dataclass(frozen=True)
class FlowHistory:
    """The norms of the gradient through time of one layer, as training went on.

    Args:
        layer: String. The layer's name.
        training_steps: Array (N,). The training steps at which they were taken.
        norms: Dict from quantity (`"h"`, `"c"`, `"x"`, and gates such as `"forget_gate"`) to an array (N, T) of means
            over the batch.
        masked: Array (N, T). The share of samples masked.
    """

    layer: str
    training_steps: Array
    norms: Mapping[str, Array]
    masked: Array


def save_histories(histories: Sequence[FlowHistory], folder: Path) -> None:
    """Write the histories of all layers of a run into its folder."""
    arrays: dict[str, Array] = {"layers": np.array([history.layer for history in histories])}
    for number, history in enumerate(histories):
        arrays[f"{number}.training_steps"] = history.training_steps
        arrays[f"{number}.masked"] = history.masked
        arrays |= {f"{number}.norms.{quantity}": norms for quantity, norms in history.norms.items()}
    np.savez(folder / FLOW_FILE, allow_pickle=False, **arrays)


def load_histories(folder: Path) -> list[FlowHistory]:
    """Read what `save_histories` wrote; a run that has none, because it failed, gives an empty list."""
    path = folder / FLOW_FILE
    if not path.exists():
        return []
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return [
            FlowHistory(
                layer=str(layer),
                training_steps=arrays[f"{number}.training_steps"],
                masked=arrays[f"{number}.masked"],
                norms={
                    name.removeprefix(f"{number}.norms."): arrays[name]
                    for name in arrays.files
                    if name.startswith(f"{number}.norms.")
                },
            )
            for number, layer in enumerate(arrays["layers"])
        ]
