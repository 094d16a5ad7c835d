"""Gradients through time in a few lines: a sentence, a table, and for a notebook a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kerasunroll.display.tables import TextTable
from kerasunroll.inspection.gradients.flow import layer_flow
from kerasunroll.inspection.over_time.quantities import gradient_name
from kerasunroll.inspection.over_time.words import layer_in_words, percent

if TYPE_CHECKING:
    from kerasunroll.inspection.gradients.norms import Array, LayerGradients

Layers = Sequence["LayerGradients"]


def gradients_text(layers: Layers, loss: float | None = None, without_gradient: Sequence[str] = ()) -> str:
    """Return what `repr` shows."""
    return "\n".join([*_sentences(layers, loss, without_gradient), *_table(layers).lines()])


def gradients_html(layers: Layers, loss: float | None = None, without_gradient: Sequence[str] = ()) -> str:
    """Return what a notebook shows."""
    from kerasunroll.display.html import html_block, html_picture, html_table, html_text
    from kerasunroll.inspection.gradients.pictures import SMALL_LAYERS, small_figure

    first, *more = _sentences(layers, loss, without_gradient)
    parts = [html_text(first, strong=True), html_text(*more), html_table(_table(layers))]
    if layers:
        shown = {layer.layer: layer for layer in layers}
        rest = [f"The first {SMALL_LAYERS} of {len(layers)} layers."] if len(layers) > SMALL_LAYERS else []
        parts += [html_picture(lambda: small_figure(shown), "Norm of the gradient by time step"), html_text(*rest)]
    return html_block(*parts)


def _sentences(layers: Layers, loss: float | None, without_gradient: Sequence[str]) -> list[str]:
    count = f"{len(layers)} layer{'' if len(layers) == 1 else 's'}"
    sentences = [f"Gradients through time of {count}" + ("" if loss is None else f", loss {loss:.6g}")]
    broken = next((found for layer in reversed(layers) if (found := layer.first_not_finite)), None)
    sentences += [f"{broken}, on the way back."] if broken else []
    sentences += [f"The loss does not depend on {', '.join(without_gradient)}."] if without_gradient else []
    return sentences


def _table(layers: Layers) -> TextTable:
    columns = ["layer", "time steps", "masked", "norms, t = 0 to T - 1", "on its way back"]
    return TextTable(columns, [_row(layer) for layer in layers])


def _row(layer: "LayerGradients") -> list[str]:
    there = layer.masked < 1
    flow = layer_flow(layer, layer.main.mean).describe().removeprefix(f"{layer.layer}: ")
    return [
        layer_in_words(layer.layer, layer.go_backwards),
        str(len(layer.masked)),
        percent(float(layer.masked.mean())),
        "; ".join(f"{gradient_name(name)}: {_ends(norms.mean[there])}" for name, norms in layer.norms.items()),
        flow,
    ]


def _ends(norms: "Array") -> str:
    """Return the first and the last."""
    return " to ".join(f"{norm:.2g}".replace("nan", "NaN") for norm in norms[[0, -1]]) if norms.size else "–"
