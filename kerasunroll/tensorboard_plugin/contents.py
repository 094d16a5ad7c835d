"""What there is to look at: networks, the settings in which they were trained, and what was logged of each."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from kerasunroll.callbacks.event_files.tab_entries import GRADIENT, MASKED, STATE
from kerasunroll.display.colours import setting_colours
from kerasunroll.errors import InputError
from kerasunroll.tensorboard_plugin.comparisons import Comparisons, Found
from kerasunroll.tensorboard_plugin.events import Events, Series

TRAIN: Final = "train"
VALIDATION: Final = "validation"


@dataclass(frozen=True)
class Training:
    """A run in which a network was trained in one setting, with what was logged there.

    Args:
        run: String. The run's name in TensorBoard.
        network: String. What several settings have in common: the folder above theirs.
        setting: String. The name of its folder.
        series: Tuple of `Series`.
    """

    run: str
    network: str
    setting: str
    series: tuple[Series, ...]

    @property
    def validation(self) -> str:
        """The run beside it, with what came of validation."""
        return _beside(self.run, VALIDATION)

    def shown(self, shows: str) -> dict[str, list[str]]:
        """Return of each layer the quantities of one kind: `GRADIENT` or `STATE`."""
        layers: dict[str, list[str]] = {}
        for each in self.series:
            if each.about.get("shows") == shows:
                layers.setdefault(str(each.about.get("layer")), []).append(str(each.about.get("of")))
        return {layer: sorted(set(quantities) - {MASKED}, key=_order) for layer, quantities in layers.items()}

    def find(self, shows: str, layer: str, quantity: str) -> Series:
        """Return one series.

        Raises:
            InputError: If the run has none of that layer and quantity.
        """
        for each in self.series:
            if (each.about.get("shows"), each.about.get("layer"), each.about.get("of")) == (shows, layer, quantity):
                return each
        raise InputError(f"Run '{self.run}' has no {shows} of '{quantity}' in a layer '{layer}'.")


@dataclass(frozen=True)
class Network:
    """Trainings of one network.

    Args:
        name: String.
        trainings: Dict from setting to `Training`.
        colours: Dict from setting to its colour.
        comparison: `Found`, or `None` where it was trained by a script of the user's.
        group: String. The name of its group in the comparison.
    """

    name: str
    trainings: Mapping[str, Training]
    colours: Mapping[str, str]
    comparison: Found | None = None
    group: str = ""


@dataclass(frozen=True)
class Contents:
    """All that a log folder has for the tab.

    Args:
        networks: Dict from name to `Network`.
        comparisons: Tuple of `Found`.
    """

    networks: Mapping[str, Network]
    comparisons: tuple[Found, ...]
    revision: str = field(default="")

    @classmethod
    def of(cls, events: Events, comparisons: Comparisons) -> "Contents":
        """Look at event files and records."""
        found = tuple(comparisons.all())
        trainings = _trainings(events.series())
        networks = dict(_compared(trainings, found, comparisons))
        in_comparisons = {each.run for network in networks.values() for each in network.trainings.values()}
        networks |= _of_scripts([each for each in trainings if each.run not in in_comparisons])
        return cls(dict(sorted(networks.items())), found, _revision(trainings, found))

    def network(self, name: str) -> Network:
        """Return a network.

        Raises:
            InputError: If there is none of this name.
        """
        if name not in self.networks:
            raise InputError(f"No network '{name}' in the log folder. There: {', '.join(self.networks) or 'none'}.")
        return self.networks[name]

    def training(self, run: str) -> Training:
        """Return the training of a run.

        Raises:
            InputError: If there is none of this name.
        """
        for network in self.networks.values():
            for training in network.trainings.values():
                if training.run == run:
                    return training
        raise InputError(f"No run '{run}' with anything for this tab in the log folder.")

    def as_json(self) -> dict[str, Any]:
        """Return the contents as JSON values: what there is to choose from."""
        return {
            "revision": self.revision,
            "comparisons": [found.name for found in self.comparisons],
            "networks": [_network_json(network) for network in self.networks.values()],
        }


def _network_json(network: Network) -> dict[str, Any]:
    return {
        "name": network.name,
        "colours": dict(network.colours),
        "trainings": [
            {
                "run": training.run,
                "setting": setting,
                "colour": network.colours[setting],
                "gradients": training.shown(GRADIENT),
                "states": training.shown(STATE),
            }
            for setting, training in network.trainings.items()
        ],
    }


def _trainings(series: Sequence[Series]) -> list[Training]:
    of_run: dict[str, list[Series]] = {}
    for each in series:
        of_run.setdefault(each.run, []).append(each)
    return [_training(run, found) for run, found in of_run.items() if PurePosixPath(run).name != VALIDATION]


def _training(run: str, series: Sequence[Series]) -> Training:
    parts = [part for part in PurePosixPath(run).parts if part != "."]
    if parts and parts[-1] == TRAIN:
        parts.pop()
    setting = parts[-1] if parts else "this run"
    return Training(run, "/".join(parts[:-1]) or "this folder", setting, tuple(series))


def _compared(
    trainings: Sequence[Training], found: Iterable[Found], comparisons: Comparisons
) -> Iterable[tuple[str, Network]]:
    """Yield the networks of comparisons, whether anything was logged of them or not."""
    if comparisons.logdir is None:
        return
    runs = {training.run: training for training in trainings}
    for each in found:
        if each.run is None:
            continue
        for group, rows in each.run.groups.items():
            folder = f"{each.prefix(comparisons.logdir)}{group}"
            names = {row.setting: f"{folder}/{row.setting}/{TRAIN}" for row in rows}
            name = f"{each.name}/{group}"
            logged = {setting: runs[run] for setting, run in names.items() if run in runs}
            yield name, Network(name, logged, each.colours, each, group)


def _of_scripts(trainings: Sequence[Training]) -> dict[str, Network]:
    by_network: dict[str, dict[str, Training]] = {}
    for training in trainings:
        by_network.setdefault(training.network, {})[training.setting] = training
    return {
        name: Network(name, _loop_first(found), setting_colours(_loop_first(found)))
        for name, found in by_network.items()
    }


def _loop_first(found: Mapping[str, Training]) -> dict[str, Training]:
    return dict(sorted(found.items(), key=lambda item: (item[0] != "loop", item[0] != "full", item[0])))


def _revision(trainings: Sequence[Training], found: Sequence[Found]) -> str:
    """Return a text that changes whenever there is something new."""
    state = [
        [[each.run, each.tag, *each.newest] for training in trainings for each in training.series],
        [[each.name, *each.state] for each in found],
    ]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:16]


def _order(quantity: str) -> tuple[bool, bool, str]:
    """States first, h before c; then the gates; what the layer receives last."""
    return quantity == "x", len(quantity) > 1, "" if quantity == "h" else quantity


def _beside(run: str, name: str) -> str:
    path = PurePosixPath(run)
    return (path.parent / name if path.name == TRAIN else path / name).as_posix()
