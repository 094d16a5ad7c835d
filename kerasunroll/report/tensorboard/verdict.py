"""The Text tab: the verdict on a group, and the numbers behind it. No TensorFlow."""

import re
from collections.abc import Sequence
from html import escape

from tensorboard.compat.proto.summary_pb2 import Summary

from kerasunroll.callbacks.event_files.event_log import text_value
from kerasunroll.report.configuration import describe
from kerasunroll.report.page.tables import PageTable, page_tables
from kerasunroll.report.rows import Row
from kerasunroll.report.tables.comparison import comparison_tables
from kerasunroll.report.tensorboard import tags
from kerasunroll.report.verdict.text import small_print, verdict_sentences
from kerasunroll.report.verdict.verdict import Verdict


def verdict_summary(rows: Sequence[Row], verdict: Verdict) -> Summary.Value:
    """Return the verdict on a group as Markdown, to be written into the run of the group.

    Args:
        rows: The rows of the group.
        verdict: `Verdict` on it.
    """
    return text_value(tags.VERDICT, verdict_markdown(rows, verdict))


def verdict_markdown(rows: Sequence[Row], verdict: Verdict) -> str:
    """Return the verdict as Markdown: which setting to take, why, and the table of the comparison.

    Args:
        rows: The rows of the group.
        verdict: `Verdict` on it.
    """
    first, *others = map(plain, verdict_sentences(verdict))
    tables, notes = page_tables(comparison_tables(rows))
    problems = [f"{row.setting}: {problem}" for row in rows for problem in row.problems]
    parts = [
        f"### {first}",
        " ".join(others),
        *(f"*{plain(sentence)}*" for sentence in small_print(verdict)),
        plain(describe(rows[0].config)),
        *map(_table, tables),
        *map(plain, notes),
        *map(plain, problems),
    ]
    return "\n\n".join(part for part in parts if part)


def plain(text: str) -> str:
    r"""Return Markdown that TensorBoard shows as this text, in a paragraph or in a cell of a table.

    Its Markdown knows fewer escapes than others: a backslash before any other character would be shown.

    Example:
    >>> plain("<b> a|b simple_rnn")
    '&lt;b&gt; a\\|b simple\\_rnn'
    """
    return re.sub(r"([\\`*_\[\]{}|#])", r"\\\1", escape(text, quote=False)).replace("\n", "<br>")


def _table(table: PageTable) -> str:
    lines = [table.head, ("---", *["---:"] * (len(table.head) - 1))]
    cells = [tuple(map(plain, line)) for line in (table.head, *(line for part in table.sections for line in part))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (cells[0], lines[1], *cells[1:]))
