"""The folded network: every layer once, its states coming back to it after a delay of one time step."""

from dataclasses import replace
from typing import Final

from kerasunroll.figures.diagram.colours import LayerColours, layer_colours
from kerasunroll.figures.diagram.grid import LABEL_SIZE, NODE, node
from kerasunroll.figures.diagram.network import Layer, Network, Way
from kerasunroll.figures.diagram.notation import width_of
from kerasunroll.figures.diagram.shapes import INK, MUTED, Box, Label, Mark, Path, Picture, Shape, arrow
from kerasunroll.figures.diagram.sheet import on_sheet

_WIDTH: Final = 150.0
_HALF: Final = {1: 34.0, 2: 54.0}
"""Half the height of a cell, by its number of states."""

_ASIDE: Final = 112.0
_BETWEEN: Final = 46.0
_PAD: Final = 22.0
_FORK: Final = 22.0
_REACH: Final = {"h": 58.0, "c": 118.0}
"""How far the way of a state goes beside the cell."""


def folded(network: Network, show: int | None = None) -> Picture:  # noqa: ARG001  # time is not laid out
    """Draw a network with the cycles of its states.

    Args:
        network: `Network`.
        show: Not looked at: there is one copy of everything.
    """
    gutter = max(
        max(width_of(line, LABEL_SIZE + 0.5) for line in _names(number, layer))
        for number, layer in enumerate(network.layers, start=1)
    )
    two = any(len(layer.ways) == 2 for layer in network.layers)
    # A cell that stands aside has its cycle on its outer side.
    right = (_ASIDE if two else 0.0) + _WIDTH / 2 + _REACH["c"] + 44
    left = -(right - 20 if two else _WIDTH / 2 + 30) - gutter - 28
    shapes: list[Shape] = []
    start = NODE
    shapes += node(0.0, 0.0, "$x_t$", Mark("input"))
    below = 0.0 - NODE
    top = 0.0
    for number, layer in enumerate(network.layers, start=1):
        bottom = below - _BETWEEN
        half = _HALF[len(layer.states)]
        fork = _FORK if len(layer.ways) == 2 else 0.0
        top = bottom - 2 * (half + _PAD + fork)
        y = (top + bottom) / 2
        colours = layer_colours(number)
        shapes.insert(0, Box(left, top, right - left, bottom - top, fill=colours.band, mark=Mark("layer", number)))
        shapes += _gutter(number, layer, left + 14, y, colours)
        start = below if number == 1 else below + _PAD
        shapes += _layer(number, layer, y, half, start, colours)
        if number > 1:
            middle = (below + bottom) / 2 + 4
            shapes.append(Label(8.0, middle, f"$h_t^{{({number - 1})}}$", size=LABEL_SIZE, anchor="start"))
        below = top
    end = top - _BETWEEN - NODE
    shapes += arrow((0.0, top + _PAD), (0.0, end + NODE + 1), mark=Mark("output arrow"))
    symbol = f"$h_t^{{({len(network.layers)})}}$" if network.sequences else "after the last time step"
    shapes.append(Label(8.0, (top + end + NODE) / 2 + 4, symbol, size=LABEL_SIZE, anchor="start"))
    shapes += node(0.0, end, "$y_t$" if network.sequences else "$y$", Mark("output"))
    return on_sheet(f"Folded: {network.name}", _caption(network), shapes, _legend())


def _layer(number: int, layer: Layer, y: float, half: float, start: float, colours: LayerColours) -> list[Shape]:
    shapes: list[Shape] = []
    if len(layer.ways) == 1:
        shapes += arrow((0.0, start), (0.0, y + half + 1))
        return [*shapes, *_cell(number, layer, layer.ways[0], 0.0, y, half, 1, colours)]
    for way, side in zip(layer.ways, (-1, 1), strict=True):
        x = side * _ASIDE
        fork = half + _FORK
        shapes += arrow((0.0, start), (0.0, y + fork), (x, y + fork), (x, y + half + 1), radius=0)
        shapes.append(Path(((x, y - half), (x, y - fork), (0.0, y - fork)), stroke=INK, line=1.6))
        shapes += _cell(number, layer, way, x, y, half, side, colours)
    return shapes


