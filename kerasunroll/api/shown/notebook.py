"""A comparison in a notebook: verdict, small table and pictures."""

from collections.abc import Iterator, Mapping, Sequence

from kerasunroll.api.decision import Decision
from kerasunroll.api.shown.short import short_table
from kerasunroll.display.html import html_block, html_picture, html_table, html_text
from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.report.page.figures import all_pictures
from kerasunroll.report.rows import Row


def comparison_html(
    groups: Sequence[tuple[Decision, Sequence[Row]]],
    measured: Sequence[Measured],
    colours: Mapping[str, str],
    summary: str | None,
    missing: Sequence[str],
) -> str:
    """Return the verdict on each group, its small table and its pictures.

    Args:
        groups: Each group's verdict and rows.
        measured: What was measured of all variants.
        colours: Dict from setting to colour.
        summary: String, all verdicts in a sentence, or `None`.
        missing: What was not measured to its end.
    """
    parts: list[str] = []
    for decision, rows in groups:
        members = [each for each in measured if each.variant.group == decision.group]
        parts += _group(decision, rows, members, colours)
    if summary:
        parts.append(html_text(summary, strong=True))
    if missing:
        parts.append(
            html_text(f"Not measured to the end: {', '.join(missing)}. Go on with kerasunroll.compare(resume=...).")
        )
    return html_block(*parts)


def _group(
    decision: Decision, rows: Sequence[Row], measured: Sequence[Measured], colours: Mapping[str, str]
) -> Iterator[str]:
    yield html_text(f"{decision.group}: {decision.text}", strong=True)
    yield html_table(short_table(rows), colours)
    yield html_text(*decision.small_print)
    pictures = all_pictures(rows, decision, measured, colours, "notebook")
    shown = "".join(html_picture(picture.draw, picture.label) for picture in pictures)
    if shown:
        side_by_side = f'<div style="display:flex;flex-wrap:wrap;gap:1em">{shown}</div>'
        yield f"<details><summary>Pictures</summary>{side_by_side}</details>"
