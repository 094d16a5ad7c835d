"""How each layer executes: as a loop, laid out, or in chunks inside a loop; and its way back, cut or recomputed.

A long module: the three ways to execute share their boxes and arrows, and look alike for that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from kerasunroll.figures.diagram.colours import CUT, LayerColours, layer_colours
from kerasunroll.figures.diagram.grid import (
    CELL_HEIGHT,
    CELL_WIDTH,
    LABEL_SIZE,
    NODE,
    cell,
    first_borders,
    hidden_cuts,
    node,
    shown_time_steps,
)
from kerasunroll.figures.diagram.network import Layer, Network, Way
from kerasunroll.figures.diagram.notation import width_of
from kerasunroll.figures.diagram.shapes import (
    INK,
    MUTED,
    Box,
    Circle,
    Label,
    Mark,
    Path,
    Picture,
    Shape,
    arrow,
    bracket,
    extent,
    scissors,
)
from kerasunroll.figures.diagram.sheet import on_sheet

_GAP: Final = 34.0
"""Between two copies of a cell."""

_TURN: Final = 24.0
"""How far the arrow of a loop goes beside and above what it repeats."""

_BETWEEN: Final = 46.0
_PAD: Final = 16.0
_STEP: Final = 66.0
_SQUARE: Final = 30.0
_DOT: Final = 5.0


def execution(network: Network, show: int | None = None) -> Picture:
    """Draw how each layer of a network executes.

    Args:
        network: `Network`.
        show: Integer or `None`. The number of time steps to draw, as in `shown_time_steps`.
    """
    drawn = [
        [_way(number, layer, way, network, show) for way in layer.ways]
        for number, layer in enumerate(network.layers, start=1)
    ]
    gutters = [_gutter(layer, network.timesteps) for layer in network.layers]
    widest = max(width_of(line, LABEL_SIZE + 0.5) for lines in gutters for line in lines)
    right = max(extent(shapes)[2] for ways in drawn for shapes in ways) + 24
    left = -widest - 50
    shapes: list[Shape] = []
    top = 0.0
    middle = right / 2
    for number, (lines, ways) in enumerate(zip(gutters, drawn, strict=True), start=1):
        colours = layer_colours(number)
        bottom = top - _BETWEEN if number > 1 else top
        y, placed = bottom - _PAD, []
        for way in ways:
            _, way_top, _, way_bottom = extent(way)
            placed += [shape.moved(0, y - way_bottom) for shape in way]
            y -= way_bottom - way_top + 22
        under, top = top, min(y + 22, bottom - _PAD - 19 * len(lines)) - _PAD
        # Where there are more words than cells, the cells stand in the middle.
        slack = (top + _PAD) - (y + 22)
        placed = [shape.moved(0, slack / 2) for shape in placed]
        shapes.append(Box(left, top, right - left, bottom - top, fill=colours.band, mark=Mark("layer", number)))
        shapes += [*_words(number, lines, left + 14, (top + bottom) / 2), *placed]
        if number > 1:
            shapes += _passed_on(middle, under, bottom, f"$h_t^{{({number - 1})}}$")
    last = network.timesteps - 1
    shapes += arrow((middle, _BETWEEN), (middle, 3.0))
    inputs = f"$x_0$ … $x_{{{last}}}$" if last else "$x_0$"
    shapes.append(Label(middle, _BETWEEN + 16, inputs, size=13, mark=Mark("input")))
    shapes += arrow((middle, top), (middle, top - _BETWEEN + 1))
    y = top - _BETWEEN - NODE
    shapes += node(middle, y, "$y_t$" if network.sequences else "$y$", Mark("output"))
    legend = _legend([way for layer in network.layers for way in layer.ways])
    return on_sheet(f"Execution: {network.name}", _caption(network), shapes, legend)


def copies(unroll: bool | int, timesteps: int) -> tuple[int, int, int]:
    """Return how time steps are laid out.

    Args:
        unroll: `False`, `True` or an integer.
        timesteps: Integer.

    Returns:
        The copies of the cell inside the loop, the iterations of the loop, and the copies outside.

    Example:
    >>> copies(3, timesteps=7)
    (3, 2, 1)
    """
    if isinstance(unroll, bool):
        return (0, 0, timesteps) if unroll or not timesteps else (1, timesteps, 0)
    iterations, rest = divmod(timesteps, unroll)
    return (unroll if iterations else 0), iterations, rest


def all_copies(way: Way, timesteps: int) -> int:
    """Return the copies of the cell in the graph: with segments, those of one segment and of what remains.

    Example:
    >>> all_copies(Way(unroll=True, segment=3), timesteps=7)
    4
    """
    lengths = (timesteps,) if way.segment is None else (way.segment, timesteps % way.segment)
    return sum(inside + outside for inside, _, outside in (copies(way.unroll, length) for length in lengths))


@dataclass(frozen=True)
class _Program:
    """Draws what is in the graph of one way through time, from left to right, around y = 0.

    Args:
        number: Integer. The number of the layer.
        layer: `Layer`.
        show: As in `shown_time_steps`.
    """

    number: int
    layer: Layer
    show: int | None

    @property
    def colours(self) -> LayerColours:
        """The colours of the layer."""
        return layer_colours(self.number)

    def row(self, x: float, names: Sequence[str], role: str) -> tuple[list[Shape], float, float]:
        """Draw copies of the cell from x on, with arrows between them; return them and where they begin and end."""
        shapes: list[Shape] = []
        start, middles = x, []
        for index in shown_time_steps(len(names), self.show):
            middle = x + CELL_WIDTH / 2
            middles.append(middle)
            if index is None:
                shapes.append(Label(middle, 6, "· · ·", size=18, colour=self.colours.line, bold=True))
            else:
                shapes += cell(self.layer, self.colours, middle, 0.0, Mark(role, self.number, index))
                shapes.append(Label(middle, CELL_HEIGHT / 2 + 16, names[index], size=LABEL_SIZE, colour=MUTED))
            x += CELL_WIDTH + _GAP
        for before, after in pairwise(middles):
            shapes += self.states(before + CELL_WIDTH / 2, after - CELL_WIDTH / 2 - 1)
        return shapes, start, x - _GAP

    def states(self, start: float, end: float) -> list[Shape]:
        """Draw the states on their way from one copy to the next."""
        heights = [0.0] if len(self.layer.states) == 1 else [-9.0, 9.0]
        return [shape for y in heights for shape in arrow((start, y), (end, y), colour=self.colours.line)]

    def loop(self, start: float, end: float, top: float, words: str) -> list[Shape]:
        """Draw the arrow that leads from the end of what is repeated back to its start, over it."""
        left, right = start - _TURN, end + _TURN
        points = ((end, 0.0), (right, 0.0), (right, top), (left, top), (left, 0.0), (start - 1, 0.0))
        mark = Mark("loop", self.number)
        label = Label((start + end) / 2, top - 8, words, size=LABEL_SIZE, colour=self.colours.line, bold=True)
        return [*arrow(*points, colour=self.colours.line, line=2.2, radius=12.0, mark=mark), label]


def _way(number: int, layer: Layer, way: Way, network: Network, show: int | None) -> list[Shape]:
    program = _Program(number, layer, show)
    order = _order(way, network)
    sign = "+" if order[0] <= order[-1] else "-"
    if way.segment is None:
        shapes = _run(program, way.unroll, [str(t) for t in order], sign, 0.0)
    else:
        shapes = _in_segments(program, way.unroll, way.segment, order, sign)
    if len(layer.ways) == 2:
        words = "backwards" if way.backwards else "forwards"
        top = extent(shapes)[1]
        shapes.append(Label(0.0, top - 10, words, size=LABEL_SIZE, anchor="start", colour=MUTED, bold=True))
    if way.truncate or way.segment:
        strip = _way_back(number, way, network, show)
        bottom, top = extent(shapes)[3], extent(strip)[1]
        shapes += [shape.moved(0.0, bottom - top + 20) for shape in strip]
    return shapes


def _in_segments(program: _Program, unroll: bool | int, length: int, order: range, sign: str) -> list[Shape]:
    """Draw the loop over the segments, and the run of one of them inside it; then what remains."""
    count = len(order) // length
    words = _times("segment", "s", [str(order[each * length]) for each in range(count)])
    inner = _run(program, unroll, [f"s{sign}{index}" if index else "s" for index in range(length)], sign, 0.0)
    left, top, right, bottom = extent(inner)
    lead = max(0.0, (width_of(words, LABEL_SIZE, bold=True) - (right - left) - 2 * _TURN) / 2)
    x = _TURN + 10 + lead - left
    start, end = x + left - 10, x + right + 10
    frame = _frame(start, top - 10, end, bottom + 10, program.colours, Mark("segment loop", program.number))
    loop = program.loop(start, end, top - 34, words)
    shapes = [frame, *loop, *(shape.moved(x, 0.0) for shape in inner)]
    rest = [str(t) for t in order[count * length :]]
    if rest:
        shapes += arrow((end + _TURN, 0.0), (end + _TURN + 31, 0.0), colour=program.colours.line)
        shapes += _run(program, unroll, rest, sign, end + lead + _TURN + 32, after=True)
    return shapes


def _run(
    program: _Program, unroll: bool | int, names: Sequence[str], sign: str, x: float, *, after: bool = False
) -> list[Shape]:
    """Draw how some time steps run in a setting, from x on.

    Args:
        program: `_Program`.
        unroll: `False`, `True` or an integer.
        names: Sequence of strings, such as `"0"` or `"s+1"`: the time steps in the order of processing.
        sign: `"+"`, or `"-"` where the last time step is processed first.
        x: Float.
        after: Boolean, default `False`. Whether this is what remains after something else.
    """
    inside, iterations, outside = copies(unroll, len(names))
    shapes: list[Shape] = []
    if inside:
        words = _times("iteration", "t", [names[each * inside] for each in range(iterations)])
        margin = 10.0 if inside > 1 else 0.0
        width = _row_width(inside, program.show) + 2 * margin
        lead = max(0.0, (width_of(words, LABEL_SIZE, bold=True) - 2 * _TURN - width) / 2)
        labels = [f"$t{sign}{index}$" if index else "$t$" for index in range(inside)]
        row, start, end = program.row(x + _TURN + lead + margin, labels, "cell")
        top = -CELL_HEIGHT / 2 - _TURN
        if inside > 1:
            half = CELL_HEIGHT / 2
            row.insert(
                0, _frame(start - 10, -half - 10, end + 10, half + 26, program.colours, Mark("chunk", program.number))
            )
            start, end, top = start - 10, end + 10, top - 8
        shapes += [*program.loop(start, end, top, words), *row]
        x = end + _TURN + lead
    if outside:
        if inside:
            shapes += arrow((end + _TURN, 0.0), (x + 31, 0.0), colour=program.colours.line)
            x += 32
        elif not after:
            x += _TURN
        labels = [f"$t={name}$" for name in names[inside * iterations :]]
        row, start, end = program.row(x, labels, "rest" if inside or after else "cell")
        words = "the rest, once" if inside or after else f"{_number(outside, 'copy', 'copies')}, each run once"
        y = -CELL_HEIGHT / 2 - 12
        shapes += [
            *row,
            Label(start, y, words, size=LABEL_SIZE, anchor="start", colour=program.colours.line, bold=True),
        ]
    return shapes


def _frame(left: float, top: float, right: float, bottom: float, colours: LayerColours, mark: Mark) -> Shape:
    """Return the dashed frame around what a loop repeats."""
    return Box(left, top, right - left, bottom - top, stroke=colours.line, dash=4.0, line=1.2, radius=10.0, mark=mark)


def _way_back(number: int, way: Way, network: Network, show: int | None) -> list[Shape]:
    """Draw the gradient's way back through the time steps, in the order in which they were processed."""
    colours = layer_colours(number)
    order = _order(way, network)
    columns = shown_time_steps(network.timesteps, show, first_borders(network))
    first = width_of("way back", LABEL_SIZE, bold=True) + _STEP - _SQUARE + 12
    xs = [first + column * _STEP for column in range(len(columns))]
    shapes: list[Shape] = [
        Label(0.0, 4, "way back", size=LABEL_SIZE, anchor="start", colour=MUTED, bold=True),
    ]
    for index, x in zip(columns, xs, strict=True):
        if index is None:
            shapes.append(Label(x + _SQUARE / 2, 5, "· · ·", size=18, colour=colours.line, bold=True))
            shapes += hidden_cuts(way, columns, x + _SQUARE / 2, -22.0, number)
            continue
        square = Mark("time step", number, index)
        shapes.append(Box(x, -13, _SQUARE, 26, fill=colours.cell, stroke=colours.line, line=1.2, radius=4, mark=square))
        shapes.append(Label(x + _SQUARE / 2, 4.5, str(order[index]), size=LABEL_SIZE, colour=colours.line))
    for column, index in enumerate(columns):
        entered = index if index is not None else (columns[column - 1] or 0) + 1
        shapes += _state_between(number, way, network.timesteps, entered, xs[column])
    for segment in _segments(way, network.timesteps):
        shapes += _segment(number, segment, columns, xs)
    return shapes


