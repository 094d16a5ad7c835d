"""A comparison in words: the verdicts, and a small table each."""

from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import Final

from kerasunroll.api.decision import Decision
from kerasunroll.api.shown.short import short_table
from kerasunroll.report.rows import Row

_WIDTH: Final = 100


def comparison_text(
    groups: Sequence[tuple[Decision, Sequence[Row]]], summary: str | None, missing: Sequence[str]
) -> str:
    """Return the verdict on each group and its small table.

    Args:
        groups: Each group's verdict and rows.
        summary: String, all verdicts in a sentence, or `None`.
        missing: What was not measured to its end.
    """
    return "\n".join(_lines(groups, summary, missing))


def _lines(
    groups: Sequence[tuple[Decision, Sequence[Row]]], summary: str | None, missing: Sequence[str]
) -> Iterator[str]:
    for decision, rows in groups:
        yield fill(f"{decision.group}: {decision.text}", _WIDTH)
        yield from ("", *short_table(rows).lines(), "")
    if summary:
        yield fill(summary, _WIDTH)
    if missing:
        yield fill(
            f"Not measured to the end: {', '.join(missing)}. Go on with kerasunroll.compare(resume=...).", _WIDTH
        )
