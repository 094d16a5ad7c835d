"""Tables that were made for the console, as plain texts for a page."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kerasunroll.report.tables.comparison import SplitTable


@dataclass(frozen=True)
class PageTable:
    """A table of texts.

    Args:
        title: String.
        head: Tuple of strings, one per column.
        sections: Tuple of sections: tuples of lines, each with a text per column. A text may have several lines.
    """

    title: str
    head: tuple[str, ...]
    sections: tuple[tuple[tuple[str, ...], ...], ...]


def page_tables(parts: Sequence[RenderableType]) -> tuple[list[PageTable], list[str]]:
    """Return the tables of what `comparison_tables` or `growth_tables` returned, and the notes below them.

    Raises:
        TypeError: If a part is neither a table nor a text.
    """
    tables, notes = [], []
    for part in parts:
        if isinstance(part, SplitTable):
            tables.append(_of_settings(part))
        elif isinstance(part, Table):
            tables.append(_of_rich(part))
        elif isinstance(part, Text):
            notes.append(part.plain)
        else:
            raise TypeError(f"Expected a table or a text, got {type(part).__name__}.")
    return tables, notes


def _of_settings(table: SplitTable) -> PageTable:
    sections = [
        tuple((name, *(cell.plain for cell in cells)) for name, cells in section)
        for section in table.sections
        if section
    ]
    return PageTable(table.title, ("", *table.settings), tuple(sections))


def _of_rich(table: Table) -> PageTable:
    columns = [[_plain(cell) for cell in column.cells] for column in table.columns]
    lines = list(zip(*columns, strict=True))
    sections: list[list[tuple[str, ...]]] = [[]]
    for line, row in zip(lines, table.rows, strict=True):
        sections[-1].append(line)
        if row.end_section:
            sections.append([])
    head = tuple(_plain(column.header) for column in table.columns)
    return PageTable(_plain(table.title or ""), head, tuple(tuple(section) for section in sections if section))


def _plain(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)
