"""The colours of the pictures: one of each layer, whose weights are shared, and a scale for norms of gradients."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final


@dataclass(frozen=True)
class LayerColours:
    """The colours of a layer: of lines and text, of its cells, and of the band behind them."""

    line: str
    cell: str
    band: str


LAYERS: Final = (
    LayerColours("#0069a3", "#cfe5f4", "#f0f7fc"),
    LayerColours("#b84f00", "#fbdcc5", "#fef4ec"),
    LayerColours("#007a59", "#c9ecdf", "#eef9f5"),
    LayerColours("#9c3f79", "#f3d7e7", "#fcf2f8"),
)
"""Told apart by colour-blind readers too: after Okabe & Ito, *Color Universal Design*, 2008."""

CUT: Final = "#c1121f"
GRADIENT: Final = "#5b2a86"
OUTLINE: Final = "#777777"

_STOPS: Final = ((1.0, 1.0, 1.0), (0.88, 0.83, 0.92), (0.62, 0.50, 0.75), (0.36, 0.16, 0.53), (0.16, 0.0, 0.28))
"""From vanished to large: lightness alone tells the order."""

_FEWEST_DECADES: Final = 2
_MOST_DECADES: Final = 8


def layer_colours(number: int) -> LayerColours:
    """Return the colours of a layer, counted from 1."""
    return LAYERS[(number - 1) % len(LAYERS)]


@dataclass(frozen=True)
class Scale:
    """A logarithmic scale of colours for norms.

    Args:
        low: Integer. The decimal exponent of what is white, and below.
        high: Integer. That of what is darkest, and above.
    """

    low: int
    high: int

    @classmethod
    def of(cls, norms: Iterable[float]) -> "Scale":
        """Return the decades that hold all norms, at least two; of more than eight the largest, the rest vanished."""
        positive = [norm for norm in norms if 0 < norm < math.inf]
        if not positive:
            return cls(-_FEWEST_DECADES, 0)
        high = math.ceil(math.log10(max(positive)))
        low = math.floor(math.log10(min(positive)))
        return cls(max(min(low, high - _FEWEST_DECADES), high - _MOST_DECADES), high)

    def colour(self, norm: float) -> str:
        """Return the colour of a norm."""
        return self.at((math.log10(norm) - self.low) / (self.high - self.low) if norm > 0 else 0.0)

    def at(self, share: float) -> str:
        """Return the colour at a share of the scale, 0 to 1."""
        place = min(max(share, 0.0), 1.0) * (len(_STOPS) - 1)
        (first, second), rest = (
            list(pairwise(_STOPS))[min(int(place), len(_STOPS) - 2)],
            place - min(int(place), len(_STOPS) - 2),
        )
        return "#" + "".join(f"{round(255 * (a + (b - a) * rest)):02x}" for a, b in zip(first, second, strict=True))
