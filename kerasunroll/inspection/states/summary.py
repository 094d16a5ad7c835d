"""States in a few lines: a sentence, a table, and for a notebook a picture."""

from typing import TYPE_CHECKING, Final

from kerasunroll.display.tables import TextTable
from kerasunroll.inspection.over_time.quantities import CANDIDATE, quantity_name
from kerasunroll.inspection.over_time.words import layer_in_words, percent, span

if TYPE_CHECKING:
    from kerasunroll.inspection.states.layer_states import HiddenStates, LayerStates

SHUT: Final = 0.1
OPEN: Final = 0.9
"""A gate is saturated beyond: Karpathy et al., "Visualizing and understanding recurrent networks", 2015."""


def states_text(states: "HiddenStates") -> str:
    """Return what `repr` shows."""
    return "\n".join([*_sentences(states), *_table(states).lines()])


def states_html(states: "HiddenStates") -> str:
    """Return what a notebook shows."""
    from kerasunroll.display.html import html_block, html_picture, html_table, html_text
    from kerasunroll.inspection.states.pictures import SMALL_LAYERS, small_figure

    first, *more = _sentences(states)
    parts = [html_text(first, strong=True), html_text(*more), html_table(_table(states))]
    if states:
        rest = [f"The first {SMALL_LAYERS} of {len(states)} layers."] if len(states) > SMALL_LAYERS else []
        parts += [html_picture(lambda: small_figure(states), "Hidden states, unit by time step"), html_text(*rest)]
    return html_block(*parts)


def _sentences(states: "HiddenStates") -> list[str]:
    count = f"{len(states)} layer{'' if len(states) == 1 else 's'}"
    broken = states.first_not_finite
    return [f"Hidden states of {count}", *([f"{broken}."] if broken else [])]


def _table(states: "HiddenStates") -> TextTable:
    columns = ["layer", "samples × time steps × units", "masked", "states", f"gates: below {SHUT} / above {OPEN}"]
    return TextTable(columns, [_row(layer) for layer in states.values()])


def _row(layer: "LayerStates") -> list[str]:
    unmasked = layer.unmasked
    return [
        layer_in_words(layer.layer, layer.go_backwards),
        " × ".join(map(str, next(iter(layer.states.values())).shape)),
        percent(1.0 - unmasked.mean()),
        "; ".join(f"{name}: {span(values[unmasked])}" for name, values in layer.states.items()),
        "; ".join(_saturation(layer, name) for name in layer.gates if name != CANDIDATE) or "–",
    ]


def _saturation(layer: "LayerStates", gate: str) -> str:
    values = layer.gates[gate][layer.unmasked]
    shares = [percent(there.mean()) if there.size else "–" for there in (values < SHUT, values > OPEN)]
    return f"{quantity_name(gate).removesuffix(' gate')} {' / '.join(shares)}"
