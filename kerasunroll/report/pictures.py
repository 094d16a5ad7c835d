"""The pictures of a comparison, as files."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from kerasunroll.figures.flow import comparison_figure
from kerasunroll.figures.flow_history import load_histories
from kerasunroll.measurement.comparison import Measured
from kerasunroll.measurement.records import Outcome


def write_gradient_pictures(measured: Sequence[Measured], folder: Path) -> list[Path]:
    """Draw, for each stack, the gradients through time of all its settings over each other.

    Args:
        measured: What a comparison found out, variants of one stack in a row.
        folder: Path. The folder of the comparison; the pictures are `<folder>/<stack>/gradients_through_time.png`.

    Returns:
        The paths of the pictures. A stack of which no variant was trained has none.
    """
    paths = []
    for group, members in groupby(measured, key=lambda each: each.variant.group):
        # Of a training that was ended, half a file may have been left.
        finished = [each for each in members if each.training.outcome is Outcome.DONE]
        histories = {each.variant.setting: load_histories(each.variant.folder) for each in finished}
        trained = {setting: history for setting, history in histories.items() if history}
        if trained:
            path = folder / group / "gradients_through_time.png"
            comparison_figure(trained).savefig(path)
            paths.append(path)
    return paths
