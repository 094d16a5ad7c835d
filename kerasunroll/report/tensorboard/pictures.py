"""The Images tab: the pictures of a comparison. No TensorFlow."""

from collections.abc import Sequence

from tensorboard.compat.proto.summary_pb2 import Summary

from kerasunroll.callbacks.event_files.event_log import figure_png, image_value
from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.report.page.figures import break_even_picture, cost_pictures, gradient_picture
from kerasunroll.report.page.pictures import sweep_figure
from kerasunroll.report.rows import Row
from kerasunroll.report.sweeps import Sweep
from kerasunroll.report.tensorboard import tags
from kerasunroll.report.verdict.verdict import Verdict


def group_pictures(rows: Sequence[Row], measured: Sequence[Measured], verdict: Verdict) -> list[Summary.Value]:
    """Return the pictures of one group: what each setting costs, when a longer compile has paid, the gradients.

    Args:
        rows: The rows of the group.
        measured: What they were made from.
        verdict: `Verdict` on the group.
    """
    costs = [*cost_pictures(rows, verdict, "g0"), break_even_picture(verdict, "g0")]
    pictures = {f"{tags.PICTURES}/{picture.what}": picture for picture in costs if picture}
    if gradients := gradient_picture(measured, "g0"):
        pictures[tags.GRADIENTS] = gradients
    return [
        image_value(tag, *figure_png(picture.draw()), description=picture.caption) for tag, picture in pictures.items()
    ]


def sweep_pictures(sweep: Sweep) -> list[Summary.Value]:
    """Return the picture of what grows how with T, if there is one.

    Args:
        sweep: `Sweep`.
    """
    figure = sweep_figure(sweep)
    return [image_value(f"{tags.PICTURES}/over_T", *figure_png(figure))] if figure else []
