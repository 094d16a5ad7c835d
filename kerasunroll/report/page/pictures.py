"""The pictures of a comparison, as files."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from kerasunroll.figures.flow import comparison_figure
from kerasunroll.figures.growth import growth_figure
from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.report.page.drawn import growth_panels, trained_histories
from kerasunroll.report.sweeps import Sweep


def write_gradient_pictures(measured: Sequence[Measured], colours: Mapping[str, str], folder: Path) -> list[Path]:
    """Draw, for each stack, the gradients through time of all its settings over each other.

    Args:
        measured: What a comparison found out, variants of one stack in a row.
        colours: Dict from setting to colour.
        folder: Path. The folder of the comparison; the pictures are `<folder>/<stack>/gradients_through_time.png`.

    Returns:
        The paths of the pictures. A stack of which no variant was trained has none.
    """
    paths = []
    for group, members in groupby(measured, key=lambda each: each.variant.group):
        trained = trained_histories(list(members))
        if trained:
            path = folder / group / "gradients_through_time.png"
            comparison_figure(trained, colours).savefig(path)
            paths.append(path)
    return paths


def write_growth_pictures(sweeps: Sequence[Sweep], colours: Mapping[str, str], folder: Path) -> list[Path]:
    """Draw, for each sweep, what it costs over the number of time steps, in all settings.

    Args:
        sweeps: What `find_sweeps` returned.
        colours: Dict from setting to colour.
        folder: Path. The folder of the comparison, which exists; the pictures are `<folder>/<sweep>-over-T.png`.

    Returns:
        The paths of the pictures.
    """
    paths = []
    for sweep in sweeps:
        panels = growth_panels(sweep, colours)
        if panels:
            path = folder / f"{sweep.name}-over-T.png"
            note = f"Left out: {'; '.join(sweep.left_out)}" if sweep.left_out else ""
            growth_figure(sweep.name, panels, note).savefig(path)
            paths.append(path)
    return paths
