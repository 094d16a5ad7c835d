"""Windows of rows, and the task to forecast the rows after them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kerasunroll.data.splits import Array, Split, validation_count
from kerasunroll.data.tables.missing import Fill, check_complete, filled_apart, without_start
from kerasunroll.data.tables.options import TableOptions
from kerasunroll.data.tables.reading.columns import numbers_of
from kerasunroll.data.tables.reading.table import Table
from kerasunroll.data.tables.roles import Roles
from kerasunroll.data.tables.scaling import Standardisation
from kerasunroll.data.tables.sequences import Sequences
from kerasunroll.errors import DataError

DEFAULT_TIMESTEPS = 32


class Parts(NamedTuple):
    """The rows of one sequence, divided in time."""

    training: Array
    validation: Array


def forecast(
    table: Table, roles: Roles, sequences: Sequences, options: TableOptions, timesteps: int | None
) -> tuple[Split, int, list[str]]:
    """Return the windows, the number of outputs, and notes on how they came about.

    Every run of `timesteps` rows of one sequence is an input; the target columns of the `horizon` rows after it, row by
    row, are the target. The last fifth of each sequence (or as many rows as one window needs, if that is more) is for
    validation, and no window reaches across. A sequence that is long enough for one window only is for training.

    Raises:
        DataError: If a cell is not a finite number, one is missing and `fill` does not say what takes its place, or
            there are fewer rows than one training and one validation window need.
    """
    timesteps = timesteps or DEFAULT_TIMESTEPS
    columns = list(dict.fromkeys((*roles.features, *roles.targets)))
    values = np.stack([numbers_of(table, column) for column in columns], axis=1)
    if options.fill is None:
        check_complete(table, columns, values)
    pieces = [values[rows] for rows in sequences.rows]
    complete = [without_start(each) for each in pieces]
    window = timesteps + options.horizon
    long_enough = [each for each in complete if len(each) >= window]
    parts = [_divided(each, window, options.fill) for each in long_enough]
    _check_length(table, roles, options, timesteps, complete)
    standardise = Standardisation(
        table, [each.position for each in columns], np.concatenate([each.training for each in parts])
    )
    inputs, targets = ([columns.index(each) for each in chosen] for chosen in (roles.features, roles.targets))

    def windows(sequences: Sequence[Array]) -> tuple[Array, Array]:
        found = [
            _windows(rows[:, inputs], rows[:, targets], timesteps, options.horizon)
            for rows in map(standardise, sequences)
            if len(rows)
        ]
        xs, ys = zip(*found, strict=True)
        return np.concatenate(xs), np.concatenate(ys)

    training, validation = windows([each.training for each in parts]), windows([each.validation for each in parts])
    names = ", ".join(table.names[each.position] for each in roles.targets)
    rows_ahead = "the next row" if options.horizon == 1 else f"the next {options.horizon:,} rows"
    notes = [f"forecast of {names} in {rows_ahead}"] if options.target or options.horizon > 1 else []
    notes += (
        [f"{len(long_enough):,} sequences by {options.group}, the end of each for validation"] if options.group else []
    )
    if short := len(complete) - len(long_enough):
        notes.append(f"left out: {short:,} sequence{'s' if short > 1 else ''} of less than {window:,} rows")
    notes += _fill_notes(pieces, complete, options.fill)
    return Split(*training, *validation), len(targets) * options.horizon, notes + standardise.notes


def _divided(rows: Array, window: int, fill: Fill | None) -> Parts:
    cut = len(rows) if len(rows) < 2 * window else len(rows) - max(validation_count(len(rows)), window)
    return Parts(*filled_apart(rows, cut, fill)) if fill else Parts(rows[:cut], rows[cut:])


def _windows(inputs: Array, targets: Array, timesteps: int, horizon: int) -> tuple[Array, Array]:
    """Return every run of `timesteps` rows that has `horizon` rows after it, and the targets in these rows after."""
    view = np.lib.stride_tricks.sliding_window_view
    runs = view(inputs[:-horizon], timesteps, axis=0)
    after = view(targets[timesteps:], horizon, axis=0)
    return np.ascontiguousarray(runs.swapaxes(1, 2)), after.swapaxes(1, 2).reshape(len(runs), -1)


def _check_length(table: Table, roles: Roles, options: TableOptions, timesteps: int, sequences: list[Array]) -> None:
    window, longest = timesteps + options.horizon, max(map(len, sequences))
    if longest >= 2 * window:
        return
    ahead = "1" if options.horizon == 1 else f"horizon ({options.horizon:,})"
    rows = f"row{'' if longest == 1 else 's'} "
    rows += "of numbers" if roles.group is None else f"in its longest sequence by {options.group}"
    raise DataError(
        f"'{table.path}' has {longest:,} {rows}, but one training and one validation window of timesteps + {ahead} = "
        f"{window:,} need {2 * window:,}. Add rows or take fewer timesteps"
        + ("." if options.horizon == 1 else ", or a smaller horizon.")
    )


def _fill_notes(pieces: list[Array], complete: list[Array], fill: Fill | None) -> list[str]:
    if fill is None:
        return []
    cells = sum(int(np.isnan(each).sum()) for each in complete)
    rows = sum(map(len, pieces)) - sum(map(len, complete))
    way = "forward" if fill == "forward" else "by interpolation"
    notes = [f"{cells:,} missing cell{'' if cells == 1 else 's'} filled {way}"] if cells else []
    return notes + ([f"left out: {rows:,} row{'' if rows == 1 else 's'} before the first values"] if rows else [])
