"""The rows of a table in time order, all numbers: columns chosen, missing cells filled, classes numbered."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kerasunroll.data.classes import classes_of, describe_classes
from kerasunroll.data.splits import Array
from kerasunroll.data.tables.columns import MISSING, Columns, columns_of, shown_names
from kerasunroll.data.tables.options import Fill, TableOptions
from kerasunroll.data.tables.reading import Table
from kerasunroll.data.tables.windows import Rows
from kerasunroll.errors import DataError
from kerasunroll.units import format_count


@dataclass(frozen=True)
class Prepared:
    """The rows of a table in time order, all numbers.

    Args:
        table: `Table`.
        options: `TableOptions`.
        values: Array of float64, (rows, names): every column that is read or foretold.
        names: List of their names.
        features: List of the names of those that the network reads.
        targets: List of the names of those to foretell.
        labels: Array of integers: the class of each row; empty without `label`.
        classes: List of the classes, in the order of their numbers.
        groups: Array of integers: which group each row belongs to.
        group_names: List of the groups.
        notes: Tuple of strings.
    """

    table: Table
    options: TableOptions
    values: Array
    names: list[str]
    features: list[str]
    targets: list[str]
    labels: Array
    classes: list[str]
    groups: Array
    group_names: list[str]
    notes: tuple[str, ...]

    def of_groups(self) -> Iterator[Array]:
        """Yield the numbers of the rows of each group, in time order."""
        for group in range(len(self.group_names)):
            yield np.flatnonzero(self.groups == group)

    def standardised(self, training: Array) -> Array:
        """Return the values, each column less the mean of its training rows, in their standard deviations."""
        from sklearn.preprocessing import StandardScaler

        with np.errstate(over="ignore", invalid="ignore"):
            scaled: Array = StandardScaler().fit(self.values[training]).transform(self.values).astype(np.float32)
        finite = np.isfinite(scaled).all(axis=0)
        if not finite.all():
            name = self.names[int(np.argmin(finite))]
            number = list(self.table.cells.columns).index(name) + 1
            raise DataError(
                f"'{self.table.path}', column {number}: its values are too large or too far apart to be standardised. "
                "Scale the column down."
            )
        return scaled

    def rows(self, scaled: Array, rows: Array) -> Rows:
        """Return what the network reads and what it is to learn at some rows."""
        features = scaled[rows][:, [self.names.index(name) for name in self.features]]
        if self.options.label:
            return Rows(features, self.labels[rows])
        return Rows(features, scaled[rows][:, [self.names.index(name) for name in self.targets]])


def prepare(table: Table, options: TableOptions) -> Prepared:
    """Return the rows of a table as its options ask for them.

    Raises:
        DataError: If a column is missing or holds no numbers, or cells are missing and not to be filled.
    """
    columns = columns_of(table)
    special = [name for name in (options.group, options.label) if name]
    numbers = [name for name in columns.numbers if name not in special]
    features = list(options.columns or numbers)
    targets = [] if options.label else list(options.target or features)
    _check_columns(table, columns, [*special, *features, *targets], numbers)
    names = list(dict.fromkeys([*features, *targets]))
    groups, group_names = _coded(table, options.group)
    labels, classes = _classes(table, options.label)
    if options.label and len(classes) < 2:
        raise DataError(
            f"'{table.path}': column '{options.label}' holds the class {classes[0]} only, expected several."
        )
    order, time_notes = _in_order(columns, groups)
    values, fill_notes = _filled(table, columns, names, groups, order, options.fill)
    notes = [*_say_target(options), *time_notes, *fill_notes, *_say_left_out(columns, [*names, *special])]
    if options.group:
        notes.append(f"{format_count(len(group_names))} groups of '{options.group}'")
    if options.label:
        notes.append(describe_classes(classes))
    return Prepared(
        table,
        options,
        values,
        names,
        features,
        targets,
        labels[order] if len(labels) else labels,
        classes,
        groups[order],
        group_names,
        tuple(notes),
    )


def _check_columns(table: Table, columns: Columns, used: list[str], numbers: list[str]) -> None:
    known = list(table.cells.columns)
    if unknown := next((name for name in used if name not in known), None):
        raise DataError(f"'{table.path}' has no column '{unknown}'. Its columns are {shown_names(known)}.")
    if not numbers:
        raise DataError(f"'{table.path}' has no column of numbers. It holds {', '.join(_kinds(columns))}.")


def _kinds(columns: Columns) -> list[str]:
    kinds = {"text": list(columns.text), "points in time": list(columns.times), "nothing": list(columns.empty)}
    return [f"{kind} in {shown_names(names)}" for kind, names in kinds.items() if names]


def _coded(table: Table, group: str | None) -> tuple[Array, list[str]]:
    if group is None:
        return np.zeros(len(table.cells), np.int64), ["all"]
    codes, names = pd.factorize(table.cells[group].astype(str))
    return codes, [str(name) for name in names]


def _classes(table: Table, label: str | None) -> tuple[Array, list[str]]:
    if label is None:
        return np.empty(0, np.int32), []
    words = table.cells[label].astype("string").fillna("").str.strip()
    missing = words.str.lower().isin(MISSING).to_numpy(bool)
    if missing.any():
        row = int(np.argmax(missing))
        raise DataError(
            f"'{table.path}', {table.place(row, label)}: the row has no class. Fill it, or take the row out."
        )
    return classes_of(words.to_numpy(str))


def _in_order(columns: Columns, groups: Array) -> tuple[Array, list[str]]:
    """Return the order of the rows in time, and what to say of it."""
    if not columns.times:
        return np.arange(len(groups)), []
    times = list(columns.times.values())
    order = np.lexsort(times[::-1])
    by_group, sorted_by_group = np.argsort(groups, kind="stable"), order[np.argsort(groups[order], kind="stable")]
    named = shown_names(list(columns.times))
    said = [f"{named} is the time, not a feature"]
    if not np.array_equal(by_group, sorted_by_group):
        said.append(f"rows sorted by {named}")
    return order, said


def _filled(
    table: Table, columns: Columns, names: list[str], groups: Array, order: Array, fill: Fill | None
) -> tuple[Array, list[str]]:
    """Return the values of columns, (rows, names), in time order with missing ones filled, and what to say of it."""
    if wrong := next((name for name in names if name not in columns.numbers), None):
        raise DataError(f"'{table.path}': column '{wrong}' holds no numbers: {'; '.join(_kinds(columns))}.")
    frame = pd.DataFrame({name: columns.numbers[name][order] for name in names})
    missing = frame.isna().to_numpy()
    if not missing.any():
        return frame.to_numpy(), []
    count = format_count(int(missing.sum()))
    if fill is None:
        # The first in the file, not in time.
        rows, cells = np.nonzero(missing)
        first = int(np.argmin(order[rows]))
        raise DataError(
            f"'{table.path}', {table.place(int(order[rows[first]]), names[cells[first]])}: the cell has no value, the "
            f"first of {count} that are missing. Fill them, give ?fill=forward or ?fill=interpolate, or leave the "
            "column out with ?columns=."
        )
    by_group = frame.groupby(groups[order])
    filled = by_group.ffill() if fill == "forward" else by_group.transform(_interpolated)
    left = filled.isna().to_numpy()
    if left.any():
        row, cell = np.argwhere(left)[0]
        raise DataError(
            f"'{table.path}', {table.place(int(order[row]), names[cell])}: the cell has no value; fill={fill} finds "
            f"none {'before it' if fill == 'forward' else 'on one side of it'}. Fill it in, or delete its row."
        )
    return filled.to_numpy(), [f"{count} missing cells filled ({fill})"]


def _interpolated(column: Any) -> Any:
    return column.interpolate(limit_area="inside")


def _say_target(options: TableOptions) -> list[str]:
    ahead = f", {options.horizon} rows ahead" if options.horizon > 1 else ""
    if options.target:
        return [f"to foretell: {shown_names(list(options.target))}{ahead}"]
    return [f"to foretell: {options.horizon} rows ahead"] if ahead else []


def _say_left_out(columns: Columns, used: list[str]) -> list[str]:
    left_out = {"text": [*columns.text], "no values": [*columns.empty]}
    said = [
        f"{shown_names(unused)} ({why})"
        for why, names in left_out.items()
        if (unused := [name for name in names if name not in used])
    ]
    return [f"left out: {', '.join(said)}"] if said else []
