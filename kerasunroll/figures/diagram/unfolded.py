"""The network unfolded over time: one copy of the cell per time step, states flowing to the right."""

from kerasunroll.figures.diagram.grid import CELL_HEIGHT, LABEL_SIZE, NODE, Band, Grid, Hop, Row, label_y
from kerasunroll.figures.diagram.network import Network
from kerasunroll.figures.diagram.shapes import INK, Label, Mark, Path, Picture, Shape, arrow
from kerasunroll.figures.diagram.sheet import on_sheet


def unfolded(network: Network, show: int | None = None) -> Picture:
    """Draw the forward pass of a network, unfolded over time.

    Args:
        network: `Network`.
        show: Integer or `None`. The number of time steps to draw, as in `shown_time_steps`.
    """
    grid = Grid(network, show, lambda state, layer, t: f"${state}_{{{t}}}^{{({layer})}}$", "y")
    shapes = grid.background()
    for band in grid.bands:
        for row in band.rows:
            for hop in grid.hops(row):
                shapes += _state(grid, band, row, hop)
        shapes += _inputs(grid, band)
    shapes += _outputs(grid)
    shapes += [*grid.cells(), *grid.nodes(grid.output_columns())]
    return on_sheet(f"Unfolded over time: {network.name}", _caption(network), shapes)


def _state(grid: Grid, band: Band, row: Row, hop: Hop) -> list[Shape]:
    shapes: list[Shape] = []
    for state, y in grid.state_heights(band.layer, row).items():
        mark = Mark("state", band.number, hop.time_step, state)
        shapes += arrow(
            (hop.start, y), (hop.end - (1 if hop.end > hop.start else -1), y), colour=band.colours.line, mark=mark
        )
        symbol = grid.symbol(state, band, row, hop.time_step)
        shapes.append(Label(hop.middle, label_y(band.layer, state, y), symbol, size=LABEL_SIZE))
    return shapes


def _inputs(grid: Grid, band: Band) -> list[Shape]:
    """Draw what a layer receives: the inputs of the network, or what the layer below gives."""
    lower = grid.bands[band.number - 2] if band.number > 1 else None
    start = grid.input_y - NODE if lower is None else lower.above
    shapes: list[Shape] = []
    for column, t in grid.columns():
        if t is None:
            continue
        x = grid.x(column)
        mark = Mark("input state" if lower else "input arrow", band.number, t)
        if len(band.rows) == 1:
            shapes += arrow((x, start), (x, band.below + 1), mark=mark)
        else:
            shapes.append(Path(((x, start), (x, band.below)), stroke=INK, line=1.6, mark=mark))
            for row in band.rows:
                end = row.y + CELL_HEIGHT / 2 + 1
                shapes += arrow((x, band.below), (x + row.aside, band.below), (x + row.aside, end), radius=0)
        if lower is not None:
            shapes += _joined(lower, x)
            symbol = f"$h_{{{t}}}^{{({lower.number})}}$"
            shapes.append(Label(x + 7, (lower.top + band.bottom) / 2 + 4, symbol, size=LABEL_SIZE, anchor="start"))
    return shapes


def _joined(band: Band, x: float) -> list[Shape]:
    """Draw how both ways of a bidirectional layer come together in the middle of a column."""
    if len(band.rows) == 1:
        return []
    return [
        Path(
            ((x + row.aside, row.y - CELL_HEIGHT / 2), (x + row.aside, band.above), (x, band.above)),
            stroke=INK,
            line=1.6,
        )
        for row in band.rows
    ]


def _outputs(grid: Grid) -> list[Shape]:
    band = grid.bands[-1]
    shapes: list[Shape] = []
    for column in grid.output_columns():
        t = grid.time_steps[column]
        if t is None:
            continue
        x, end = grid.x(column), grid.output_y + NODE + 1
        if len(band.rows) == 2 and not grid.network.sequences:
            shapes += _both_ends(grid, band)
        else:
            shapes += [*_joined(band, x), *arrow((x, band.above), (x, end), mark=Mark("output arrow", None, t))]
        symbol = f"$h_{{{t}}}^{{({band.number})}}$"
        if len(band.rows) == 1 or grid.network.sequences:
            shapes.append(Label(x + 7, (band.top + end) / 2 + 4, symbol, size=LABEL_SIZE, anchor="start"))
    return shapes


def _both_ends(grid: Grid, band: Band) -> list[Shape]:
    """Draw the output of a bidirectional layer that gives its last states: made at the end, and at the beginning."""
    forwards, backwards = band.rows
    last = grid.x(len(grid.time_steps) - 1)
    over = grid.output_y
    first = grid.x(0) + backwards.aside
    up = last + forwards.aside
    shapes = arrow((first, backwards.y - CELL_HEIGHT / 2), (first, over), (last - NODE - 1, over))
    # A little aside, so that it does not lie on the other.
    shapes += arrow((up, forwards.y - CELL_HEIGHT / 2), (up, band.above), (last, band.above), (last, over + NODE + 1))
    middle = (band.top + over + NODE) / 2 + 4
    t = grid.network.timesteps - 1
    shapes.append(Label(first + 7, middle, grid.symbol("h", band, backwards, 0), size=LABEL_SIZE, anchor="start"))
    shapes.append(Label(last + 7, middle, grid.symbol("h", band, forwards, t), size=LABEL_SIZE, anchor="start"))
    return shapes


def _caption(network: Network) -> str:
    states = (
        "the states $h_t$ and $c_t$" if any(len(layer.states) == 2 for layer in network.layers) else "the state $h_t$"
    )
    words = [
        f"Each layer is one copy of its cell per time step, and {states} of each time step enter the next. All copies "
        "of a layer have the same weights $W$ (of the input), $U$ (of the state) and $b$: they are stored once, "
        "however large T is."
    ]
    if any(len(layer.ways) == 2 for layer in network.layers):
        words.append(
            "A bidirectional layer reads the sequence in both directions, with weights of its own for each; what it "
            "gives, $h_t$, is $\\righth_t$ and $\\lefth_t$ side by side."
        )
    if network.reversed:
        words.append("The sequence is read from its end (go_backwards).")
    return " ".join(words)
