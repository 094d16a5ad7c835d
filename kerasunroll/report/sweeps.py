"""How what a network costs grows with the number of time steps T, in each setting. No TensorFlow."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from kerasunroll.measurement.statistics.growth import FEWEST_FOR_A_LINE, Growth, fit_growth
from kerasunroll.report.rows import READY, Row
from kerasunroll.report.verdict.costs import ready_seconds

FEWEST_TIMESTEPS: Final = FEWEST_FOR_A_LINE

FIGURES: Final[Mapping[str, str]] = {
    "tensor_added_bytes": "tensor memory, training step",
    "process_growth_bytes": "process memory",
    READY: "time to first training step",
    "step_seconds": "training step",
    "training_step_nodes": "graph nodes, training step",
}
"""What is looked at over T, and what it is called. Each is what T adds, as far as that can be told apart."""


@dataclass(frozen=True)
class Curve:
    """One figure of one setting over T.

    Args:
        setting: String.
        figure: String. The figure's name: its ending says the unit.
        timesteps: Tuple of integers, ascending: where it was measured.
        values: Tuple of numbers, one for each.
    """

    setting: str
    figure: str
    timesteps: tuple[int, ...]
    values: tuple[float, ...]

    @cached_property
    def growth(self) -> Growth | None:
        """The fitted line; `None` with fewer than three different T."""
        if len(set(self.timesteps)) < FEWEST_TIMESTEPS:
            return None
        return fit_growth(self.timesteps, self.values)

    def as_json(self) -> dict[str, Any]:
        """Return the curve as JSON values."""
        return {
            "setting": self.setting,
            "figure": self.figure,
            "timesteps": self.timesteps,
            "values": self.values,
            "growth": self.growth.model_dump(mode="json") if self.growth else None,
        }


@dataclass(frozen=True)
class Sweep:
    """Variants that are the same but for T, the setting and the threads.

    Args:
        name: String. The name of their groups, without T.
        baseline: String. The setting that the others are compared with.
        timesteps: Tuple of integers, ascending: the different T.
        curves: Tuple of `Curve`, by figure and then by setting. A figure that was not measured has none.
        left_out: Tuple of strings: which variants lack a figure that others have, and why.
    """

    name: str
    baseline: str
    timesteps: tuple[int, ...]
    curves: tuple[Curve, ...]
    left_out: tuple[str, ...]

    @property
    def settings(self) -> list[str]:
        """The settings, the baseline first."""
        return list(dict.fromkeys(curve.setting for curve in self.curves))

    def of(self, figure: str) -> list[Curve]:
        """Return the curves of a figure, one per setting."""
        return [curve for curve in self.curves if curve.figure == figure]

    def as_json(self) -> dict[str, Any]:
        """Return the sweep as JSON values."""
        return {
            "name": self.name,
            "baseline": self.baseline,
            "timesteps": self.timesteps,
            "curves": [curve.as_json() for curve in self.curves],
            "left_out": self.left_out,
        }


def find_sweeps(rows: Sequence[Row]) -> list[Sweep]:
    """Return the sweeps over at least three different T, as far as they have been measured.

    Args:
        rows: What `comparison_rows` returned.
    """
    alike: dict[str, list[Row]] = {}
    for row in rows:
        if row.config.stack.timesteps is not None:
            alike.setdefault(_all_but_timesteps(row), []).append(row)
    sweeps = [_sweep(members) for members in alike.values()]
    return [sweep for sweep in sweeps if len(sweep.timesteps) >= FEWEST_TIMESTEPS and sweep.curves]


def _sweep(rows: Sequence[Row]) -> Sweep:
    rows = sorted(rows, key=_timesteps)
    settings = list(dict.fromkeys(row.setting for row in rows))
    baseline = next((row.setting for row in rows if row.baseline is None), settings[0])
    settings.sort(key=lambda setting: setting != baseline)
    curves = [_curve(figure, setting, rows) for figure in FIGURES for setting in settings]
    timesteps = tuple(dict.fromkeys(map(_timesteps, rows)))
    return Sweep(
        name=re.sub(rf"-T{timesteps[0]}(?=-|$)", "", rows[0].group),
        baseline=baseline,
        timesteps=timesteps,
        curves=tuple(curve for curve in curves if curve.values),
        left_out=tuple(_left_out(rows, settings, timesteps)),
    )


def _curve(figure: str, setting: str, rows: Sequence[Row]) -> Curve:
    points = [
        (_timesteps(row), value)
        for row in rows
        if row.setting == setting and (value := _value(row, figure)) is not None
    ]
    return Curve(setting, figure, tuple(t for t, _ in points), tuple(value for _, value in points))


def _value(row: Row, figure: str) -> float | None:
    if figure != READY:
        return row.figures.get(figure)
    return ready_seconds(row)


def _left_out(rows: Sequence[Row], settings: Sequence[str], timesteps: Sequence[int]) -> list[str]:
    """Say who lacks what others have: at one time limit, full may come as far as T=200 and the loop to 400."""
    measured = [figure for figure in FIGURES if any(_value(row, figure) is not None for row in rows)]
    found = {(row.setting, _timesteps(row)): row for row in rows}
    lacking: dict[tuple[str, str], list[int]] = {}
    for setting in settings:
        for t in timesteps:
            row = found.get((setting, t))
            if row is None or any(_value(row, figure) is None for figure in measured):
                why = "not measured" if row is None or row.outcome == "done" else row.outcome
                lacking.setdefault((setting, why), []).append(t)
    return [f"{setting} at T={', '.join(map(str, at))} ({why})" for (setting, why), at in lacking.items()]


def _timesteps(row: Row) -> int:
    assert row.config.stack.timesteps is not None  # noqa: S101 - find_sweeps leaves those out
    return row.config.stack.timesteps


def _all_but_timesteps(row: Row) -> str:
    settings = row.config.model_dump(mode="json") | {"node_kind": row.node_kind}
    del settings["timesteps"], settings["threads"], settings["stack"]["unroll"], settings["stack"]["name"]
    settings["stack"]["input_shape"] = settings["stack"]["input_shape"][1:]
    return json.dumps(settings, sort_keys=True)
