"""What each column of a table holds."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from kerasunroll.data.splits import Array
from kerasunroll.data.tables.reading.numbers import to_numbers
from kerasunroll.data.tables.reading.table import Table
from kerasunroll.data.tables.reading.times import are_times, read_clock, read_dates
from kerasunroll.errors import DataError

_TRUTHS: Final = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}

Kind = Literal["numbers", "mixed", "text", "dates", "clock", "empty"]


@dataclass(frozen=True, eq=False)
class Column:
    """A column and what it holds.

    Args:
        position: Integer, from 0.
        kind: What it holds; `"mixed"` if some of its cells are numbers and others are text.
        values: Array of floats, NaN where a cell is missing, for numbers. For dates and times of day, a list of pandas
            series, one for each way to read them. Else `None`.
    """

    position: int
    kind: Kind
    values: Any = None


def read_column(table: Table, position: int) -> Column:
    """Return what a column holds."""
    import pandas as pd

    series = table.frame[position]
    cells = series.dropna()
    if cells.empty:
        return Column(position, "empty")
    if pd.api.types.is_datetime64_any_dtype(series):
        return Column(position, "dates", [pd.to_datetime(series, utc=True)])
    if pd.api.types.is_numeric_dtype(series):
        return Column(position, "numbers", series.to_numpy(dtype=np.float64, na_value=np.nan))
    cells = cells.astype(str).str.strip()
    truths = cells.str.lower().map(_TRUTHS)
    numbers = truths if truths.notna().all() else to_numbers(cells, table.decimal)
    if numbers.notna().all():
        return Column(position, "numbers", numbers.reindex(series.index).to_numpy(dtype=np.float64))
    if numbers.notna().any():
        return Column(position, "mixed")
    if dates := read_dates(cells):
        return Column(position, "dates", [each.reindex(series.index) for each in dates])
    if (clock := read_clock(cells)) is not None:
        return Column(position, "clock", [clock.reindex(series.index)])
    return Column(position, "text")


def is_time(table: Table, column: Column) -> bool:
    """Return whether a column says when a row was taken."""
    if column.kind != "numbers":
        return column.kind == "dates"
    numbers = column.values[~np.isnan(column.values)]
    return are_times(table.names[column.position], numbers)


def find_column(table: Table, option: str, name: str) -> int:
    """Return the position of a column that an option names.

    Raises:
        DataError: If there is none of that name, or more than one.
    """
    found = [position for position, each in enumerate(table.names) if each == name]
    if not found:
        names = ", ".join(each for each in table.names if each)
        raise DataError(f"'{table.path}' has no column '{name}', which {option}= names. Its columns: {names}.")
    if len(found) > 1:
        places = " and ".join(str(position + 1) for position in found)
        raise DataError(
            f"'{table.path}' has more than one column '{name}', which {option}= names: columns {places}. "
            "Give each of them a name of its own."
        )
    return found[0]


def numbers_of(table: Table, column: Column) -> Array:
    """Return the numbers of a column, NaN where a cell is missing.

    Raises:
        DataError: If a cell is no number, or is infinite; the message names the first of them.
    """
    if column.kind != "numbers":
        raise DataError(_no_numbers(table, column))
    values: Array = column.values
    if (infinite := np.isinf(values)).any():
        row = int(np.argmax(infinite))
        raise DataError(
            f"'{table.path}', {table.place(row, column.position)}: {table.written(row, column.position)} is not "
            "finite. Put a finite number there, or leave the column out with columns=."
        )
    return values


def _no_numbers(table: Table, column: Column) -> str:
    where = f"'{table.path}', {table.column(column.position)}"
    if column.kind == "empty":
        return f"{where}: all its cells are empty. Leave the column out with columns=."
    if column.kind in ("dates", "clock"):
        return f"{where}: its cells are dates or times, which the network cannot read. Leave it out of columns=."
    cells = table.frame[column.position].dropna().astype(str).str.strip()
    bad = to_numbers(cells, table.decimal).isna()
    row, cell = int(bad.idxmax()), cells[bad.idxmax()]
    shown = repr(cell if len(cell) <= 40 else f"{cell[:40]}...")
    other = ",." if table.decimal == "." else ".,"
    marks = " If its marks mean something else, say so with decimal=comma or decimal=point."
    return (
        f"'{table.path}', {table.place(row, column.position)}: expected a number, got {shown}. Mend the cell, or leave "
        f"the column out: name the others with columns=.{marks if set(cell) <= set('+-0123456789' + other) else ''}"
    )
