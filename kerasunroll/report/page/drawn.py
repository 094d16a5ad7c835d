"""What is drawn: results in the shape that the figures take."""

from collections.abc import Mapping, Sequence
from itertools import cycle

from kerasunroll.figures.flow_history import FlowHistory, load_histories
from kerasunroll.figures.growth import MARKERS, Line, Panel
from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.measurement.records.record import Outcome, unit
from kerasunroll.report.sweeps import FIGURES, Sweep
from kerasunroll.report.tables.growth import SHOW, format_growth


def trained_histories(measured: Sequence[Measured]) -> dict[str, list[FlowHistory]]:
    """Return the gradients through time of the settings of one group that were trained to the end.

    Args:
        measured: What a comparison found out, the variants of one group.
    """
    # Of a training that was ended, half a file may have been left.
    finished = [each for each in measured if each.training and each.training.outcome is Outcome.DONE]
    histories = {each.variant.setting: load_histories(each.variant.folder) for each in finished}
    # Of a cell that is not Keras's, or has images for states, no h is known.
    known = {setting: [each for each in history if "h" in each.norms] for setting, history in histories.items()}
    return {setting: history for setting, history in known.items() if history}


def growth_panels(sweep: Sweep, colours: Mapping[str, str]) -> list[Panel]:
    """Return a panel for each figure of a sweep, with a line per setting; the legend tells what a time step adds.

    Args:
        sweep: `Sweep`.
        colours: Dict from setting to colour.
    """
    markers = dict(zip(sweep.settings, cycle(MARKERS), strict=False))
    panels = []
    for figure, title in FIGURES.items():
        lines = [
            Line(
                label=f"{each.setting}: {format_growth(each)}",
                timesteps=each.timesteps,
                values=each.values,
                colour=colours[each.setting],
                marker=markers[each.setting],
            )
            for each in sweep.of(figure)
            if max(each.values) > 0
        ]
        if lines:
            panels.append(Panel(title, SHOW[unit(figure)], lines))
    return panels
