"""A picture as PNG."""

from io import BytesIO
from typing import Any, Final

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle as CirclePatch
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from kerasunroll.figures.diagram.shapes import Box, Circle, Label, Path, Picture, Shape

_DPI: Final = 100
_POINT: Final = 72 / _DPI
"""Matplotlib's unit of lines and fonts, in which a unit of the picture is so much."""


def to_png(picture: Picture, scale: float = 2.0) -> bytes:
    """Return a picture as the bytes of a PNG file.

    Args:
        picture: `Picture`.
        scale: Float. Pixels for each unit of the picture. Defaults to 2.
    """
    figure = Figure(figsize=(picture.width / _DPI, picture.height / _DPI), dpi=_DPI * scale)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0, picture.width)
    axes.set_ylim(picture.height, 0)
    for order, shape in enumerate(picture.shapes):
        _draw(axes, shape, order)
    file = BytesIO()
    figure.savefig(file, format="png", metadata={"Title": picture.title, "Description": picture.description})
    return file.getvalue()


def _draw(axes: Any, shape: Shape, order: int) -> None:
    match shape:
        case Label():
            _write(axes, shape, order)
        case Box():
            radius = min(shape.radius, shape.width / 2, shape.height / 2)
            rounding = f"round,pad=0,rounding_size={radius}" if radius else "square,pad=0"
            corner = (shape.x, shape.y)
            axes.add_patch(FancyBboxPatch(corner, shape.width, shape.height, boxstyle=rounding, **_paint(shape, order)))
        case Circle():
            axes.add_patch(CirclePatch((shape.x, shape.y), shape.radius, **_paint(shape, order)))
        case Path():
            axes.add_patch(PathPatch(_outline(shape), capstyle="butt", joinstyle="round", **_paint(shape, order)))


def _write(axes: Any, label: Label, order: int) -> None:
    for run in (run for run in label.runs if not run.text.isspace()):
        font = FontProperties(
            family="DejaVu Sans",
            style="italic" if run.italic else "normal",
            weight="bold" if label.bold else "normal",
        )
        # As outlines, which no hinting makes wider than they are measured.
        letters = TextPath((0, 0), run.text, size=run.size, prop=font)
        placed = Affine2D().scale(1, -1).translate(label.left + run.x, label.y - run.rise).transform_path(letters)
        # Snapped to pixels, the two bars of an equals sign may fall into one.
        axes.add_patch(PathPatch(placed, facecolor=label.colour, linewidth=0, snap=False, zorder=order))


def _outline(path: Path) -> Outline:
    (start,), *pieces = path.rounded
    points, codes = [start], [Outline.MOVETO]
    for piece in pieces:
        points += piece
        codes += [Outline.LINETO if len(piece) == 1 else Outline.CURVE3] * len(piece)
    if path.closed:
        points.append(start)
        codes.append(Outline.CLOSEPOLY)
    return Outline(points, codes)


def _paint(shape: Box | Circle | Path, order: int) -> dict[str, Any]:
    dash = getattr(shape, "dash", 0.0)
    return {
        "facecolor": shape.fill,
        "edgecolor": shape.stroke,
        "linewidth": shape.line * _POINT if shape.stroke != "none" else 0.0,
        # Matplotlib counts dashes in line widths.
        "linestyle": (0, (dash / shape.line, dash / shape.line)) if dash else "solid",
        "zorder": order,
    }
