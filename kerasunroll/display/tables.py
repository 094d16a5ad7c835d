"""Small tables of texts."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TextTable:
    """A table of texts, for a terminal and for a notebook.

    Args:
        columns: Sequence of strings, what stands above each column.
        rows: Sequence of rows, each with a text per column.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def lines(self) -> list[str]:
        """Return the table as lines of equal columns, without a space at the end.

        Example:
        >>> TextTable(["layer", "masked"], [["lstm_1", "0 %"]]).lines()
        ['layer   masked', 'lstm_1  0 %']
        """
        rows = [self.columns, *self.rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