def _state_between(number: int, way: Way, timesteps: int, entered: int, x: float) -> list[Shape]:
    """Draw the state that enters a time step, left of it, and the gradient that leaves the time step by it."""
    middle = x - (_STEP - _SQUARE) / 2
    colours = layer_colours(number)
    shapes: list[Shape] = []
    if way.truncate and entered and entered % way.truncate == 0:
        shapes.append(Path(((middle, -16.0), (middle, 20.0)), stroke=CUT, line=1.8, dash=4.0))
        shapes += scissors(middle, -22.0, CUT, Mark("cut", number, entered))
    elif entered:
        shapes += arrow((x, 0.0), (x - _STEP + _SQUARE + 1, 0.0), colour=INK, line=1.4)
    kept = way.segment is None or entered % way.segment == 0 or entered >= timesteps // way.segment * way.segment
    mark = Mark("kept" if kept else "recomputed", number, entered)
    shapes.append(Circle(middle, 0.0, _DOT, fill=colours.line if kept else "#ffffff", stroke=colours.line, mark=mark))
    return shapes


def _segment(number: int, segment: tuple[int, int], columns: Sequence[int | None], xs: Sequence[float]) -> list[Shape]:
    """Draw a bracket over the time steps of a segment that are shown; it is open where some are not."""
    first, last = segment
    inside = [column for column, index in enumerate(columns) if index is not None and first <= index <= last]
    if not inside:
        return []
    left, right, y = xs[inside[0]], xs[inside[-1]] + _SQUARE, -38.0
    mark = Mark("segment", number, first, f"{first}-{last}")
    whole = bracket(left, right, y, INK, mark)
    assert isinstance(whole, Path)  # noqa: S101
    points = list(whole.points)
    if columns[inside[0]] != first:
        points = [(left - _STEP / 2, y), *points[2:]]
    if columns[inside[-1]] != last:
        points = [*points[:-2], (right + _STEP / 2, y)]
    return [Path(tuple(points), stroke=INK, line=1.5, mark=mark)]


