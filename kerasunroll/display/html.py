"""HTML for a notebook, legible on light and on dark ground: texts and lines have the colour of what is around them."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from html import escape
from typing import Final

from matplotlib.figure import Figure

from kerasunroll.display.svg import inline_svg
from kerasunroll.display.tables import TextTable

_CELL: Final = "padding:.25em .8em;border-bottom:1px solid rgba(128,128,128,.4);vertical-align:top"
_PLACEHOLDER: Final = "kerasunroll-picture-without-a-name"


def html_block(*parts: str) -> str:
    """Return parts, which are HTML, as one block: what `_repr_html_` returns."""
    return f'<div style="color:inherit;background:transparent;overflow-x:auto">{"".join(filter(None, parts))}</div>'


def html_text(*sentences: str, strong: bool = False) -> str:
    """Return sentences as a paragraph; nothing where there are none."""
    text = "<br>".join(map(escape, sentences))
    text = f"<strong>{text}</strong>" if strong else text
    return f'<p style="margin:.4em 0">{text}</p>' if sentences else ""


def html_table(table: TextTable, colours: Mapping[str, str] | None = None) -> str:
    """Return a table: the first column to the left, the others to the right.

    Args:
        table: `TextTable`.
        colours: Dict from a text of the first column to the colour of the square before it. Defaults to no squares.
    """
    head = _row("th", table.columns)
    body = "".join(_row("td", row, (colours or {}).get(row[0])) for row in table.rows)
    style = "border-collapse:collapse;color:inherit;background:transparent;margin:.4em 0"
    return f'<table style="{style}"><thead>{head}</thead><tbody>{body}</tbody></table>'


def html_picture(draw: Callable[[], Figure], label: str) -> str:
    """Return a figure as a picture without a ground of its own.

    Args:
        draw: Function that draws the figure.
        label: String. What is told to those who do not see it.
    """
    svg = inline_svg(draw, _PLACEHOLDER, label)
    # All outputs of a notebook are one page: pictures that differ must not share identifiers.
    name = f"kerasunroll-{sha256(svg.encode()).hexdigest()[:12]}"
    return f"<div>{svg.replace(_PLACEHOLDER, name)}</div>"


def _row(tag: str, texts: Sequence[str], colour: str | None = None) -> str:
    sides = ["left", *["right"] * (len(texts) - 1)]
    cells = [
        f'<{tag} style="{_CELL};text-align:{side}">{escape(text)}</{tag}>'
        for text, side in zip(texts, sides, strict=True)
    ]
    if colour is not None:
        cells[0] = cells[0].replace(">", f">{_square(colour)}", 1)
    return f"<tr>{''.join(cells)}</tr>"


def _square(colour: str) -> str:
    """Return a small square before a name: that of the same colour in pictures."""
    return f'<span style="display:inline-block;width:.7em;height:.7em;margin-right:.4em;background:{colour}"></span>'
