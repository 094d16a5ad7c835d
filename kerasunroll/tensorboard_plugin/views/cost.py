"""What a network costs over the number of time steps T, with the fitted lines."""

from typing import Any

from kerasunroll.errors import InputError
from kerasunroll.measurement.records.record import unit
from kerasunroll.report.sweeps import FIGURES, Curve, find_sweeps
from kerasunroll.report.tables.growth import format_growth
from kerasunroll.tensorboard_plugin.comparisons import Found


def cost_view(found: Found) -> dict[str, Any]:
    """Return the curves over T of one comparison.

    Args:
        found: `Found`.

    Raises:
        InputError: If it cannot be read.
    """
    if found.run is None:
        raise InputError(found.problem)
    return {
        "sweeps": [
            {
                "name": sweep.name,
                "left_out": list(sweep.left_out),
                "figures": [
                    {
                        "title": title,
                        "unit": unit(figure),
                        "curves": [_curve(curve, found.colours) for curve in sweep.of(figure)],
                    }
                    for figure, title in FIGURES.items()
                    if sweep.of(figure)
                ],
            }
            for sweep in find_sweeps(found.run.rows)
        ]
    }


def _curve(curve: Curve, colours: dict[str, str]) -> dict[str, Any]:
    growth = curve.growth
    straight = growth if growth and growth.grows and not growth.bends else None
    ends = (curve.timesteps[0], curve.timesteps[-1])
    return {
        "setting": curve.setting,
        "colour": colours[curve.setting],
        "timesteps": list(curve.timesteps),
        "values": list(curve.values),
        "each_time_step": format_growth(curve),
        "line": [[t, straight.offset + straight.per_time_step * t] for t in ends] if straight else None,
    }