def _segments(way: Way, timesteps: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last time step of each segment that is recomputed: what remains of T is kept."""
    if way.segment:
        for last in range(way.segment - 1, timesteps, way.segment):
            yield last - way.segment + 1, last


def _order(way: Way, network: Network) -> range:
    """Return the time steps in the order of processing."""
    steps = range(network.timesteps)
    return steps[::-1] if way.backwards else steps


def _row_width(count: int, show: int | None) -> float:
    return len(shown_time_steps(count, show)) * (CELL_WIDTH + _GAP) - _GAP


def _times(word: str, symbol: str, starts: Sequence[str]) -> str:
    """Return such as `2 iterations: t = 0, 3`."""
    values = starts if len(starts) <= 3 else [*starts[:2], "…", starts[-1]]
    return f"{_number(len(starts), word, word + 's')}: ${symbol}$ = {', '.join(f'${value}$' for value in values)}"


def _number(count: int, singular: str, plural: str) -> str:
    return f"{count} {singular if count == 1 else plural}"


def _gutter(layer: Layer, timesteps: int) -> list[str]:
    count = all_copies(layer.ways[0], timesteps)
    settings = list(dict.fromkeys(way.setting for way in layer.ways))
    return [
        f"{layer.cell}, {layer.units} units",
        *(["in both directions"] if len(layer.ways) == 2 else []),
        f"setting {' and '.join(settings)}",
        f"{_number(count, 'copy', 'copies')} of the cell" + (" each" if len(layer.ways) == 2 else ""),
    ]


def _words(number: int, lines: Sequence[str], x: float, middle: float) -> list[Shape]:
    y = middle - 18 * len(lines) / 2 + 4
    colour = layer_colours(number).line
    shapes: list[Shape] = [
        Label(x, y, f"layer {number}", size=LABEL_SIZE + 1.5, anchor="start", colour=colour, bold=True)
    ]
    for line, words in enumerate(lines, start=1):
        shapes.append(Label(x, y + 18 * line, words, size=LABEL_SIZE + 0.5, anchor="start", colour=MUTED))
    return shapes


def _passed_on(x: float, start: float, end: float, text: str) -> list[Shape]:
    """Draw what a layer gives to the next."""
    label = Label(x + 8, (start + end) / 2 + 4, f"{text} of all time steps", size=LABEL_SIZE, anchor="start")
    return [*arrow((x, start), (x, end + 1)), label]


def _legend(ways: Sequence[Way]) -> list[Shape]:
    shapes: list[Shape] = []
    x = 0.0
    colour = layer_colours(1).line
    entries: list[tuple[list[Shape], str]] = []
    if any(way.segment for way in ways):
        entries += [
            ([Circle(8.0, 0.0, _DOT, fill=colour, stroke=colour)], "state, kept"),
            ([Circle(8.0, 0.0, _DOT, fill="#ffffff", stroke=colour)], "state, recomputed"),
            ([bracket(0.0, 20.0, -3.0, INK)], "segment"),
        ]
    if any(way.truncate for way in ways):
        entries.append((scissors(8.0, 0.0, CUT), "gradient cut"))
    for symbol, words in entries:
        shapes += [shape.moved(x, 0.0) for shape in symbol]
        shapes.append(Label(x + 28, 4, words, size=LABEL_SIZE, anchor="start", colour=MUTED))
        x += 28 + width_of(words, LABEL_SIZE) + 28
    return shapes


def _caption(network: Network) -> str:
    ways = [way for layer in network.layers for way in layer.ways]
    kinds = {True: "full", False: "loop"}
    settings = {kinds[way.unroll] if isinstance(way.unroll, bool) else "k" for way in ways}
    words = []
    if len(network.layers) > 1:
        words.append("Each layer runs through all time steps by itself, then the next one does.")
    if "loop" in settings:
        words.append("loop: the graph has one copy of the cell, which runs once for each time step.")
    if "full" in settings:
        words.append("full: the graph has a copy of the cell for each time step, and no loop.")
    if "k" in settings:
        words.append("k: the graph has k copies of the cell in a loop, and one more for each time step that remains.")
    if any(way.segment for way in ways):
        words.append("With segments, this holds for each segment: the segments run in a loop around it.")
    if settings != {"loop"}:
        words.append("All copies have the same weights.")
    if any(way.truncate for way in ways):
        words.append("The gradient does not pass a cut (truncate).")
    if any(way.segment for way in ways):
        words.append(
            "On the way back, the states inside a segment are computed again from the one that was kept at its "
            "beginning (recompute); a rest shorter than a segment is kept."
        )
    return " ".join(words)
