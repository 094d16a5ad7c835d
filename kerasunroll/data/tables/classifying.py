"""Sequences with a class each: groups of rows, or rows whose columns are the time steps."""

from collections.abc import Iterable

import numpy as np

from kerasunroll.data.classes import as_classes, mapping_in_words
from kerasunroll.data.splits import Array, Split
from kerasunroll.data.tables.missing import check_complete, filled, without_start
from kerasunroll.data.tables.options import TableOptions
from kerasunroll.data.tables.reading.columns import numbers_of
from kerasunroll.data.tables.reading.table import Table
from kerasunroll.data.tables.roles import Roles
from kerasunroll.data.tables.scaling import Standardisation
from kerasunroll.data.tables.sequences import Sequences
from kerasunroll.errors import DataError


def classify(
    table: Table, roles: Roles, sequences: Sequences, options: TableOptions, timesteps: int | None, seed: int
) -> tuple[Split, int, list[str]]:
    """Return sequences with their classes, the number of classes, and notes on how they came about.

    With `group=`, the rows of a group are a sequence. Groups longer than `timesteps` (by default the length of the
    shortest group) are cut into runs of that length that share no row, each of the group's class; shorter groups are
    left out. Without `group=`, every row is a sequence, and its columns are the time steps. A fifth of the sequences of
    each class, whole groups, is for validation, drawn with `seed`.

    Raises:
        DataError: If a cell is not a finite number or missing, a label is missing or changes within a group, or there
            are too few sequences.
    """
    values = np.stack([numbers_of(table, column) for column in roles.features], axis=1)
    if options.fill is None:
        check_complete(table, roles.features, values)
    labels, mapping = _labels(table, roles, sequences)
    notes = [f"classes of {options.label}: {mapping}"]
    if roles.group is None:
        x, own = _rows(table, values, options, timesteps), np.arange(len(values))
        more: list[str] = []
        positions: list[int] = []
    else:
        x, own, more = _runs(table, [values[rows] for rows in sequences.rows], options, timesteps)
        positions = [each.position for each in roles.features]
    validation = _chosen(table, labels, np.unique(own), seed)
    chosen = np.isin(own, validation)
    standardise = Standardisation(table, positions, x[~chosen].reshape(-1, x.shape[-1]))
    x = standardise(x.reshape(-1, x.shape[-1])).reshape(x.shape)
    y = labels[own]
    split = Split(x[~chosen], y[~chosen], x[chosen], y[chosen])
    return split, int(labels.max()) + 1, notes + more + standardise.notes


def _labels(table: Table, roles: Roles, sequences: Sequences) -> tuple[Array, str]:
    """Return the class of each sequence, and which is which."""
    position = roles.label
    assert position is not None  # noqa: S101 (the only caller has seen to it)
    column = table.frame[position]
    if column.isna().any():
        place = table.place(int(np.argmax(column.isna())), position)
        raise DataError(f"'{table.path}', {place}: the cell is empty, but label= needs a class there.")
    classes, mapping = as_classes(column.to_numpy())
    if len(mapping) < 2:
        raise DataError(f"'{table.path}', {table.column(position)}: one class only; label= needs at least 2.")
    words = mapping_in_words(mapping)
    if roles.group is None:
        return classes, words
    for rows in sequences.rows:
        other = classes[rows] != classes[rows[0]]
        if other.any():
            row = int(rows[np.argmax(other)])
            first, found = (table.written(each, position) for each in (int(rows[0]), row))
            raise DataError(
                f"'{table.path}', {table.place(row, position)}: expected '{first}' as in the other rows of group "
                f"'{table.written(row, roles.group)}', got '{found}'. A sequence has one class: divide the group."
            )
    return classes[[rows[0] for rows in sequences.rows]], words


def _rows(table: Table, values: Array, options: TableOptions, timesteps: int | None) -> Array:
    """Return every row as a sequence of one feature."""
    if timesteps not in (None, values.shape[1]):
        raise DataError(
            f"'{table.path}': without group=, every row is a sequence and its columns are the time steps, "
            f"{values.shape[1]:,} in all, got timesteps={timesteps}. Leave timesteps out, or name the column of groups "
            "with group=."
        )
    if options.fill is not None:
        values = np.concatenate([_whole_row(table, row, options) for row in enumerate(values)])
    return values[:, :, np.newaxis]


def _whole_row(table: Table, numbered: tuple[int, Array], options: TableOptions) -> Array:
    row, values = numbered
    if np.isnan(values[0]):
        raise DataError(
            f"'{table.path}', {table.origin(row)[0]}: its first cell is empty, with nothing before it to fill it."
        )
    assert options.fill is not None  # noqa: S101 (the only caller has seen to it)
    return filled(values[:, np.newaxis], options.fill).T


def _runs(
    table: Table, groups: Iterable[Array], options: TableOptions, timesteps: int | None
) -> tuple[Array, Array, list[str]]:
    """Return runs of one length, which group each is from, and notes."""
    complete = [without_start(rows) for rows in groups]
    complete = [filled(rows, options.fill) if options.fill else rows for rows in complete]
    lengths = [len(rows) for rows in complete]
    length = timesteps or min((each for each in lengths if each), default=1)
    runs = [rows[: len(rows) // length * length].reshape(-1, length, rows.shape[1]) for rows in complete]
    if not any(map(len, runs)):
        raise DataError(
            f"'{table.path}': its longest sequence by {options.group} has a length of {max(lengths):,}, got "
            f"timesteps={length}. Take at most {max(lengths):,}."
        )
    notes = [f"{sum(map(bool, map(len, runs))):,} sequences by {options.group}"]
    if min(lengths) != max(lengths):
        notes[0] += f", of {min(lengths):,} to {max(lengths):,} rows, cut into runs of {length:,}"
    elif length < lengths[0]:
        notes[0] += f", cut into runs of {length:,}"
    if short := sum(each < length for each in lengths):
        notes.append(f"left out: {short:,} sequence{'s' if short > 1 else ''} of less than {length:,} rows")
    own = np.repeat(np.arange(len(runs)), [len(each) for each in runs])
    return np.concatenate(runs), own, notes


def _chosen(table: Table, labels: Array, sequences: Array, seed: int) -> Array:
    """Return the sequences for validation: a fifth of each class, rounded, and at least one in all."""
    rng = np.random.default_rng(seed)
    chosen = [
        order[: max(1, round(len(order) / 5))]
        for each in np.unique(labels[sequences])
        if len(order := rng.permutation(sequences[labels[sequences] == each])) > 1
    ]
    if not chosen:
        raise DataError(
            f"'{table.path}' has one sequence of each class, but training and validation need at least 2 of one. "
            "Add sequences, or name another column with label=."
        )
    return np.sort(np.concatenate(chosen))
