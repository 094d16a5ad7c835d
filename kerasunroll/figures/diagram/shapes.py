"""What a picture is made of: boxes, circles, paths and labels with their coordinates. x to the right, y downwards."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Self, TypeAlias

from kerasunroll.figures.diagram.notation import Run, typeset

Point: TypeAlias = tuple[float, float]
Anchor: TypeAlias = Literal["start", "middle", "end"]

INK: Final = "#222222"
MUTED: Final = "#5a5a5a"

_ASCENT: Final = 0.78
_DESCENT: Final = 0.24
_HEAD_LENGTH: Final = 8.0
_HEAD_WIDTH: Final = 7.0


@dataclass(frozen=True)
class Mark:
    """What a shape stands for.

    Args:
        role: String, such as `"cell"`, `"state"`, `"gradient"` or `"cut"`.
        layer: Integer or `None`. The number of its layer, counted from 1.
        time_step: Integer or `None`. Its time step, counted from 0.
        name: String. What tells it apart from others of its kind: the state `"h"` or `"c"`, for example.
    """

    role: str = ""
    layer: int | None = None
    time_step: int | None = None
    name: str = ""


NOTHING: Final = Mark()


@dataclass(frozen=True, kw_only=True)
class Shape(ABC):
    """One thing in a picture.

    Args:
        mark: `Mark`. What it stands for.
    """

    mark: Mark = NOTHING

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""

    @abstractmethod
    def moved(self, dx: float, dy: float) -> Self:
        """Return the same at another place."""


@dataclass(frozen=True)
class Box(Shape):
    """A rectangle with round corners. `dash` is the length of a dash, 0 for a solid line."""

    x: float
    y: float
    width: float
    height: float
    fill: str = "none"
    stroke: str = "none"
    line: float = 1.5
    radius: float = 6.0
    dash: float = 0.0

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        return self.x, self.y, self.x + self.width, self.y + self.height

    def moved(self, dx: float, dy: float) -> Self:
        """Return the same at another place."""
        return replace(self, x=self.x + dx, y=self.y + dy)


@dataclass(frozen=True)
class Circle(Shape):
    """A circle."""

    x: float
    y: float
    radius: float
    fill: str = "none"
    stroke: str = "none"
    line: float = 1.5

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        return self.x - self.radius, self.y - self.radius, self.x + self.radius, self.y + self.radius

    def moved(self, dx: float, dy: float) -> Self:
        """Return the same at another place."""
        return replace(self, x=self.x + dx, y=self.y + dy)


@dataclass(frozen=True)
class Path(Shape):
    """A line from point to point, its corners rounded by `radius`; closed and filled if `closed`."""

    points: tuple[Point, ...]
    stroke: str = "none"
    line: float = 1.5
    fill: str = "none"
    dash: float = 0.0
    radius: float = 0.0
    closed: bool = False

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        xs, ys = zip(*self.points, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def moved(self, dx: float, dy: float) -> Self:
        """Return the same at another place."""
        return replace(self, points=tuple((x + dx, y + dy) for x, y in self.points))

    @property
    def rounded(self) -> list[tuple[Point, ...]]:
        """The line in pieces: `(to,)` a straight one, `(control, to)` a quadratic curve; the first is the start."""
        pieces: list[tuple[Point, ...]] = [(self.points[0],)]
        for before, corner, after in zip(self.points, self.points[1:], self.points[2:], strict=False):
            radius = min(self.radius, math.dist(before, corner) / 2, math.dist(corner, after) / 2)
            if radius:
                pieces += [(_towards(corner, before, radius),), (corner, _towards(corner, after, radius))]
            else:
                pieces.append((corner,))
        return [*pieces, (self.points[-1],)]


@dataclass(frozen=True)
class Label(Shape):
    """A text, which may have notation in it (`kerasunroll.figures.diagram.notation`). `y` is its baseline."""

    x: float
    y: float
    text: str
    size: float = 12.0
    anchor: Anchor = "middle"
    colour: str = INK
    bold: bool = False

    @property
    def runs(self) -> tuple[Run, ...]:
        """The pieces of the text in one style each, placed from the left end."""
        return typeset(self.text, self.size, bold=self.bold)[0]

    @property
    def left(self) -> float:
        """Where the text begins."""
        width = typeset(self.text, self.size, bold=self.bold)[1]
        return self.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor] * width

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        runs, width = typeset(self.text, self.size, bold=self.bold)
        top = max((run.rise + _ASCENT * run.size for run in runs), default=0.0)
        bottom = max((_DESCENT * run.size - run.rise for run in runs), default=0.0)
        return self.left, self.y - top, self.left + width, self.y + bottom

    def moved(self, dx: float, dy: float) -> Self:
        """Return the same at another place."""
        return replace(self, x=self.x + dx, y=self.y + dy)


@dataclass(frozen=True)
class Picture:
    """A picture: what is drawn first lies below.

    Args:
        width: Float.
        height: Float.
        title: String. In plain words, for whoever does not see it.
        description: String. What one sees, in plain words.
        shapes: Tuple of `Shape`.
    """

    width: float
    height: float
    title: str
    description: str
    shapes: tuple[Shape, ...]

    def marked(self, role: str, layer: int | None = None) -> list[Shape]:
        """Return the shapes that stand for something."""
        return [each for each in self.shapes if each.mark.role == role and layer in (None, each.mark.layer)]

    @property
    def labels(self) -> list[Label]:
        """All texts."""
        return [shape for shape in self.shapes if isinstance(shape, Label)]


def arrow(
    *points: Point,
    colour: str = INK,
    line: float = 1.6,
    radius: float = 8.0,
    dash: float = 0.0,
    mark: Mark = NOTHING,
) -> list[Shape]:
    """Return a line with a head at its end."""
    base = _towards(points[-1], points[-2], _HEAD_LENGTH)
    shaft = Path((*points[:-1], base), stroke=colour, line=line, radius=radius, dash=dash, mark=mark)
    return [shaft, _head(base, points[-1], _HEAD_WIDTH, fill=colour, stroke="none")]


def broad_arrow(
    *points: Point, fill: str, outline: str, width: float = 6.0, dash: float = 0.0, mark: Mark = NOTHING
) -> list[Shape]:
    """Return an arrow with an outline, so that it is seen however light its colour is."""
    base = _towards(points[-1], points[-2], 1.5 * _HEAD_LENGTH)
    # The colour reaches into the head a little, so that no line is left between the two.
    inside = _towards(points[-1], points[-2], 1.5 * _HEAD_LENGTH - 2)
    head = _head(base, points[-1], 2.4 * width, fill=fill, stroke=outline)
    shaft = Path((*points[:-1], base), stroke=outline, line=width + 2, radius=6.0)
    start = _towards(points[0], points[1], 1.0)
    return [
        shaft,
        head,
        Path((start, *points[1:-1], inside), stroke=fill, line=width, radius=6.0, mark=mark, dash=dash),
    ]


def scissors(x: float, y: float, colour: str, mark: Mark = NOTHING) -> list[Shape]:
    """Return a pair of scissors that cuts downwards, its middle at a point."""
    blades = [((x - 4.0, y - 4.5), (x + 3.2, y + 8.0)), ((x + 4.0, y - 4.5), (x - 3.2, y + 8.0))]
    rings: list[Shape] = [Circle(x + side, y - 7.0, 3.0, stroke=colour, line=1.5) for side in (-4.8, 4.8)]
    return [
        *rings,
        *(
            Path(blade, stroke=colour, line=1.6, mark=mark if first else NOTHING)
            for first, blade in zip((True, False), blades, strict=True)
        ),
    ]


def bracket(left: float, right: float, y: float, colour: str, mark: Mark = NOTHING) -> Shape:
    """Return a square bracket that lies over what is between `left` and `right`."""
    return Path(((left, y + 6), (left, y), (right, y), (right, y + 6)), stroke=colour, line=1.5, mark=mark)


def _head(base: Point, tip: Point, width: float, *, fill: str, stroke: str) -> Path:
    length = math.dist(base, tip)
    across = ((tip[1] - base[1]) / length * width / 2, (base[0] - tip[0]) / length * width / 2)
    wings = ((base[0] + across[0], base[1] + across[1]), (base[0] - across[0], base[1] - across[1]))
    return Path((wings[0], tip, wings[1]), fill=fill, stroke=stroke, line=1.0, closed=True)


def _towards(start: Point, end: Point, distance: float) -> Point:
    share = distance / math.dist(start, end)
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def extent(shapes: Sequence[Shape]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of several shapes."""
    lefts, tops, rights, bottoms = zip(*(shape.bounds for shape in shapes), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
