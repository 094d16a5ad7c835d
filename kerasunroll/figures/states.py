"""Pictures of inner states over time. No TensorFlow."""

from collections.abc import Mapping
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from kerasunroll.display.colours import MASKED_COLOUR
from kerasunroll.inspection.gradients.norms import Array

STATE_LIMIT: Final = 1.0
"""The colour scale runs from -1 to 1, the range of h; what is beyond has its end's colour."""


def state_heatmap(layer: str, states: Mapping[str, Array], unmasked: Array, sample: int = 0) -> Figure:
    """Draw unit × time step heatmaps of one sequence's states, one below the other.

    Args:
        layer: String. The layer's name.
        states: Dict from the state's name to an array (B, T, U), such as `h` and `c`.
        unmasked: Boolean array (B, T), `False` where a sample is masked: drawn grey.
        sample: Integer. The sequence to show. Defaults to the first.

    Returns:
        A Matplotlib figure.
    """
    figure = Figure(figsize=(7.0, 0.9 + 2.0 * len(states)), dpi=100, layout="constrained")
    colours = mpl.colormaps["RdBu_r"].with_extremes(bad=MASKED_COLOUR)
    for axes, (name, values) in zip(
        np.ravel(figure.subplots(len(states), 1, sharex=True)), states.items(), strict=True
    ):
        shown = np.where(unmasked[sample][:, np.newaxis], _flat(values[sample]), np.nan).T
        image = axes.imshow(
            shown,
            aspect="auto",
            origin="lower",
            interpolation="nearest",
            cmap=colours,
            vmin=-STATE_LIMIT,
            vmax=STATE_LIMIT,
        )
        axes.set_ylabel("unit")
        axes.set_title(f"{name}$_t$", fontsize=10, loc="left")
        figure.colorbar(image, ax=axes, extend="both", label="value", aspect=12)
    axes.set_xlabel("time step t")
    figure.suptitle(f"{layer}: inner state over time", fontsize=11)
    return figure


def _flat(values: Array) -> Array:
    """Return (T, ...) as (T, U): a convolutional state is shown with its places in a row."""
    return values.reshape(len(values), -1)
