"""Heatmaps of states and gates."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from kerasunroll.display.heatmap import Heatmap, heatmap_figure
from kerasunroll.display.shown_figure import ShownFigure
from kerasunroll.inspection.over_time.not_finite import NotFinite
from kerasunroll.inspection.over_time.panels import Array, value_heatmap
from kerasunroll.inspection.over_time.quantities import CANDIDATE, Chosen, check_sample, chosen, drawn, quantity_name
from kerasunroll.inspection.over_time.words import layer_in_words

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
    columns = [column for layer in layers.values() if (column := _column(layer, wanted, what, sample))]
    over = "mean over all samples" if sample is None else f"sample {sample}"
    return heatmap_figure(f"States and gates, {over}" + (f"\n{broken}" if broken else ""), columns)


def small_figure(layers: Mapping[str, "LayerStates"]) -> ShownFigure:
    """Draw the first state of each of the first layers."""
    shown = list(layers.values())[:SMALL_LAYERS]
    columns = [_column(layer, {next(iter(layer.states)): None}, None, None) for layer in shown]
    return heatmap_figure("", columns, panel_size=(3.4, 1.4))


def _column(layer: "LayerStates", wanted: Mapping[str, None], what: Chosen, sample: int | None) -> list[Heatmap]:
    if sample is not None:
        check_sample(sample, len(layer.unmasked))
    return [
        value_heatmap(
            f"{layer_in_words(layer.layer, layer.go_backwards)}: {quantity_name(name)}",
            values,
            layer.unmasked,
            sample,
            "share" if name in layer.gates and name != CANDIDATE else "signed",
            "activation" if name in layer.gates else "value",
            "feature" if name == "x" else "unit",
        )
        for name, values in drawn(wanted, _quantities(layer), what).items()
    ]


def _quantities(layer: "LayerStates") -> dict[str, Array]:
    return {**layer.states, **layer.gates, "x": layer.x}
