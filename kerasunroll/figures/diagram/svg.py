"""A picture as SVG."""

from typing import Final
from xml.sax.saxutils import escape, quoteattr

from kerasunroll.figures.diagram.shapes import Box, Circle, Label, Mark, Path, Picture, Shape

FONTS: Final = "DejaVu Sans, Verdana, Geneva, sans-serif"

_TINY: Final = 0.01


def to_svg(picture: Picture) -> str:
    """Return a picture as the text of an SVG file, on a white background, with its title and description in it.

    Args:
        picture: `Picture`.
    """
    size = f"{_n(picture.width)} {_n(picture.height)}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{_n(picture.width)}" '
        f'height="{_n(picture.height)}" role="img" aria-labelledby="title description" '
        f'font-family="{FONTS}" stroke-linejoin="round">',
        f'<title id="title">{escape(picture.title)}</title>',
        f'<desc id="description">{escape(picture.description)}</desc>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        *(_element(shape) for shape in picture.shapes),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _element(shape: Shape) -> str:
    marked = _marked(shape.mark)
    match shape:
        case Box():
            place = f'x="{_n(shape.x)}" y="{_n(shape.y)}" width="{_n(shape.width)}" height="{_n(shape.height)}"'
            return f'<rect {place} rx="{_n(shape.radius)}"{_paint(shape)}{marked}/>'
        case Circle():
            return f'<circle cx="{_n(shape.x)}" cy="{_n(shape.y)}" r="{_n(shape.radius)}"{_paint(shape)}{marked}/>'
        case Path():
            return f'<path d="{_line(shape)}"{_paint(shape)}{marked}/>'
        case Label():
            return _text(shape, marked)
    raise TypeError(f"No shape that can be drawn: {shape!r}")


def _text(label: Label, marked: str) -> str:
    anchor = "" if label.anchor == "start" else f' text-anchor="{label.anchor}"'
    style = f'fill="{label.colour}"' + (' font-weight="bold"' if label.bold else "") + anchor + marked
    spans = []
    x = rise = 0.0
    for run in label.runs:
        # Steps, not places: with a font of another width the pieces still follow each other.
        dx, dy = run.x - x, rise - run.rise
        step = (f' dx="{_n(dx)}"' if abs(dx) > _TINY else "") + (f' dy="{_n(dy)}"' if abs(dy) > _TINY else "")
        slant = ' font-style="italic"' if run.italic else ""
        spans.append(f'<tspan font-size="{_n(run.size)}"{step}{slant}>{escape(run.text)}</tspan>')
        x, rise = run.x + run.width, run.rise
    return f'<text x="{_n(label.x)}" y="{_n(label.y)}" xml:space="preserve" {style}>{"".join(spans)}</text>'


def _line(path: Path) -> str:
    (start,), *pieces = path.rounded
    words = [f"M{_n(start[0])} {_n(start[1])}"]
    words += [("L" if len(piece) == 1 else "Q") + " ".join(f"{_n(x)} {_n(y)}" for x, y in piece) for piece in pieces]
    return "".join(words) + ("Z" if path.closed else "")


def _paint(shape: Box | Circle | Path) -> str:
    paint = f' fill="{shape.fill}"'
    if shape.stroke != "none":
        paint += f' stroke="{shape.stroke}" stroke-width="{_n(shape.line)}"'
    dash = getattr(shape, "dash", 0.0)
    return paint + (f' stroke-dasharray="{_n(dash)} {_n(dash)}"' if dash else "")


def _marked(mark: Mark) -> str:
    if not mark.role:
        return ""
    words = f" class={quoteattr(mark.role)}"
    words += "" if mark.layer is None else f' data-layer="{mark.layer}"'
    return words + ("" if mark.time_step is None else f' data-t="{mark.time_step}"')


def _n(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
