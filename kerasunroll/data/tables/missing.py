"""Missing cells: refused with their place, or filled."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from kerasunroll.data.splits import Array
from kerasunroll.data.tables.reading.columns import Column
from kerasunroll.data.tables.reading.table import Table
from kerasunroll.errors import DataError

Fill = Literal["forward", "interpolate"]


def check_complete(table: Table, columns: Sequence[Column], values: Array) -> None:
    """Refuse missing cells.

    Args:
        table: `Table`.
        columns: The columns that are used.
        values: Float array of shape `(rows, columns)`.

    Raises:
        DataError: If there is a NaN; the message says how many, and where the first one is.
    """
    missing = np.isnan(values)
    if missing.any():
        row = int(np.argmax(missing.any(axis=1)))
        column = columns[int(np.argmax(missing[row]))]
        count = int(missing.sum())
        found = "the cell is empty. Fill it" if count == 1 else f"the first of {count:,} missing cells. Fill them"
        raise DataError(
            f"'{table.path}', {table.place(row, column.position)}: {found} with fill=forward or "
            "fill=interpolate behind the path (csv:PATH?fill=forward), mend the file, or leave columns out with "
            "columns=."
        )


def without_start(values: Array) -> Array:
    """Return the rows from the first one on before which every column has had a value."""
    seen = np.logical_or.accumulate(~np.isnan(values), axis=0).all(axis=1)
    return values[np.argmax(seen) :] if seen.any() else values[:0]


def filled(values: Array, fill: Fill) -> Array:
    """Return the rows with what was missing filled in; after the last value, that value stays.

    Args:
        values: Float array of shape `(rows, columns)`.
        fill: `"forward"` repeats the value before; `"interpolate"` draws a line between those around.
    """
    import pandas as pd

    frame = pd.DataFrame(values)
    done = frame.ffill() if fill == "forward" else frame.interpolate(limit_direction="forward")
    array: Array = done.to_numpy()
    return array


def filled_apart(values: Array, cut: int, fill: Fill) -> tuple[Array, Array]:
    """Return the training and the validation rows, filled; nothing after the cut is seen in what stands before it."""
    return filled(values[:cut], fill), filled(values, fill)[cut:]
