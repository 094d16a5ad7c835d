"""The backward pass of the network unfolded over time: gradients flowing to the left, shaded by their norms."""

import math
from dataclasses import dataclass

from kerasunroll.figures.diagram.colours import CUT, GRADIENT, OUTLINE, Scale
from kerasunroll.figures.diagram.grid import CELL_HEIGHT, LABEL_SIZE, NODE, Band, Grid, Hop, Row, hidden_cuts, label_y
from kerasunroll.figures.diagram.measured import MeasuredNorms
from kerasunroll.figures.diagram.network import Network
from kerasunroll.figures.diagram.shapes import (
    MUTED,
    Box,
    Label,
    Mark,
    Path,
    Picture,
    Point,
    Shape,
    arrow,
    broad_arrow,
    scissors,
)
from kerasunroll.figures.diagram.sheet import on_sheet


def backward(network: Network, show: int | None = None, norms: MeasuredNorms | None = None) -> Picture:
    """Draw the backward pass of a network, unfolded over time.

    Args:
        network: `Network`.
        show: Integer or `None`. The number of time steps to draw, as in `shown_time_steps`.
        norms: `MeasuredNorms` or `None`. What the arrows are shaded by.
    """
    grid = Grid(network, show, lambda state, layer, t: f"$∂L/∂{state}_{{{t}}}^{{({layer})}}$", "L")
    gradients = _Gradients(grid, norms, Scale.of(norms.all) if norms else None)
    shapes = grid.background()
    for band in grid.bands:
        for row in band.rows:
            for hop in grid.hops(row)[1:]:
                shapes += gradients.through_time(band, row, hop)
            shapes += gradients.cuts_not_shown(band, row)
        shapes += gradients.to_inputs(band)
    shapes += gradients.from_loss()
    shapes += [*grid.cells(), *grid.nodes(grid.output_columns())]
    legend = _legend(gradients.scale) if gradients.scale else []
    return on_sheet(f"Backward pass: {network.name}", _caption(network, norms, gradients.scale), shapes, legend)


@dataclass(frozen=True)
class _Gradients:
    """Draws the arrows.

    Args:
        grid: `Grid`.
        norms: `MeasuredNorms` or `None`.
        scale: `Scale` or `None`.
    """

    grid: Grid
    norms: MeasuredNorms | None
    scale: Scale | None

    def through_time(self, band: Band, row: Row, hop: Hop) -> list[Shape]:
        """Draw what flows from a time step to the one that was processed before it, or the cut between them."""
        if row.way.truncate and (hop.made_at + 1) % row.way.truncate == 0:
            return _cut((hop.start + hop.end) / 2, row.y, Mark("cut", band.number, hop.time_step))
        shapes: list[Shape] = []
        side = 1 if hop.end > hop.start else -1
        for state, y in self.grid.state_heights(band.layer, row).items():
            mark = Mark("gradient", band.number, hop.time_step, state)
            shapes += self._arrow(row, state, hop.time_step, mark, (hop.end, y), (hop.start + side, y))
            symbol = self.grid.symbol(state, band, row, hop.time_step)
            shapes.append(Label(hop.middle, label_y(band.layer, state, y), symbol, size=LABEL_SIZE))
        return shapes

    def cuts_not_shown(self, band: Band, row: Row) -> list[Shape]:
        """Draw what is cut where time steps are left out."""
        steps = self.grid.time_steps
        if None not in steps:
            return []
        x = self.grid.x(steps.index(None)) + row.aside
        reverse = row.way.backwards and not self.grid.network.reversed
        last = self.grid.network.timesteps - 1
        columns = [None if t is None else last - t for t in steps[::-1]] if reverse else steps
        return hidden_cuts(row.way, columns, x, row.y - 20, band.number)

    def to_inputs(self, band: Band) -> list[Shape]:
        """Draw what the inputs of a layer receive, which the layer below takes further."""
        lower = self.grid.bands[band.number - 2] if band.number > 1 else None
        end = self.grid.input_y - NODE - 1 if lower is None else lower.above - 1
        shapes: list[Shape] = []
        for column, t in self.grid.columns():
            if t is None:
                continue
            x = self.grid.x(column)
            mark = Mark("input gradient", band.number, t, "x")
            if len(band.rows) == 1:
                shapes += self._arrow(band.rows[0], "x", t, mark, (x, band.below), (x, end))
            else:
                for row in band.rows:
                    out = (x + row.aside, row.y + CELL_HEIGHT / 2)
                    corner = (x + row.aside, band.below)
                    near = (x + math.copysign(3, row.aside), band.below)
                    shapes += self._arrow(row, "x", t, mark, out, corner, near)
                shapes += arrow((x, band.below), (x, end), colour=GRADIENT)
            if lower is not None:
                shapes += self._into(lower, x)
            read = self.grid.network.timesteps - 1 - t if lower is None and self.grid.network.reversed else t
            symbol = f"$∂L/∂x_{{{read}}}" + (f"^{{({band.number})}}$" if lower else "$")
            middle = (band.bottom + (lower.top if lower else self.grid.input_y - NODE)) / 2 + 4
            shapes.append(Label(x + 9, middle, symbol, size=LABEL_SIZE, anchor="start"))
        return shapes

    def from_loss(self) -> list[Shape]:
        """Draw what the last layer receives from the loss."""
        band = self.grid.bands[-1]
        shapes: list[Shape] = []
        for column in self.grid.output_columns():
            t = self.grid.time_steps[column]
            if t is None:
                continue
            x, start = self.grid.x(column), self.grid.output_y + NODE
            middle = (start + band.top) / 2 + 4
            # With one output only, all that reaches the last state comes from the loss: the same norm.
            if self.grid.network.sequences:
                shapes += [*arrow((x, start), (x, band.above - 1), colour=GRADIENT), *self._into(band, x)]
            elif len(band.rows) == 1:
                mark = Mark("loss gradient", band.number, t, "h")
                shapes += self._arrow(band.rows[0], "h", t, mark, (x, start), (x, band.above - 1))
                symbol = self.grid.symbol("h", band, band.rows[0], t)
                shapes.append(Label(x + 9, middle, symbol, size=LABEL_SIZE, anchor="start"))
            else:
                shapes += self._to_both_ends(band, x, middle)
        return shapes

    def _to_both_ends(self, band: Band, last: float, middle: float) -> list[Shape]:
        forwards, backwards = band.rows
        over, t = self.grid.output_y, self.grid.network.timesteps - 1
        first = self.grid.x(0) + backwards.aside
        down = (first, backwards.y - CELL_HEIGHT / 2 - 1)
        mark = Mark("loss gradient", band.number, 0, "h")
        shapes = self._arrow(backwards, "h", 0, mark, (last - NODE, over), (first, over), down)
        up = last + forwards.aside
        bend = [(last, over + NODE), (last, band.above), (up, band.above), (up, forwards.y - CELL_HEIGHT / 2 - 1)]
        shapes += self._arrow(forwards, "h", t, Mark("loss gradient", band.number, t, "h"), *bend)
        for x, row, time_step in ((first, backwards, 0), (last, forwards, t)):
            symbol = self.grid.symbol("h", band, row, time_step)
            shapes.append(Label(x + 9, middle, symbol, size=LABEL_SIZE, anchor="start"))
        return shapes

    def _into(self, band: Band, x: float) -> list[Shape]:
        """Draw how a gradient comes to both ways of a bidirectional layer."""
        shapes: list[Shape] = []
        for row in band.rows if len(band.rows) == 2 else ():
            end = row.y - CELL_HEIGHT / 2 - 1
            shapes += arrow(
                (x, band.above), (x + row.aside, band.above), (x + row.aside, end), colour=GRADIENT, radius=0
            )
        return shapes

    def _arrow(self, row: Row, quantity: str, t: int, mark: Mark, *points: Point) -> list[Shape]:
        if self.norms is None or self.scale is None:
            return arrow(*points, colour=GRADIENT, line=2.0, mark=mark)
        at = self.grid.network.timesteps - 1 - t if row.way.backwards and self.grid.network.reversed else t
        norm = float(self.norms.rows[row.number][quantity][at])
        if math.isnan(norm):
            return arrow(*points, colour=OUTLINE, dash=4.0, mark=mark)
        return broad_arrow(*points, fill=self.scale.colour(norm), outline=OUTLINE, width=5.0, mark=mark)


