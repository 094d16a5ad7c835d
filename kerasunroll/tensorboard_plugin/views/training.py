"""Loss and gradient norms of all settings, over training steps and over wall time."""

from typing import Any

from kerasunroll.callbacks.event_files.tab_entries import BEGAN
from kerasunroll.tensorboard_plugin.contents import Network, Training
from kerasunroll.tensorboard_plugin.events import Entry, Events
from kerasunroll.tensorboard_plugin.requests import numbers

LOSSES = ("batch_loss", "epoch_loss", "evaluation_loss_vs_iterations")


def training_view(events: Events, network: Network) -> dict[str, Any]:
    """Return the curves of a network.

    Args:
        events: `Events`.
        network: `Network`.

    Returns:
        Dict of JSON values: `curves` by tag, each a list of one curve per setting with `steps`, `seconds` since
        the training began, and `values`.
    """
    runs = [run for training in network.trainings.values() for run in (training.run, training.validation)]
    tags = sorted({tag for found in events.scalar_tags(runs).values() for tag in found if _is_shown(tag)})
    began = {setting: _began(events, training) for setting, training in network.trainings.items()}
    return {"curves": {tag: _curves(events, network, tag, began) for tag in tags}}


def _is_shown(tag: str) -> bool:
    return tag in LOSSES or tag.startswith("gradient_norm/")


def _curves(events: Events, network: Network, tag: str, began: dict[str, float | None]) -> list[dict[str, Any]]:
    by_run = {
        run: (setting, kind)
        for setting, training in network.trainings.items()
        for run, kind in ((training.run, "train"), (training.validation, "validation"))
    }
    found = events.scalars(list(by_run), tag)
    return [
        {"setting": setting, "kind": kind, "colour": network.colours[setting], **_points(found[run], began[setting])}
        for run, (setting, kind) in by_run.items()
        if run in found
    ]


def _points(entries: list[Entry], began: float | None) -> dict[str, Any]:
    start = entries[0].wall_time if began is None else began
    return {
        "steps": [entry.step for entry in entries],
        "seconds": numbers([entry.wall_time - start for entry in entries]),
        "values": numbers([entry.value for entry in entries]),
    }


def _began(events: Events, training: Training) -> float | None:
    """Return when a training began, with all of its compiling still to come; `None` where that was not logged."""
    found = events.facts(training.run, BEGAN) if any(each.tag == BEGAN for each in training.series) else []
    return found[0].wall_time if found else None
