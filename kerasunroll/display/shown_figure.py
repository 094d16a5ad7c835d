"""A figure that a notebook shows."""

import io
from typing import Any, Final

from matplotlib.figure import Figure

_DPI: Final = 100


class ShownFigure(Figure):
    """A Matplotlib figure that a notebook shows, although `pyplot` does not know of it.

    So nothing pops up, nothing has to be closed, and it works without a display. Its ground is white, on a dark page
    too. `figure.savefig("states.png")` writes it to a file; `figure.axes` has its axes, colour bars last.

    Args:
        width: Float. In inches.
        height: Float. In inches.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), dpi=_DPI, layout="constrained")

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        arguments: dict[str, Any] = {"format": "png"}
        self.savefig(file, **arguments)
        return file.getvalue()