def _cut(x: float, y: float, mark: Mark) -> list[Shape]:
    half = CELL_HEIGHT / 2
    line = Path(((x, y - half + 6), (x, y + half + 6)), stroke=CUT, line=1.8, dash=5.0)
    return [line, *scissors(x, y - half + 2, CUT, mark)]


def _legend(scale: Scale) -> list[Shape]:
    """Return the scale of colours with its decades."""
    pieces, width, height, left = 64, 360.0, 14.0, 250.0
    shapes: list[Shape] = [
        Label(0.0, 12.0, "norm of the gradient, batch mean", size=LABEL_SIZE, anchor="start", colour=MUTED)
    ]
    for piece in range(pieces):
        colour = scale.at(piece / (pieces - 1))
        # A little wider, so that no gap is seen between two of them.
        shapes.append(Box(left + piece * width / pieces, 0.0, width / pieces + 0.4, height, fill=colour, radius=0.0))
    shapes.append(Box(left, 0.0, width + 0.4, height, stroke=OUTLINE, line=1.0, radius=0.0))
    for exponent in range(scale.low, scale.high + 1):
        x = left + (exponent - scale.low) / (scale.high - scale.low) * width
        text = f"$10^{{{exponent}}}$"
        shapes += [
            Path(((x, height), (x, height + 5)), stroke=OUTLINE, line=1.0),
            Label(x, height + 19, text, size=LABEL_SIZE, colour=MUTED),
        ]
    return shapes


def _caption(network: Network, norms: MeasuredNorms | None, scale: Scale | None) -> str:
    words = [
        "The gradient of the loss L goes the same way back: from each time step to the one before, and from each layer "
        "to what the layer received, $x_t^{(l)}$, which is the output of the layer below. The gradients of the shared "
        "weights are sums over all time steps."
    ]
    cuts = sorted({way.truncate for layer in network.layers for way in layer.ways if way.truncate})
    if cuts:
        words.append(f"Scissors: the gradient is cut every {' or '.join(map(str, cuts))} time steps (truncate).")
    if norms is not None and scale is not None:
        low = f"$10^{{{scale.low}}}$"
        words.append(f"Shaded by the norms measured at training step {norms.training_step:,}; white is {low} or less.")
        if network.sequences or any(len(layer.ways) == 2 for layer in network.layers):
            words.append("Thin arrows were not measured.")
        if any(math.isnan(norm) for norm in norms.all):
            words.append("Dashed: masked in the whole batch.")
    return " ".join(words)
