"""Gradients on their way back through time: heatmaps of every unit, or curves of their norms."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from kerasunroll.display.curves import Curve, CurvePanel, curves_figure
from kerasunroll.display.heatmap import heatmap_figure
from kerasunroll.display.shown_figure import ShownFigure
from kerasunroll.errors import InputError
from kerasunroll.inspection.over_time.not_finite import NotFinite
from kerasunroll.inspection.over_time.panels import gradient_heatmap
from kerasunroll.inspection.over_time.quantities import Chosen, check_sample, chosen, drawn, gradient_name
from kerasunroll.inspection.over_time.words import layer_in_words

if TYPE_CHECKING:
    from kerasunroll.inspection.gradients.norms import Array, LayerGradients, NormsOverTime

SMALL_LAYERS: Final = 4
"""How many layers the small picture of a notebook shows."""

Layers = Mapping[str, "LayerGradients"]


def gradients_figure(layers: Layers, what: Chosen, sample: int | None, broken: NotFinite | None) -> ShownFigure:
    """Draw what `GradientsThroughTime.plot` promises of these layers; `broken` goes into the title."""
    end = f"\n{broken}" if broken else ""
    if any(layer.per_unit for layer in layers.values()):
        over = "norm over all samples" if sample is None else f"sample {sample}"
        return _heatmaps(f"Gradient of the loss, {over}{end}", layers, what, sample)
    over = "mean and range over the samples" if sample is None else f"sample {sample}"
    return _curves(f"Norm of the gradient, {over}{end}", layers, what, sample)


def small_figure(layers: Layers) -> ShownFigure:
    """Draw the norms of the first layers."""
    shown = list(layers.values())[:SMALL_LAYERS]
    return curves_figure("", [_panel(layer, layer.norms, None) for layer in shown], (3.4, 2.0), columns=len(shown))


def _heatmaps(title: str, layers: Layers, what: Chosen, sample: int | None) -> ShownFigure:
    known = {name: None for layer in layers.values() for name in layer.per_unit}
    wanted = chosen("gradient", what, known, known)
    columns = [
        [
            gradient_heatmap(
                f"{layer_in_words(layer.layer, layer.go_backwards)}: {gradient_name(name)}",
                values,
                _unmasked(layer, sample),
                sample,
                "feature" if name == "x" else "unit",
            )
            for name, values in drawn(wanted, layer.per_unit, what).items()
        ]
        for layer in layers.values()
    ]
    return heatmap_figure(title, [column for column in columns if column])


def _unmasked(layer: "LayerGradients", sample: int | None) -> "Array":
    unmasked = layer.samples_unmasked
    if sample is not None:
        check_sample(sample, len(unmasked))
    return unmasked


def _curves(title: str, layers: Layers, what: Chosen, sample: int | None) -> ShownFigure:
    known = {name: None for layer in layers.values() for name in layer.norms}
    try:
        wanted = chosen("norm", what, known, known)
    except InputError as error:
        raise InputError(f"{error} Gradients per gate and unit: gradients_through_time(..., per_unit=True).") from None
    found = [(layer, drawn(wanted, layer.norms, what)) for layer in layers.values()]
    return curves_figure(title, [_panel(layer, norms, sample) for layer, norms in found if norms])


def _panel(layer: "LayerGradients", norms: Mapping[str, "NormsOverTime"], sample: int | None) -> CurvePanel:
    curves = [_curve(gradient_name(name), each, sample) for name, each in norms.items()]
    unmasked = layer.masked < 1 if sample is None else layer.samples_unmasked[sample]
    return CurvePanel(layer_in_words(layer.layer, layer.go_backwards), curves, unmasked, "norm")


def _curve(name: str, norms: "NormsOverTime", sample: int | None) -> Curve:
    if sample is None:
        return Curve(name, norms.mean, norms.min, norms.max)
    if norms.per_sample is None:
        raise InputError(
            f"Norms of sample {sample} were not kept. Pass per_sample=True to gradients_through_time for its norms, or "
            "per_unit=True for its gradients, unit by unit."
        )
    check_sample(sample, len(norms.per_sample))
    return Curve(name, norms.per_sample[sample])
