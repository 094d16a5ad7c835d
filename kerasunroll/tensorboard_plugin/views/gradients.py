"""Gradients on their way back through time: norms, time step × training step, and where they vanish."""

from typing import Any

import numpy as np

from kerasunroll.callbacks.event_files.tab_entries import GRADIENT, MASKED
from kerasunroll.inspection.gradients.flow import vanishing_point
from kerasunroll.tensorboard_plugin.contents import Training
from kerasunroll.tensorboard_plugin.events import Events, padded
from kerasunroll.tensorboard_plugin.requests import numbers


def gradients_view(events: Events, training: Training, layer: str, quantity: str) -> dict[str, Any]:
    """Return the norms of one quantity of one layer.

    Args:
        events: `Events`.
        training: `Training`.
        layer: String. The layer's name.
        quantity: String: `h`, `c`, `x`, or a gate.

    Raises:
        InputError: If nothing was logged of it.
    """
    series = training.find(GRADIENT, layer, quantity)
    entries = events.arrays(training.run, series.tag)
    norms = padded(entries)
    masked = np.nan_to_num(_masked(events, training, layer, [entry.step for entry in entries], norms.shape), nan=1.0)
    backwards = bool(series.about.get("go_backwards"))
    return {
        "training_steps": [entry.step for entry in entries],
        "norms": numbers(norms),
        "masked": numbers(masked) if masked.any() else None,
        "go_backwards": backwards,
        "vanishing": [
            vanishing_point(of_step, share, go_backwards=backwards)
            for of_step, share in zip(norms, masked, strict=True)
        ],
    }


def _masked(events: Events, training: Training, layer: str, steps: list[int], shape: tuple[int, ...]) -> Any:
    """Return the share of samples masked at the same training steps, NaN behind the end of a shorter sequence."""
    found = events.arrays(training.run, training.find(GRADIENT, layer, MASKED).tag)
    shares = dict(zip([entry.step for entry in found], padded(found), strict=True))
    table = np.full(shape, np.nan)
    for place, step in enumerate(steps):
        # An entry that is being written may be there without its mask.
        share = shares.get(step, np.zeros(shape[1]))
        table[place, : len(share)] = share[: shape[1]]
    return table
