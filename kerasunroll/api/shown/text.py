"""A comparison in words: the verdicts, and a small table each."""

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kerasunroll.api.shown.short import short_table
from kerasunroll.report.rows import Row
from kerasunroll.report.verdict.text import verdict_text
from kerasunroll.report.verdict.verdict import Verdict

_WIDTH = 120


def comparison_text(
    groups: Sequence[tuple[Verdict, Sequence[Row]]], summary: str | None, missing: Sequence[str]
) -> str:
    """Return the verdict on each group and its small table.

    Args:
        groups: Each group's verdict and rows.
        summary: String, all verdicts in a sentence, or `None`.
        missing: What was not measured to its end.
    """
    file = io.StringIO()
    console = Console(file=file, width=_WIDTH, highlight=False, markup=False, force_jupyter=False)
    for verdict, rows in groups:
        console.print(f"{verdict.group}: {verdict_text(verdict)}")
        console.print(_table(rows))
    if summary:
        console.print(summary)
    if missing:
        console.print(f"Not measured to the end: {', '.join(missing)}. Go on with kerasunroll.compare(resume=...).")
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def _table(rows: Sequence[Row]) -> Table:
    columns, lines = short_table(rows)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for number, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if number else "left")
    for cells in lines:
        table.add_row(*map(Text, cells))
    return table
