"""Where everything stands in a network that is laid out over time: columns of time steps, bands of layers.

A layer with one way through time has one row of cells. A bidirectional one has two, and its cells stand to the left and
to the right of the middle of their column, so that what goes up and down passes between them.

A long module: one geometry, of which each part rests on the others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from kerasunroll.figures.diagram.colours import CUT, LayerColours, layer_colours
from kerasunroll.figures.diagram.network import Layer, Network, Way
from kerasunroll.figures.diagram.notation import width_of
from kerasunroll.figures.diagram.shapes import INK, MUTED, Box, Circle, Label, Mark, Shape, scissors

CELL_WIDTH: Final = 62.0
CELL_HEIGHT: Final = 46.0
NODE: Final = 17.0
"""The radius of the circle of an input or output."""

ALL_SHOWN: Final = 12
SHOWN: Final = 8
LABEL_SIZE: Final = 12.0

_ASIDE: Final = 36.0
"""How far the cells of a bidirectional layer stand from the middle of their column."""

_PAD: Final = 17.0
_BETWEEN: Final = 46.0
_FORK: Final = 24.0
_ROWS: Final = 34.0
_STATE_ASIDE: Final = 9.0
_GUTTER_SIZE: Final = 12.5


def shown_time_steps(timesteps: int, show: int | None = None, first: int = 0) -> tuple[int | None, ...]:
    """Return the time steps that are drawn, with a `None` for the ellipsis where some are not.

    Args:
        timesteps: Integer. T.
        show: Integer, at least 3, or `None` (default): up to 12 all, of more 8.
        first: Integer. How many there are to be before the ellipsis at least, without `show`; up to 12.

    Example:
    >>> shown_time_steps(100, show=4)
    (0, 1, 2, None, 99)
    """
    if show is None:
        show = max(SHOWN, min(first, ALL_SHOWN) + 2) if timesteps > ALL_SHOWN else timesteps
    if show >= timesteps:
        return tuple(range(timesteps))
    last = max(1, show // 4)
    return (*range(show - last), None, *range(timesteps - last, timesteps))


def first_borders(network: Network) -> int:
    """Return how many time steps it takes to see the first cut and the first border between segments."""
    ways = [way for layer in network.layers for way in layer.ways]
    borders = [border for way in ways for border in (way.truncate, way.segment) if border and border < ALL_SHOWN]
    return max(borders, default=-1) + 1


def hidden_cuts(way: Way, columns: Sequence[int | None], x: float, y: float, number: int) -> list[Shape]:
    """Return a pair of scissors for the cuts that lie in the ellipsis, and how many they are.

    Args:
        way: `Way`.
        columns: The time steps that are shown, in the order of processing.
        x: Float. The middle of the ellipsis.
        y: Float. Where the scissors are.
        number: Integer. The number of the layer.
    """
    at = columns.index(None)
    before, after = columns[at - 1], columns[at + 1]
    if not way.truncate or before is None or after is None:
        return []
    # At their borders to what is shown, cuts are drawn where they are.
    count = after // way.truncate - (before + 1) // way.truncate - (after % way.truncate == 0)
    if count < 1:
        return []
    words = f"{count} {'cut' if count == 1 else 'cuts'}"
    mark = Mark("hidden cuts", number, None, str(count))
    return [*scissors(x, y, CUT, mark), Label(x, y + 48, words, size=11, colour=CUT)]


@dataclass(frozen=True)
class Row:
    """The cells of one way through time.

    Args:
        way: `Way`.
        y: Float. The middle of its cells.
        aside: Float. How far its cells stand from the middle of their column.
        number: Integer. Which of all rows of the network it is, the first layer's first.
    """

    way: Way
    y: float
    aside: float
    number: int


@dataclass(frozen=True)
class Band:
    """One layer.

    Args:
        number: Integer, counted from 1.
        layer: `Layer`.
        top: Float.
        bottom: Float.
        rows: Tuple of `Row`, in the order of the layer's ways.
    """

    number: int
    layer: Layer
    top: float
    bottom: float
    rows: tuple[Row, ...]

    @property
    def colours(self) -> LayerColours:
        """The colours of the layer."""
        return layer_colours(self.number)

    @property
    def above(self) -> float:
        """Where what goes up leaves, in the middle of a column: the top of the cells, or where two ways join."""
        return self.top + _PAD if len(self.rows) == 1 else self.top + _PAD - 2

    @property
    def below(self) -> float:
        """Where what comes from below arrives: the bottom of the cells, or where it forks."""
        return self.bottom - _PAD if len(self.rows) == 1 else self.bottom - _PAD + 2


@dataclass(frozen=True)
class Hop:
    """A state on its way from one column to the next.

    Args:
        time_step: Integer. The time step whose state it is; -1 or T for the initial state.
        start: Float. x of the edge of the cell that it leaves.
        end: Float. x of the edge of the cell that it enters.
        middle: Float. x of its label.
        made_at: Integer. How many time steps were processed before the one that made it; -1 for the initial state.
    """

    time_step: int
    start: float
    end: float
    middle: float
    made_at: int


class Grid:
    """The places of everything.

    Args:
        network: `Network`.
        show: As in `shown_time_steps`.
        symbols: Function from layer number, state and time step to the label of a state between two columns.
        outputs: String. The symbol of the outputs, such as `"y"`.

    Attributes:
        time_steps: The columns: time steps, or `None` for the ellipsis.
        bands: The layers, the first one first.
        symbol: `symbols`.
    """

    def __init__(
        self, network: Network, show: int | None, symbols: Callable[[str, int, str], str], outputs: str
    ) -> None:
        self.network = network
        self.time_steps = shown_time_steps(network.timesteps, show, first_borders(network))
        self.symbols = symbols
        self.outputs = outputs
        two = any(len(layer.ways) == 2 for layer in network.layers)
        longest = str(network.timesteps)
        widest = max(
            width_of(symbols(state, number, longest), LABEL_SIZE)
            for number, layer in enumerate(network.layers, start=1)
            for state in layer.states
        )
        self._widest = widest
        self._pitch = CELL_WIDTH + max(46.0, widest + 20)
        if two:
            # Between two cells of a row, what goes up or down passes as well.
            self._pitch = max(self._pitch, 2 * _ASIDE + CELL_WIDTH / 2 + widest + 20)
        self._aside = _ASIDE if two else 0.0
        self.bands = tuple(self._bands())

    def x(self, column: int) -> float:
        """Return the middle of a column."""
        return column * self._pitch

    def symbol(self, state: str, band: Band, row: Row, time_step: int) -> str:
        """Return the label of a state."""
        accent = "" if len(band.rows) == 1 else ("\\left" if row.way.backwards else "\\right")
        return self.symbols(f"{accent}{state}", band.number, str(time_step))

    @property
    def output_y(self) -> float:
        """The middle of the outputs."""
        return self.bands[-1].top - _BETWEEN - NODE

    @property
    def input_y(self) -> float:
        """The middle of the inputs."""
        return self.bands[0].bottom + _BETWEEN + NODE

    def columns(self) -> list[tuple[int, int | None]]:
        """Return the numbers of the columns and their time steps."""
        return list(enumerate(self.time_steps))

    def hops(self, row: Row) -> list[Hop]:
        """Return the states on their way through a row, from the initial one, in the order of processing."""
        last = self.network.timesteps - 1
        reverse = row.way.backwards and not self.network.reversed
        order = self.columns()[::-1] if reverse else self.columns()
        side = -1 if reverse else 1
        edge = side * CELL_WIDTH / 2
        end = self.x(order[0][0]) + row.aside - edge
        start = end - side * (self._pitch - CELL_WIDTH)
        hops = [Hop(last + 1 if reverse else -1, start, end, (start + end) / 2, -1)]
        for (before, t), (after, next_t) in pairwise(order):
            made_at = (last - t if reverse else t) if t is not None else self._before(next_t, reverse=reverse)
            start, end = self.x(before) + row.aside + edge, self.x(after) + row.aside - edge
            # In a bidirectional layer, something passes on its way to or from the cell of the other direction.
            passes = [self.x(each) - row.aside for each in (before, after)] if row.aside else []
            borders = [start, *(x for x in passes if min(start, end) < x < max(start, end)), end]
            middle = max(pairwise(borders), key=lambda gap: abs(gap[1] - gap[0]))
            hops.append(Hop(last - made_at if reverse else made_at, start, end, sum(middle) / 2, made_at))
        return hops

    def _before(self, next_t: int | None, *, reverse: bool) -> int:
        assert next_t is not None  # noqa: S101  # there is one ellipsis, and a column on each side of it
        return (self.network.timesteps - 1 - next_t if reverse else next_t) - 1

    def _bands(self) -> list[Band]:
        bands: list[Band] = []
        y = 0.0
        number = 0
        for index, layer in enumerate(self.network.layers, start=1):
            bottom = y - (index > 1) * _BETWEEN
            if len(layer.ways) == 1:
                top = bottom - 2 * _PAD - CELL_HEIGHT
                rows: tuple[Row, ...] = (Row(layer.ways[0], (top + bottom) / 2, 0.0, number),)
            else:
                top = bottom - 2 * _PAD - 2 * CELL_HEIGHT - _ROWS - 2 * _FORK
                lower = bottom - _PAD - _FORK - CELL_HEIGHT / 2
                upper = top + _PAD + _FORK + CELL_HEIGHT / 2
                forwards, backwards = layer.ways
                rows = (Row(forwards, lower, -_ASIDE, number), Row(backwards, upper, _ASIDE, number + 1))
            bands.append(Band(index, layer, top, bottom, rows))
            number += len(layer.ways)
            y = top
        return bands

    def background(self) -> list[Shape]:
        """Return the bands with the names of the layers and their weights."""
        first, last = self.x(0), self.x(len(self.time_steps) - 1)
        right = last + max(self._aside + CELL_WIDTH / 2 + 16, self._widest + 18)
        if self._aside:
            right += self._pitch - CELL_WIDTH  # the backward rows begin there
        names = {band.number: _gutter(band) for band in self.bands}
        widest = max(width_of(line, size, bold=bold) for lines in names.values() for line, size, bold in lines)
        inner = first - self._aside - CELL_WIDTH / 2 - (self._pitch - CELL_WIDTH) - 12
        left = inner - widest - 26
        shapes: list[Shape] = []
        for band in self.bands:
            place = Mark("layer", band.number)
            shapes.append(Box(left, band.top, right - left, band.bottom - band.top, fill=band.colours.band, mark=place))
            lines = names[band.number]
            y = (band.top + band.bottom) / 2 - 18 * (len(lines) - 1) / 2 + 4
            for line, size, bold in lines:
                colour = band.colours.line if bold or "$" in line else MUTED
                shapes.append(Label(left + 14, y, line, size=size, anchor="start", colour=colour, bold=bold))
                y += 18
        return shapes

    def cells(self) -> list[Shape]:
        """Return the copies of the cells, and the ellipses between them."""
        shapes: list[Shape] = []
        for band in self.bands:
            for row in band.rows:
                for column, t in self.columns():
                    x = self.x(column) + row.aside
                    if t is None:
                        shapes.append(Label(x, row.y + 5, "· · ·", size=18, colour=band.colours.line, bold=True))
                    else:
                        shapes += cell(
                            band.layer, band.colours, x, row.y, Mark("cell", band.number, t, str(row.number))
                        )
        return shapes

    def nodes(self, outputs: Sequence[int]) -> list[Shape]:
        """Return the inputs, and the outputs in some columns."""
        shapes: list[Shape] = []
        last = self.network.timesteps - 1
        for column, t in self.columns():
            if t is None:
                shapes.append(Label(self.x(column), self.input_y + 5, "· · ·", size=18, colour=INK, bold=True))
            else:
                read = last - t if self.network.reversed else t
                shapes += node(self.x(column), self.input_y, f"$x_{{{read}}}$", Mark("input", None, read))
        for column in outputs:
            made = self.time_steps[column]
            if made is None:
                shapes.append(Label(self.x(column), self.output_y + 5, "· · ·", size=18, colour=INK, bold=True))
            else:
                symbol = f"${self.outputs}_{{{made}}}$" if self.network.sequences else f"${self.outputs}$"
                shapes += node(self.x(column), self.output_y, symbol, Mark("output", None, made))
        return shapes

    def output_columns(self) -> list[int]:
        """Return the columns that have an output: all, or the last."""
        every = range(len(self.time_steps))
        return list(every) if self.network.sequences else [every[-1]]

    def state_heights(self, layer: Layer, row: Row) -> dict[str, float]:
        """Return y of each state between the cells: c, which passes almost unchanged, lies above h."""
        if len(layer.states) == 1:
            return {layer.states[0]: row.y}
        return {"h": row.y + _STATE_ASIDE, "c": row.y - _STATE_ASIDE}


def label_y(layer: Layer, state: str, y: float) -> float:
    """Return the baseline of the label of a state on its way: above it, or below where another lies above."""
    return y + 20 if state == "h" and len(layer.states) == 2 else y - 11


def cell(layer: Layer, colours: LayerColours, x: float, y: float, mark: Mark) -> list[Shape]:
    """Return one copy of a cell around a point, its weights written on it."""
    corner = (x - CELL_WIDTH / 2, y - CELL_HEIGHT / 2)
    return [
        Box(*corner, CELL_WIDTH, CELL_HEIGHT, fill=colours.cell, stroke=colours.line, mark=mark),
        Label(x, y - 3, layer.short, size=12.5, colour=colours.line, bold=True),
        Label(x, y + 14, "$W U b$", size=11, colour=colours.line),
    ]


def node(x: float, y: float, text: str, mark: Mark) -> list[Shape]:
    """Return an input or output around a point."""
    return [Circle(x, y, NODE, fill="#ffffff", stroke=INK, mark=mark), Label(x, y + 4, text, size=13)]


def _gutter(band: Band) -> list[tuple[str, float, bool]]:
    number, layer = band.number, band.layer
    weights = f"$W^{{({number})}}$, $U^{{({number})}}$, $b^{{({number})}}$"
    lines = [
        (f"layer {number}", _GUTTER_SIZE + 1, True),
        (f"{layer.cell}, {layer.units} units", _GUTTER_SIZE, False),
    ]
    if len(layer.ways) == 2:
        return [
            *lines,
            ("in both directions", _GUTTER_SIZE, False),
            (f"{weights}", _GUTTER_SIZE, False),
            ("one set for each", _GUTTER_SIZE, False),
        ]
    return [*lines, (f"{weights} shared", _GUTTER_SIZE, False)]
