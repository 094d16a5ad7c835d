"""What changed, as a table for the console, as Markdown for a pull request, and as JUnit for a build server."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final
from xml.etree import ElementTree

from rich.table import Table
from rich.text import Text

from kerasunroll.report.diff.changes import FIGURES, Change, Diff
from kerasunroll.report.diff.conditions import Condition, broken
from kerasunroll.report.page.page import escape_markdown
from kerasunroll.units import format_bytes, format_count, format_ends, format_ratio, format_seconds

HEADINGS: Final = ("variant", "figure", "old", "new", "new over old", "")
NOTE: Final = (
    "The runs were not measured in turns: the intervals hold what processes differ by, and not that the machine may "
    "have been slower for one of the runs."
)
_STYLES: Final = {"more": "red", "less": "green", "no difference": ""}


def diff_tables(found: Diff) -> list[Table]:
    """Return a table for each group, with a line for each figure of each setting."""
    tables = []
    for group, changes in groupby(found.changes, key=lambda change: change.group):
        table = Table(title=Text(group, style="bold"), title_justify="left")
        for heading in ("setting", "figure"):
            table.add_column(heading, no_wrap=heading == "figure")
        for heading in ("old", "new", "new over old"):
            table.add_column(heading, justify="right")
        for setting, of_setting in groupby(changes, key=lambda change: change.setting):
            table.add_section()
            for place, change in enumerate(of_setting):
                _, *cells, direction = _cells(change)
                if change.direction != "no difference":
                    cells[-1] += f": {direction}"
                ratio = Text(cells.pop(), style=_STYLES[change.direction])
                table.add_row(Text(setting if place == 0 else ""), *cells, ratio)
        tables.append(table)
    return tables


def diff_notes(found: Diff) -> list[str]:
    """Return what differs in machine and configuration first, then the means over all variants, and what is missing."""
    notes = [f"Differs: {fact}." for fact in found.facts]
    notes += [
        f"{name}: {format_ratio(mean)} on average (geometric mean of {count} variant{'' if count == 1 else 's'})."
        for name, (mean, count) in found.geometric_means().items()
    ]
    notes += [f"Only in the old run: {', '.join(found.only_old)}."] if found.only_old else []
    notes += [f"Only in the new run: {', '.join(found.only_new)}."] if found.only_new else []
    return [*notes, NOTE]


def diff_markdown(found: Diff, conditions: Sequence[Condition] = ()) -> str:
    """Return what changed as Markdown: broken conditions first, then what differs, then the table."""
    lines = [f"**{escape_markdown(text)}**\n" for text in broken_sentences(found, conditions)]
    lines += [f"- {escape_markdown(note)}" for note in diff_notes(found)]
    rows = [HEADINGS, ("---",) * len(HEADINGS), *table_rows(found)]
    lines += ["", *(f"| {' | '.join(row if row[0] == '---' else map(escape_markdown, row))} |" for row in rows)]
    return "\n".join(lines) + "\n"


def table_rows(found: Diff) -> list[tuple[str, ...]]:
    """Return a row of texts for each change, below `HEADINGS`."""
    return [_cells(change) for change in found.changes]


def diff_junit(found: Diff, conditions: Sequence[Condition]) -> str:
    """Return a JUnit file with a test case for every condition and variant it applies to."""
    looked_at = [(each, change) for each in conditions for change in found.changes if change.name == each.name]
    failed = broken(conditions, found.changes)
    suite = ElementTree.Element(
        "testsuite", name="kerasunroll diff", tests=str(len(looked_at)), failures=str(len(failed))
    )
    for condition, change in looked_at:
        name = f"{change.group} {change.setting}"
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"kerasunroll.{condition.name}", name=f"{name}: {condition}"
        )
        if condition.is_met_by(change):
            ElementTree.SubElement(case, "failure", message=_sentence(condition, change))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def broken_sentences(found: Diff, conditions: Sequence[Condition]) -> list[str]:
    """Return for each change that a condition forbids what it is."""
    return [_sentence(condition, change) for condition, change in broken(conditions, found.changes)]


def _sentence(condition: Condition, change: Change) -> str:
    return f"{condition}: {change.group} {change.setting} went from {_shown(change, change.old)} to " + (
        f"{_shown(change, change.new)}, {format_ratio(change.ratio.value)} ({_ends(change)})"
    )


def _cells(change: Change) -> tuple[str, ...]:
    return (
        f"{change.group} {change.setting}",
        change.name,
        _shown(change, change.old),
        _shown(change, change.new),
        f"{format_ratio(change.ratio.value)} ({_ends(change)})",
        change.direction,
    )


def _ends(change: Change) -> str:
    ratio = change.ratio
    if ratio.low == ratio.high:
        return "counted"
    return format_ends(ratio.low, ratio.high) if ratio.low > 0 else "one process: no interval"


def _shown(change: Change, value: float) -> str:
    figure = FIGURES[change.name]
    show: Callable[[float], str] = format_count
    if figure.endswith("_seconds"):
        show = format_seconds
    elif figure.endswith("_bytes"):
        show = format_bytes
    return show(value)
