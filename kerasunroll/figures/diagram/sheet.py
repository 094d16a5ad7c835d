"""The sheet that a drawing is put on: title above, legend and caption below, a margin all around."""

from collections.abc import Sequence
from typing import Final

from kerasunroll.figures.diagram.notation import width_of, without_markup, wrapped
from kerasunroll.figures.diagram.shapes import INK, MUTED, Label, Picture, Shape, extent

MARGIN: Final = 24.0
_LEAST_WIDTH: Final = 600.0
_TITLE_SIZE: Final = 18.0
_CAPTION_SIZE: Final = 12.5
_LINE: Final = 19.0
_CAPTION_SHARE: Final = 0.95
"""Of the width: where another font has to do, lines come out a little longer than they are measured."""


def on_sheet(title: str, caption: str, drawing: Sequence[Shape], legend: Sequence[Shape] = ()) -> Picture:
    """Return a drawing as a picture, with what is to be read around it.

    Args:
        title: String.
        caption: String. What one sees, broken into lines as needed.
        drawing: Shapes, at any coordinates; centred.
        legend: Shapes, at coordinates of their own; put below the drawing.
    """
    left, top, right, bottom = extent(drawing)
    legend_left, legend_top, legend_right, legend_bottom = extent(legend) if legend else (0.0, 0.0, 0.0, 0.0)
    inner = max(right - left, legend_right - legend_left, width_of(title, _TITLE_SIZE, bold=True), _LEAST_WIDTH)
    y = MARGIN + _TITLE_SIZE
    shapes: list[Shape] = [Label(MARGIN, y, title, size=_TITLE_SIZE, anchor="start", bold=True, colour=INK)]
    y += 22
    shapes += [shape.moved(MARGIN + (inner - right + left) / 2 - left, y - top) for shape in drawing]
    y += bottom - top
    if legend:
        y += 18
        shapes += [shape.moved(MARGIN - legend_left, y - legend_top) for shape in legend]
        y += legend_bottom - legend_top
    y += 10
    for line in wrapped(caption, _CAPTION_SIZE, inner * _CAPTION_SHARE):
        y += _LINE
        shapes.append(Label(MARGIN, y, line, size=_CAPTION_SIZE, anchor="start", colour=MUTED))
    return Picture(inner + 2 * MARGIN, y + MARGIN, without_markup(title), without_markup(caption), tuple(shapes))
