"""The nodes of the graphs by type of operation, in each setting."""

from typing import Any

from kerasunroll.callbacks.event_files.tab_entries import OPERATIONS
from kerasunroll.tensorboard_plugin.contents import Network, Training
from kerasunroll.tensorboard_plugin.events import Events

GRAPHS = {"training_step": "training step", "forward": "forward pass"}


def graph_view(events: Events, network: Network) -> dict[str, Any]:
    """Return how many nodes of each type the graphs of a network have.

    Args:
        events: `Events`.
        network: `Network`.
    """
    return {
        "graphs": [
            {"name": name, "settings": found}
            for kind, name in GRAPHS.items()
            if (found := [each for setting in network.colours if (each := _nodes(events, network, setting, kind))])
        ]
    }


def _nodes(events: Events, network: Network, setting: str, kind: str) -> dict[str, Any] | None:
    training = network.trainings.get(setting)
    operations = _logged(events, training, kind) if training else None
    if not operations and kind == "training_step":
        operations = _recorded(network, setting)
    if not operations:
        return None
    return {
        "setting": setting,
        "colour": network.colours[setting],
        "run": training.run if training else None,
        "nodes": sum(operations.values()),
        "operations": operations,
    }


def _logged(events: Events, training: Training, kind: str) -> dict[str, int] | None:
    tag = OPERATIONS.format(kind)
    if not any(each.tag == tag for each in training.series):
        return None
    found = events.facts(training.run, tag)
    return found[-1].value if found else None


def _recorded(network: Network, setting: str) -> dict[str, int] | None:
    if network.comparison is None or network.comparison.run is None:
        return None
    rows = network.comparison.run.groups.get(network.group, [])
    return next((row.operations for row in rows if row.setting == setting), None)
