"""The textbook pictures: a recurrent network folded, unfolded over time, on the way back, and as it executes.

Where everything stands is one thing, a `Picture` of shapes with coordinates; SVG and PNG are drawn from it.
Loads without TensorFlow.
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

from kerasunroll.errors import InputError
from kerasunroll.figures.diagram.backward import backward
from kerasunroll.figures.diagram.execution import execution
from kerasunroll.figures.diagram.folded import folded
from kerasunroll.figures.diagram.measured import MeasuredNorms
from kerasunroll.figures.diagram.network import Layer, Network, Way
from kerasunroll.figures.diagram.png import to_png
from kerasunroll.figures.diagram.shapes import Picture
from kerasunroll.figures.diagram.svg import to_svg
from kerasunroll.figures.diagram.unfolded import unfolded

__all__ = ["KINDS", "Kind", "Layer", "MeasuredNorms", "Network", "Picture", "Way", "draw", "to_png", "to_svg"]

Kind: TypeAlias = Literal["folded", "unfolded", "backward", "execution"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_FEWEST: Final = 3
"""Time steps that are drawn at least where there are more: two, an ellipsis and the last."""


def draw(network: Network, kind: Kind, *, show: int | None = None, norms: MeasuredNorms | None = None) -> Picture:
    """Draw a network.

    Args:
        network: `Network`, such as `Network.from_config(StackConfig(...))`.
        kind: String. `"folded"`: every layer once, with the cycles of its states. `"unfolded"`: one copy of each cell
            per time step, states flowing to the right. `"backward"`: gradients flowing to the left. `"execution"`:
            how each layer runs in its setting, where the gradient is cut, and what is recomputed.
        show: Integer, at least 3, or `None`. The number of time steps to draw; the others are an ellipsis. Defaults to
            `None`: up to 12 all, of more 8.
        norms: `MeasuredNorms` or `None`. What the arrows of `"backward"` are shaded by. Defaults to `None`.

    Returns:
        A `Picture`, for `to_svg` and `to_png`.

    Raises:
        InputError: If `kind` or `show` is invalid.

    Example:
    >>> from kerasunroll.models import StackConfig
    >>> network = Network.from_config(StackConfig(cell="lstm", input_shape=(6, 1)))
    >>> picture = draw(network, "unfolded")
    >>> len(picture.marked("cell"))
    12
    """
    if show is not None and show < _FEWEST:
        raise InputError(f"Expected at least {_FEWEST} time steps to show, got {show}.")
    if kind == "backward":
        return backward(network, show, norms)
    others: Mapping[str, object] = {"folded": folded, "unfolded": unfolded, "execution": execution}
    if kind not in others:
        raise InputError(f"Invalid kind of picture: expected one of {', '.join(KINDS)}, got '{kind}'.")
    return {"folded": folded, "unfolded": unfolded, "execution": execution}[kind](network, show)
