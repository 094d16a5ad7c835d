"""What changed between two comparisons, as text, as HTML, and as a gate for CI."""

from dataclasses import dataclass, fields
from typing import Self

from kerasunroll.display.html import html_block, html_table, html_text
from kerasunroll.display.tables import TextTable
from kerasunroll.report.diff.changes import Diff
from kerasunroll.report.diff.conditions import parse_conditions
from kerasunroll.report.diff.output import HEADINGS, broken_sentences, diff_notes, table_rows


@dataclass(frozen=True, repr=False)
class Changes(Diff):
    """What `Comparison.diff` returns: a `Diff` that shows itself."""

    @classmethod
    def of(cls, found: Diff) -> Self:
        """Return a `Diff` that shows itself."""
        return cls(**{each.name: getattr(found, each.name) for each in fields(found)})

    def broken(self, *conditions: str) -> list[str]:
        """Return a sentence for each change that goes beyond a limit by the whole of its interval.

        Args:
            *conditions: Strings such as `"training_step > 10%"`, as for `kerasunroll diff --fail-if`.

        Raises:
            InputError: If one is no condition.

        Example:
        >>> assert not old.diff(new).broken("training_step > 10%", "compile > 20%")  # doctest: +SKIP
        """
        return broken_sentences(self, parse_conditions(conditions))

    def __repr__(self) -> str:
        return "\n".join([*diff_notes(self), "", *self._table.lines()])

    def _repr_html_(self) -> str:
        return html_block(html_text(*diff_notes(self)), html_table(self._table))

    @property
    def _table(self) -> TextTable:
        return TextTable(HEADINGS, table_rows(self))
