"""Matplotlib's figures as SVG inside a page, readable on light and on dark ground."""

import io
import re
from collections.abc import Callable
from html import escape
from typing import Any, Final

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

from kerasunroll.display.colours import COLOURS

INK: Final = "#010203"
"""Stands for the page's own colour of text while Matplotlib draws, which knows no such colour."""

_STYLE: Final[Any] = {
    **{f"{part}.facecolor": "none" for part in ("figure", "axes", "savefig")},
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "grid.color"), INK
    ),
    "axes.titlecolor": INK,
    "axes.prop_cycle": cycler(color=COLOURS[:-1]),
    "legend.framealpha": 0.0,
    "legend.edgecolor": "none",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
}


def inline_svg(draw: Callable[[], Figure], name: str, label: str) -> str:
    """Draw a figure and return it as an `<svg>` element.

    Args:
        draw: Function that draws the figure.
        name: String of letters, digits, '-' and '_'. Begins every identifier in it, so that no two figures of a page
            share one.
        label: String. What is told to those who do not see it.

    Returns:
        HTML. Text and axes have the colour of the text around them; nothing lies behind.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = draw()
        if figure.get_suptitle():
            figure.suptitle("")  # the page says it, in its own type
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return _for_page(file.getvalue(), name, label)


def _for_page(svg: str, name: str, label: str) -> str:
    head, body = svg[svg.index("<svg") :].split(">", 1)
    viewbox = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head)
    assert viewbox  # noqa: S101 - Matplotlib writes one
    width, height = viewbox.groups()
    body = re.sub(
        r"<defs>\s*<style.*?</style>\s*</defs>", "", body, count=1, flags=re.DOTALL
    )  # it is for all of the page
    body = re.sub(r'(\sid="|url\(#|href="#)', rf"\1{name}-", body).replace("xlink:href", "href")
    body = re.sub(r"#010203|#000000", "currentColor", body)
    return (
        f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}" '
        f'style="width:{float(width) / 72 * 96:.0f}px"><title>{escape(label)}</title>{body.rstrip()}'
    )
