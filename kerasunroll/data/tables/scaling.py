"""Standardisation by the training part only."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasunroll.data.splits import Array
from kerasunroll.data.tables.reading.table import Table
from kerasunroll.errors import DataError


class Standardisation:
    """Subtracts each column's mean and divides by its standard deviation, both of the training rows.

    Args:
        table: `Table`. For errors.
        positions: The columns' positions in it, or empty where all cells count as one column.
        training: Float array of shape `(rows, columns)`.
    """

    def __init__(self, table: Table, positions: Sequence[int], training: Array) -> None:
        from sklearn.preprocessing import StandardScaler

        self._table, self._positions = table, positions
        with np.errstate(over="ignore", invalid="ignore"):
            self._scaler: Any = StandardScaler().fit(training)
        self._constant = training.min(axis=0) == training.max(axis=0)

    @property
    def notes(self) -> list[str]:
        """What was done, and which columns never change in the training part."""
        constant = zip(self._positions, self._constant, strict=False)
        names = [self._table.names[position] for position, each in constant if each]
        notes = ["standardised by the mean and the deviation of the training part"]
        return notes + ([f"constant in the training part: {', '.join(names)}"] if names else [])

    def __call__(self, rows: Array) -> Array:
        """Return standardised rows as float32.

        Raises:
            DataError: If a value is not finite then.
        """
        if not len(rows):
            return rows.astype(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled: Array = self._scaler.transform(rows).astype(np.float32)
        finite = np.isfinite(scaled).all(axis=0)
        if not finite.all():
            column = int(np.argmin(finite))
            where = f", {self._table.column(self._positions[column])}" if self._positions else ""
            raise DataError(
                f"'{self._table.path}'{where}: its values are too large or too far apart to be standardised. "
                "Scale them down."
            )
        return scaled
