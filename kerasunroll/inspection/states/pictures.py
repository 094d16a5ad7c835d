"""Heatmaps of states and gates."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from kerasunroll.display.heatmap import Heatmap, heatmap_figure
from kerasunroll.display.shown_figure import ShownFigure
from kerasunroll.inspection.over_time.not_finite import NotFinite
from kerasunroll.inspection.over_time.panels import Array, value_heatmap
from kerasunroll.inspection.over_time.quantities import CANDIDATE, Chosen, check_sample, chosen, quantity_name

if TYPE_CHECKING:
    from kerasunroll.inspection.states.layer_states import LayerStates

SMALL_LAYERS: Final = 4
"""How many layers the small picture of a notebook shows."""


def states_figure(
    layers: Mapping[str, "LayerStates"], what: Chosen, sample: int | None, broken: NotFinite | None
) -> ShownFigure:
    """Draw what `HiddenStates.plot` promises of these layers; `broken` goes into the title."""
    known = {name: None for layer in layers.values() for name in _quantities(layer)}
    wanted = chosen("state or gate", what, known, [name for name in known if name != "x"])
    columns = [column for layer in layers.values() if (column := _column(layer, wanted, sample))]
    over = "mean over all samples" if sample is None else f"sample {sample}"
    return heatmap_figure(f"States and gates, {over}" + (f"\n{broken}" if broken else ""), columns)


def small_figure(layers: Mapping[str, "LayerStates"]) -> ShownFigure:
    """Draw the first state of each of the first layers."""
    shown = list(layers.values())[:SMALL_LAYERS]
    columns = [_column(layer, {next(iter(layer.states)): None}, None) for layer in shown]
    return heatmap_figure("", columns, panel_size=(3.4, 1.4))


def _column(layer: "LayerStates", wanted: Mapping[str, None], sample: int | None) -> list[Heatmap]:
    if sample is not None:
        check_sample(sample, len(layer.unmasked))
    quantities = _quantities(layer)
    return [
        value_heatmap(
            f"{layer.layer}: {quantity_name(name)}",
            quantities[name],
            layer.unmasked,
            sample,
            "share" if name in layer.gates and name != CANDIDATE else "signed",
            "activation" if name in layer.gates else "value",
        )
        for name in wanted
        if name in quantities
    ]


def _quantities(layer: "LayerStates") -> dict[str, Array]:
    return {**layer.states, **layer.gates, "x": layer.x}
