"""The pictures of a comparison, as files."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from kerasunroll.figures.flow import comparison_figure
from kerasunroll.figures.flow_history import load_histories
from kerasunroll.figures.growth import Line, Panel, growth_figure
from kerasunroll.measurement.findings import Measured
from kerasunroll.measurement.records import Outcome, unit
from kerasunroll.report.growth import FIGURES, Sweep
from kerasunroll.report.growth_table import SHOW, format_growth


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
        finished = [each for each in members if each.training and each.training.outcome is Outcome.DONE]
        histories = {each.variant.setting: load_histories(each.variant.folder) for each in finished}
        trained = {setting: history for setting, history in histories.items() if history}
        if trained:
            path = folder / group / "gradients_through_time.png"
            comparison_figure(trained).savefig(path)
            paths.append(path)
    return paths


def write_growth_pictures(sweeps: Sequence[Sweep], folder: Path) -> list[Path]:
    """Draw, for each sweep, what it costs over the number of time steps, in all settings.

    Args:
        sweeps: What `find_sweeps` returned.
        folder: Path. The folder of the comparison, which exists; the pictures are `<folder>/<sweep>-over-T.png`.

    Returns:
        The paths of the pictures.
    """
    paths = []
    for sweep in sweeps:
        panels = _panels(sweep)
        if panels:
            path = folder / f"{sweep.name}-over-T.png"
            note = f"Left out: {'; '.join(sweep.left_out)}" if sweep.left_out else ""
            growth_figure(sweep.name, panels, note).savefig(path)
            paths.append(path)
    return paths


def _panels(sweep: Sweep) -> list[Panel]:
    numbers = {setting: number for number, setting in enumerate(dict.fromkeys(each.setting for each in sweep.curves))}
    panels = []
    for figure, title in FIGURES.items():
        lines = [
            Line(f"{each.setting}: {format_growth(each.growth)}", each.timesteps, each.values, numbers[each.setting])
            for each in sweep.of(figure)
            if max(each.values) > 0
        ]
        if lines:
            panels.append(Panel(title, SHOW[unit(figure)], lines))
    return panels
