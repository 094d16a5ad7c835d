"""Heatmaps unit × time step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm, LogNorm, Normalize
from matplotlib.ticker import MaxNLocator

from kerasunroll.display.colours import MASKED_COLOUR, NOT_FINITE_COLOUR
from kerasunroll.display.shown_figure import ShownFigure

Scale: TypeAlias = Literal["signed", "signed decades", "decades", "share"]
"""`signed`: centred at 0, from minus the largest absolute value to it. `signed decades`: the same, but logarithmic away
from 0. `decades`: logarithmic, for what is never negative. `share`: 0 to 1."""

_MAPS: Final = {"signed": "RdBu_r", "signed decades": "RdBu_r", "decades": "viridis", "share": "viridis"}
_DECADES: Final = 12
"""The decades that a logarithmic scale shows; what is smaller has the end's colour."""

_SIGNED_DECADES: Final = 3
_HATCH: Final = "#9a9a9a"


@dataclass(frozen=True)
class Heatmap:
    """The values of the units of one layer over time.

    Args:
        title: String.
        values: Array (T, U).
        unmasked: Boolean array (T,), `False` where nothing is to be seen.
        scale: The colour scale, a `Scale`.
        label: String. What the colour bar says.
        rows: String. What a row is. Defaults to `"unit"`.
    """

    title: str
    values: npt.NDArray[Any]
    unmasked: npt.NDArray[Any]
    scale: Scale
    label: str
    rows: str = "unit"


def heatmap_figure(
    title: str, columns: Sequence[Sequence[Heatmap]], panel_size: tuple[float, float] = (5.2, 1.7)
) -> ShownFigure:
    """Draw heatmaps side by side and one below the other: units upwards, time steps to the right.

    Masked time steps are grey and hatched, what is NaN or infinite is pink.

    Args:
        title: String.
        columns: Sequence of columns, each a sequence of `Heatmap`; they may differ in length.
        panel_size: Tuple: width and height of one heatmap in inches.

    Returns:
        A `ShownFigure`; its first axes are the heatmaps, column after column.
    """
    rows = max(map(len, columns))
    figure = ShownFigure(panel_size[0] * len(columns), panel_size[1] * rows + 0.6)
    grid = figure.add_gridspec(rows, len(columns))
    places = [[figure.add_subplot(grid[row, at]) for row in range(len(line))] for at, line in enumerate(columns)]
    for line, axes_of_line in zip(columns, places, strict=True):
        for heatmap, axes in zip(line, axes_of_line, strict=True):
            image = _draw(axes, heatmap)
            bar = figure.colorbar(image, ax=axes, label=heatmap.label, aspect=12, extend=_extend(image))
            if heatmap.scale == "signed decades":
                ticks = _signed_ticks(image.norm.vmax)
                bar.set_ticks(ticks, labels=[f"{tick:.0e}" if tick else "0" for tick in ticks])
        axes.set_xlabel("time step t")
    figure.suptitle(title, fontsize=11, parse_math=False)
    return figure


def mark_spans(axes: Axes, there: npt.NDArray[Any], colour: str, hatch: str | None = None) -> None:
    """Mark the time steps at which `there`, (T,), is true, over the whole height."""
    for first, last in _spans(there):
        axes.axvspan(first - 0.5, last + 0.5, facecolor=colour, edgecolor=_HATCH, hatch=hatch, linewidth=0)


def _draw(axes: Axes, heatmap: Heatmap) -> Any:
    unmasked = heatmap.unmasked
    values = np.asarray(heatmap.values, np.float64)
    # Under the grey nothing is seen; a NaN there would shine through at its edges.
    values = np.ma.masked_invalid(np.where(unmasked[:, np.newaxis], values, 0.0))
    if heatmap.scale == "decades":
        # 0 has no logarithm; it is shown as the smallest there is.
        values[values == 0] = np.finfo(float).tiny
    image = axes.imshow(
        values.T,
        aspect="auto",
        origin="lower",
        interpolation="nearest",
        cmap=mpl.colormaps[_MAPS[heatmap.scale]].with_extremes(bad=NOT_FINITE_COLOUR),
        norm=_norm(heatmap.scale, values[unmasked].compressed()),
    )
    mark_spans(axes, ~unmasked, MASKED_COLOUR, hatch="////")
    axes.set_title(heatmap.title, fontsize=10, loc="left", parse_math=False)
    axes.set_ylabel(heatmap.rows)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.set_xlim(-0.5, len(unmasked) - 0.5)
    return image


def _norm(scale: Scale, values: npt.NDArray[np.float64]) -> Normalize:
    if scale == "share":
        return Normalize(0.0, 1.0)
    largest = float(np.abs(values).max(initial=0.0))
    # Far below, differences of the limits are 0 in float64.
    largest = largest if largest > 1e-290 else 1.0
    if scale == "signed":
        return Normalize(-largest, largest)
    if scale == "signed decades":
        return AsinhNorm(largest / 10**_SIGNED_DECADES, -largest, largest)
    smallest = float(values.min(initial=largest / 10, where=values > np.finfo(float).tiny))
    return LogNorm(max(smallest, largest / 10**_DECADES), largest)


def _signed_ticks(largest: float) -> list[float]:
    """Return two powers of ten on either side of 0: Matplotlib's own ticks crowd there."""
    power = 10.0 ** np.floor(np.log10(largest))
    return [-power, -power / 10, 0.0, power / 10, power]


def _extend(image: Any) -> Literal["neither", "both", "min", "max"]:
    below = bool((image.get_array() < image.norm.vmin).any())
    above = bool((image.get_array() > image.norm.vmax).any())
    if below and above:
        return "both"
    return "min" if below else "max" if above else "neither"


def _spans(there: npt.NDArray[Any]) -> Iterator[tuple[int, int]]:
    """Return the first and last index of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(int)))
    for first, end in edges.reshape(-1, 2):
        yield int(first), int(end) - 1
