"""A comparison in a notebook: HTML that takes the colours of the page around it, light or dark."""

from collections.abc import Iterator, Sequence
from html import escape
from secrets import token_hex

from kerasunroll.api.shown.short import short_table
from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.report.page.figures import Picture, break_even_picture, cost_pictures, gradient_picture
from kerasunroll.report.rows import Row
from kerasunroll.report.verdict.text import small_print, verdict_text
from kerasunroll.report.verdict.verdict import Verdict

_CELL = "padding:0.2em 0.8em;border-bottom:1px solid rgba(128,128,128,0.4)"


def comparison_html(
    groups: Sequence[tuple[Verdict, Sequence[Row]]],
    measured: Sequence[Measured],
    summary: str | None,
    missing: Sequence[str],
) -> str:
    """Return the verdict on each group, its small table and its pictures.

    Args:
        groups: Each group's verdict and rows.
        measured: What was measured of all variants.
        summary: String, all verdicts in a sentence, or `None`.
        missing: What was not measured to its end.
    """
    # In one notebook the same comparison may be shown twice; its pictures need names of their own.
    place = f"k{token_hex(4)}"
    parts: list[str] = []
    for number, (verdict, rows) in enumerate(groups):
        own = [each for each in measured if each.variant.group == verdict.group]
        parts += _group(verdict, rows, own, f"{place}g{number}")
    if summary:
        parts.append(f"<p><strong>{escape(summary)}</strong></p>")
    if missing:
        go_on = "<code>kerasunroll.compare(resume=...)</code>"
        parts.append(f"<p>Not measured to the end: {escape(', '.join(missing))}. Go on with {go_on}.</p>")
    return f'<div class="kerasunroll" style="max-width:75em;color:inherit">{"".join(parts)}</div>'


def _group(verdict: Verdict, rows: Sequence[Row], measured: Sequence[Measured], place: str) -> Iterator[str]:
    yield f"<p><code>{escape(verdict.group)}</code> <strong>{escape(verdict_text(verdict))}</strong></p>"
    yield _table(rows, verdict)
    yield from (f'<p style="opacity:0.75"><small>{escape(sentence)}</small></p>' for sentence in small_print(verdict))
    last = (break_even_picture(verdict, place), gradient_picture(measured, place))
    pictures = [*cost_pictures(rows, verdict, place), *(picture for picture in last if picture)]
    if pictures:
        shown = "".join(map(_picture, pictures))
        place_them = "display:flex;flex-wrap:wrap;gap:1em"
        yield f'<details><summary>Pictures</summary><div style="{place_them}">{shown}</div></details>'


def _table(rows: Sequence[Row], verdict: Verdict) -> str:
    columns, lines = short_table(rows)
    head = "".join(_cell("th", column, first=not number) for number, column in enumerate(columns))
    body = "".join(
        f"<tr{' style=font-weight:bold' if cells[0] == verdict.take else ''}>"
        + "".join(_cell("td", cell, first=not number) for number, cell in enumerate(cells))
        + "</tr>"
        for cells in lines
    )
    style = "border-collapse:collapse;background:transparent;color:inherit"
    return f'<table style="{style}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cell(kind: str, text: str, *, first: bool) -> str:
    style = f"{_CELL};text-align:{'left' if first else 'right'};background:transparent;color:inherit"
    return f'<{kind} style="{style}">{escape(text)}</{kind}>'


def _picture(picture: Picture) -> str:
    caption = f"<figcaption><small>{escape(picture.caption)}</small></figcaption>"
    return f'<figure style="margin:0">{picture.svg}{caption}</figure>'
