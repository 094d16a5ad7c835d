"""States and gates of one sequence: unit × time step, at one training step."""

from typing import Any

import numpy as np

from kerasunroll.callbacks.event_files.tab_entries import STATE
from kerasunroll.errors import InputError
from kerasunroll.tensorboard_plugin.contents import Training
from kerasunroll.tensorboard_plugin.events import Entry, Events
from kerasunroll.tensorboard_plugin.requests import numbers


def states_view(events: Events, training: Training, layer: str, quantity: str, step: int | None) -> dict[str, Any]:
    """Return one quantity of one layer, and what the layer receives.

    Args:
        events: `Events`.
        training: `Training`.
        layer: String. The layer's name.
        quantity: String: `h`, `c`, or a gate.
        step: Integer. The training step; the last one that was logged by default.

    Raises:
        InputError: If nothing was logged of it, or not at that training step.
    """
    series = training.find(STATE, layer, quantity)
    entries = events.arrays(training.run, series.tag)
    entry = _at(entries, step)
    sequence = _at(events.arrays(training.run, training.find(STATE, layer, "x").tag), entry.step)
    return {
        "training_steps": [each.step for each in entries],
        "step": entry.step,
        "values": numbers(entry.value),
        "sequence": numbers(sequence.value),
        "units": series.about.get("units", []),
        "share": bool(series.about.get("share")),
        "largest": float(np.nanmax(np.abs(np.concatenate([each.value.ravel() for each in entries])), initial=0.0)),
    }


def _at(entries: list[Entry], step: int | None) -> Entry:
    for entry in reversed(entries):
        if step is None or entry.step == step:
            return entry
    raise InputError(f"Nothing was logged at training step {step}.")
