"""The pictures of a comparison, one at a time."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib.figure import Figure

from kerasunroll.display.kernel import show_in_notebook
from kerasunroll.errors import InputError
from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.report.page.figures import Picture, all_pictures
from kerasunroll.report.rows import Row
from kerasunroll.report.verdict.verdict import Verdict

NAMES: Final = {
    "time": "time_in_all",
    "ready": "compile",
    "step": "training_step",
    "memory": "process_memory",
    "tensors": "tensor_memory",
    "graph": "graph_nodes",
    "gradients": "gradient_through_time",
}
"""From what a user asks for to what the page calls it."""


def plot(
    what: str | None,
    rows: Sequence[Row],
    verdict: Verdict,
    measured: Sequence[Measured],
    colours: Mapping[str, str],
) -> Any:
    """Draw one picture of a group and return its axes; in a notebook it is shown.

    Args:
        what: String, one of `NAMES`, or `None`: the time in all, or where that is not known, a training step.
        rows: The rows of the group.
        verdict: `Verdict` on it.
        measured: What was measured of it.
        colours: Dict from setting to colour.

    Raises:
        InputError: If there is no such picture, or nothing to be drawn in it.
    """
    if what is not None and what not in NAMES:
        raise InputError(f"Expected one of {', '.join(map(repr, NAMES))}, got {what!r}.")
    found = {each.what: each for each in all_pictures(rows, verdict, measured, colours, "plot")}
    wanted = [NAMES[what]] if what else [NAMES["time"], NAMES["step"]]
    picture = next((found[name] for name in wanted if name in found), None)
    if picture is None:
        raise InputError(
            f"{verdict.group} has nothing to draw for {what or 'time'!r}. There is: "
            f"{', '.join(name for name, drawn in NAMES.items() if drawn in found) or 'nothing yet'}."
        )
    return _axes(picture)


def _axes(picture: Picture) -> Any:
    figure: Figure = picture.draw()
    show_in_notebook(figure)
    axes = figure.get_axes()
    return axes[0] if len(axes) == 1 else axes
