"""Pictures of gradients on their way back through time. No TensorFlow."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from kerasunroll.display.colours import MASKED_COLOUR, NOT_FINITE_COLOUR
from kerasunroll.figures.flow_history import FlowHistory
from kerasunroll.inspection.gradients.norms import Array
from kerasunroll.inspection.over_time.quantities import GATES

NORM_RANGE: Final = (1e-12, 1e0)
"""The colour scale of every heatmap, so that pictures compare: what is off the scale has its end's colour."""


def flow_heatmap(
    history: FlowHistory, norm_range: tuple[float, float] = NORM_RANGE, quantities: Sequence[str] | None = None
) -> Figure:
    """Draw time step × training step heatmaps, one below the other: dL/dh_t, dL/dc_t of an LSTM, and dL/dx_t.

    Args:
        history: `FlowHistory`.
        norm_range: Tuple of the least and the largest norm on the logarithmic colour scale.
        quantities: Which of the history's quantities to draw, such as `"h"`, `"c"`, `"x"` or `"forget_gate"`; all but
            the gates by default.

    Returns:
        A Matplotlib figure. Time steps where all samples are masked are grey; what is not finite is pink.
    """
    wanted = [name for name in history.norms if name not in GATES] if quantities is None else quantities
    drawn = {name: norms for name, norms in history.norms.items() if name in wanted}
    rows = len(drawn)
    figure = Figure(figsize=(7.0, 0.9 + 2.0 * rows), dpi=100, layout="constrained")
    colours = mpl.colormaps["viridis"].with_extremes(bad=NOT_FINITE_COLOUR)
    scale = LogNorm(*norm_range)
    for axes, (quantity, norms) in zip(np.ravel(figure.subplots(rows, 1, sharex=True)), drawn.items(), strict=True):
        # A norm of exactly 0 has no logarithm; it is shown as the smallest there is.
        shown = np.where(norms > 0, norms, np.where(norms == 0, np.finfo(float).tiny, np.nan)).T
        columns = np.arange(len(history.training_steps) + 1) - 0.5
        lines = np.arange(norms.shape[1] + 1) - 0.5
        image = axes.pcolormesh(columns, lines, shown, norm=scale, cmap=colours)
        gone = np.ma.masked_less(history.masked.T, 1.0)
        axes.pcolormesh(columns, lines, gone, cmap=mpl.colors.ListedColormap([MASKED_COLOUR]))
        axes.set_ylabel("time step t")
        axes.set_title(f"‖dL/d{quantity}$_t$‖, mean over the batch", fontsize=10, loc="left")
        figure.colorbar(image, ax=axes, extend="both", label="norm", aspect=12)
    _label_training_steps(axes, history.training_steps)
    figure.suptitle(f"{history.layer}: gradient on its way back through time", fontsize=11)
    return figure


def comparison_figure(
    histories: Mapping[str, Sequence[FlowHistory]], colours: Mapping[str, str], quantity: str = "h"
) -> Figure:
    """Draw the curves of all settings over each other, and name the largest difference between them.

    The curves are those of the first training step that was logged: all settings have the same weights there, and see
    the same batch. Unrolling changes the cost of the gradient and not the gradient.

    Args:
        histories: Dict from setting to the histories of its layers, the same layers in each.
        colours: Dict from setting to colour, from `setting_colours`.
        quantity: String: `"h"`, `"c"` or `"x"`. Layers without it are left out. Defaults to `"h"`.

    Returns:
        A Matplotlib figure, a panel per layer.
    """
    layers = [history.layer for history in next(iter(histories.values())) if quantity in history.norms]
    figure = Figure(figsize=(7.0, 0.6 + 2.3 * len(layers)), dpi=100, layout="constrained")
    for axes, layer in zip(np.ravel(figure.subplots(len(layers), 1, sharex=True)), layers, strict=True):
        curves = {
            setting: next(each for each in of_setting if each.layer == layer).norms[quantity][0]
            for setting, of_setting in histories.items()
        }
        for number, (setting, curve) in enumerate(curves.items()):
            # The curves lie on each other: the first is drawn broad, so that the others do not hide it.
            width, alpha = max(1.2, 6.0 - 3.4 * number), 0.5 if number == 0 else 1.0
            axes.semilogy(curve, label=setting, color=colours[setting], linewidth=width, alpha=alpha)
        axes.set_title(f"{layer}: {describe_difference(curves)}", fontsize=10, loc="left")
        axes.set_ylabel(f"‖dL/d{quantity}$_t$‖")
        axes.grid(alpha=0.3)
        axes.legend(title="setting", fontsize=9)
    axes.set_xlabel("time step t")
    figure.suptitle("Gradient through time at the first training step, in every setting", fontsize=11)
    return figure


def describe_difference(curves: Mapping[str, Array]) -> str:
    """Name the largest difference between the first curve and the others, relative to the first.

    Example:
    >>> describe_difference({"loop": np.array([1.0, 2.0]), "full": np.array([1.0, 2.002])})
    'largest difference 1.0e-03 of the norm (full against loop, t = 1)'
    """
    (baseline, reference), *others = curves.items()
    if not others:
        return "one setting only"
    with np.errstate(divide="ignore", invalid="ignore"):
        differences = {name: np.abs(curve - reference) / reference for name, curve in others}
    if not any(np.isfinite(values).any() for values in differences.values()):
        return "no time step at which all settings have a gradient"
    worst = max(
        differences, key=lambda name: np.nanmax(np.where(np.isfinite(differences[name]), differences[name], -1))
    )
    at = int(np.nanargmax(np.where(np.isfinite(differences[worst]), differences[worst], -1)))
    if differences[worst][at] == 0:
        return "no difference, to the last bit"
    return f"largest difference {differences[worst][at]:.1e} of the norm ({worst} against {baseline}, t = {at})"


def _label_training_steps(axes: Any, training_steps: Array) -> None:
    """Columns are evenly spaced entries; their labels are the training steps at which they were made."""
    count = len(training_steps)
    places = np.unique(np.linspace(0, count - 1, min(count, 8)).round().astype(int))
    axes.set_xticks(places, [f"{training_steps[place]:,}" for place in places])
    axes.set_xlabel("training step")