def _cell(
    number: int, layer: Layer, way: Way, x: float, y: float, half: float, side: int, colours: LayerColours
) -> list[Shape]:
    weights = f"$W^{{({number})}}$  $U^{{({number})}}$  $b^{{({number})}}$"
    words = [Label(x, y - 4, layer.cell, size=14, bold=True), Label(x, y + 18, weights, size=13)]
    if len(layer.ways) == 2:
        direction = Label(x, y + 4, "backwards" if way.backwards else "forwards", size=LABEL_SIZE)
        words = [words[0].moved(0.0, -9.0), direction, words[1].moved(0.0, 6.0)]
    shapes: list[Shape] = [
        Box(
            x - _WIDTH / 2,
            y - half,
            _WIDTH,
            2 * half,
            fill=colours.cell,
            stroke=colours.line,
            mark=Mark("cell", number),
        ),
        *(replace(label, colour=colours.line) for label in words),
    ]
    arrow_of = "" if len(layer.ways) == 1 else ("\\left" if way.backwards else "\\right")
    before = "t+1" if way.backwards and len(layer.ways) == 2 else "t-1"
    heights = {"h": 13.0, "c": 41.0}
    for state in layer.states:
        height = heights[state]
        edge, far = x + side * _WIDTH / 2, x + side * (_WIDTH / 2 + _REACH[state])
        shapes += arrow(
            *((edge, y - height), (far, y - height), (far, y + height), (edge + side, y + height)),
            colour=colours.line,
            mark=Mark("cycle", number, None, state),
        )
        shapes.append(Box(far - 6, y - 6, 12, 12, fill=INK, radius=1.0, mark=Mark("delay", number, None, state)))
        middle = (edge + far) / 2 + (side * 22 if state == "c" else 0)
        symbol = f"{arrow_of}{state}"
        shapes += [
            Label(middle, y - height - 7, f"${symbol}_t^{{({number})}}$", size=LABEL_SIZE),
            Label(middle, y + height + 18, f"${symbol}_{{{before}}}^{{({number})}}$", size=LABEL_SIZE),
        ]
    return shapes


def _gutter(number: int, layer: Layer, x: float, y: float, colours: LayerColours) -> list[Shape]:
    first, *others = _names(number, layer)
    shapes: list[Shape] = [Label(x, y - 5, first, size=LABEL_SIZE + 1, anchor="start", colour=colours.line, bold=True)]
    for line, words in enumerate(others, start=1):
        shapes.append(Label(x, y - 5 + 18 * line, words, size=LABEL_SIZE + 0.5, anchor="start", colour=MUTED))
    return shapes


def _names(number: int, layer: Layer) -> list[str]:
    directions = ["in both directions"] if len(layer.ways) == 2 else []
    return [f"layer {number}", f"{layer.cell}, {layer.units} units", *directions]


def _legend() -> list[Shape]:
    return [
        Box(0.0, 0.0, 12, 12, fill=INK, radius=1.0),
        Label(20.0, 11.0, "a delay of one time step", size=LABEL_SIZE, anchor="start", colour=MUTED),
    ]


def _caption(network: Network) -> str:
    words = ["Each layer is one cell with weights $W$ (of the input), $U$ (of the state) and $b$."]
    if any(len(layer.ways) == 2 for layer in network.layers):
        words.append(
            "In a bidirectional layer there are two, with weights of their own: one reads the sequence backwards."
        )
    words.append(
        "What a cell makes at time step $t$ comes back to it one time step later: this is the cycle that is unfolded."
    )
    if network.reversed:
        words.append("The sequence is read from its end (go_backwards).")
    return " ".join(words)
