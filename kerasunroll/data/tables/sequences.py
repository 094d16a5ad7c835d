"""The rows of a table as sequences: one for each group, each in the order of time."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasunroll.data.splits import Array
from kerasunroll.data.tables.reading.table import Table
from kerasunroll.data.tables.roles import Roles
from kerasunroll.errors import DataError


@dataclass(frozen=True)
class Sequences:
    """The rows that follow one another.

    Args:
        rows: List of integer arrays: the rows of each sequence, in order.
        notes: Tuple of strings. How they were ordered.
    """

    rows: list[Array]
    notes: tuple[str, ...]


def find_sequences(table: Table, roles: Roles) -> Sequences:
    """Return the rows of each sequence, in the order of time where the table has times.

    Raises:
        DataError: If a row has no group or no time, dates can be read in two ways, or times go back and occur more than
            once in one sequence.
    """
    groups = _groups(table, roles.group)
    if roles.time is None:
        return Sequences(groups, ())
    name = table.names[roles.time.position]
    readings = _readings(table, roles)
    in_order = [times for times in readings if all(_rises(times[rows]) for rows in groups)]
    times = (in_order or readings)[0]
    repeats = any(len(np.unique(times[rows])) < len(rows) for rows in groups)
    hint = f"some times in {name} occur more than once"
    hint += "" if roles.group is not None else " (group= tells sequences apart)"
    if in_order:
        return Sequences(groups, (f"in the order of {name}, which is not read", *([hint] if repeats else [])))
    if len(readings) > 1:
        raise DataError(
            f"'{table.path}', {table.column(roles.time.position)}: dates such as "
            f"'{table.written(0, roles.time.position)}' can be day or month first, and the rows are in order of "
            "neither. Write dates such as 2024-05-31, name the column that tells several sequences apart with group=, "
            "or keep the order of the file with time=none."
        )
    if repeats:
        row = next(int(rows[1:][np.diff(times[rows]) < 0][0]) for rows in groups if not _rises(times[rows]))
        raise DataError(
            f"'{table.path}', {table.place(row, roles.time.position)}: the time goes back, and some times occur more "
            "than once. If the file holds several sequences, name the column that tells them apart with group=; to "
            "keep the order of the file, write time=none."
        )
    return Sequences(
        [rows[np.argsort(times[rows], kind="stable")] for rows in groups], (f"sorted by {name}, which is not read",)
    )


def _groups(table: Table, group: int | None) -> list[Array]:
    import pandas as pd

    if group is None:
        return [np.arange(len(table.frame))]
    codes, _ = pd.factorize(table.frame[group])
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise DataError(
            f"'{table.path}', {table.place(row, group)}: the cell is empty, but group= needs a group there."
        )
    by_group = np.argsort(codes, kind="stable")
    return np.split(by_group, np.flatnonzero(np.diff(codes[by_group])) + 1)


def _readings(table: Table, roles: Roles) -> list[Array]:
    """Return the times as numbers that rise with time, once for each way to read them."""
    time = roles.time
    assert time is not None  # noqa: S101 (the only caller has seen to it)
    readings: list[Any] = [time.values] if time.kind == "numbers" else list(time.values)
    if roles.clock is not None and all((each == each.dt.normalize()).all() for each in readings):
        readings = [each + roles.clock.values[0] for each in readings]
    for column in filter(None, (time, roles.clock)):
        missing = np.asarray(np.isnan(time.values) if time.kind == "numbers" else column.values[0].isna())
        if missing.any():
            row = int(np.argmax(missing))
            cell = table.written(row, column.position)
            found = f"expected a time, got {cell!r}" if cell else "the cell is empty"
            raise DataError(
                f"'{table.path}', {table.place(row, column.position)}: {found}, so that the row has no place in time. "
                "Mend it, or keep the order of the file with time=none."
            )
    return [
        np.asarray(each) if time.kind == "numbers" else each.to_numpy("datetime64[ns]").astype(np.int64)
        for each in readings
    ]


def _rises(times: Array) -> bool:
    return bool((np.diff(times) >= 0).all())
