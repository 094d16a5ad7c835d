"""What changed between two runs of the same configurations: another TensorFlow, another machine, another model.

The two were not measured in turns. A ratio's interval holds how far the processes of each run differ (Welch's t on the
logarithms), not that the machine may have been slower on one of the days.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from kerasunroll.errors import InputError
from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.measurement.records.environment import differences
from kerasunroll.measurement.statistics.intervals import Interval, half_width
from kerasunroll.measurement.statistics.rounds import round_times
from kerasunroll.report.rows import FORWARD, PREDICT, READY, STEP, Row, processes_of
from kerasunroll.report.run import Run

FIGURES: Final[Mapping[str, str]] = {
    "training_step": STEP,
    "forward_pass": FORWARD,
    "predict": PREDICT,
    "compile": READY,
    "process_memory": "process_growth_bytes",
    "tensor_memory": "tensor_peak_bytes",
    "graph_nodes": "training_step_nodes",
}
"""What is compared, by the names that conditions use: the figure of a record, or of a row."""

_EXACT: Final = frozenset({"tensor_memory", "graph_nodes"})
"""Counted, not measured: a difference is one."""

Direction = Literal["more", "less", "no difference"]


@dataclass(frozen=True)
class Change:
    """One figure of one variant, before and after.

    Args:
        group: String.
        setting: String.
        name: String. What is compared: a key of `FIGURES`.
        old: Float. Seconds, bytes or a count.
        new: Float.
        ratio: `Interval`. New over old. Unbounded if a run has only one process.
    """

    group: str
    setting: str
    name: str
    old: float
    new: float
    ratio: Interval

    @property
    def direction(self) -> Direction:
        """Whether it became more or less, if the whole interval says so."""
        if self.ratio.low > 1:
            return "more"
        return "less" if self.ratio.high < 1 else "no difference"


@dataclass(frozen=True)
class Diff:
    """What changed between two runs.

    Args:
        facts: Tuple of strings: what differs in machine, software and configuration.
        changes: Tuple of `Change`, by variant and then by figure.
        only_old: Tuple of strings: the variants that the new run lacks.
        only_new: Tuple of strings: those that the old run lacks.
    """

    facts: tuple[str, ...]
    changes: tuple[Change, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]

    def geometric_means(self) -> dict[str, tuple[float, int]]:
        """Return for each figure the geometric mean of the ratios, and of how many variants."""
        found: dict[str, list[float]] = {}
        for change in self.changes:
            if change.ratio.value > 0:
                found.setdefault(change.name, []).append(math.log(change.ratio.value))
        return {name: (math.exp(fmean(logs)), len(logs)) for name, logs in found.items()}


def diff(old: Run, new: Run) -> Diff:
    """Return what changed from one run to another.

    Args:
        old: `Run`.
        new: `Run`.

    Raises:
        InputError: If they have no variant in common.
    """
    before, after = (_variants(run) for run in (old, new))
    common = [key for key in before if key in after]
    if not common:
        raise InputError(
            f"'{old.folder}' and '{new.folder}' have no variant in common: "
            f"{_names(before)} against {_names(after)}. Compare runs of the same configurations."
        )
    return Diff(
        facts=(*differences(old.environment, new.environment), *_configurations(before, after, common)),
        changes=tuple(change for key in common for change in _changes(before[key], after[key])),
        only_old=tuple(" ".join(key) for key in before if key not in after),
        only_new=tuple(" ".join(key) for key in after if key not in before),
    )


_Variant: TypeAlias = tuple[Row, Measured]
_Variants: TypeAlias = Mapping[tuple[str, str], _Variant]


def _variants(run: Run) -> dict[tuple[str, str], _Variant]:
    return {(row.group, row.setting): (row, one) for row, one in zip(run.rows, run.measured, strict=True)}


def _names(variants: _Variants) -> str:
    return ", ".join(" ".join(key) for key in variants) or "none"


def _configurations(before: _Variants, after: _Variants, common: Sequence[tuple[str, str]]) -> list[str]:
    """Return in words what differs in the configurations of variants of the same name, such as the number of epochs."""
    facts: dict[str, None] = {}
    for key in common:
        old, new = (_flat(of[key][0].config.model_dump(mode="json")) for of in (before, after))
        facts |= dict.fromkeys(
            f"{name}: {old.get(name)} against {new.get(name)}"
            for name in old | new
            if old.get(name) != new.get(name) and name != "stack.path"  # its checksum says whether it is another model
        )
    return list(facts)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _changes(old: _Variant, new: _Variant) -> list[Change]:
    changes = []
    for name, figure in FIGURES.items():
        before, after = _values(*old, name, figure), _values(*new, name, figure)
        if before and after:
            changes.append(
                Change(
                    group=old[0].group,
                    setting=old[0].setting,
                    name=name,
                    old=_geometric_mean(before),
                    new=_geometric_mean(after),
                    ratio=_ratio(before, after, exact=name in _EXACT),
                )
            )
    return changes


def _values(row: Row, measured: Measured, name: str, figure: str) -> list[float]:
    """Return what each process gave, as far as it is positive; of what is counted, and of old records, one value."""
    if figure in (STEP, FORWARD, PREDICT):
        return [_geometric_mean(round_times([rounds])) for rounds in processes_of(measured.timing, figure)]
    values = list(row.each_process.get(figure, ())) if name not in _EXACT else []
    found = values or ([row.figures[figure]] if figure in row.figures else [])
    return found if all(value > 0 for value in found) else []


def _geometric_mean(values: Any) -> float:
    if len(values) == 1:
        return float(values[0])  # a count stays what it is
    return float(np.exp(np.mean(np.log(values))))


def _ratio(old: Sequence[float], new: Sequence[float], *, exact: bool) -> Interval:
    before, after = np.log(old).tolist(), np.log(new).tolist()
    value = fmean(after) - fmean(before)
    if not exact and min(len(old), len(new)) < 2:
        return Interval(math.exp(value), 0.0, math.inf)
    margin = half_width(before, after)
    return Interval(math.exp(value), math.exp(value - margin), math.exp(value + margin))
