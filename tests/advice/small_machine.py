"""A reference and a machine whose costs can be reckoned in the head."""

from kerasunroll.advice.calibration import Calibration
from kerasunroll.advice.model import FIGURES
from kerasunroll.advice.reference import Reference
from kerasunroll.measurement.records.environment import environment

MB = 1_000_000

COEFFICIENTS = {
    # A second to begin with; 0.1 s for each copy that full lays out; our kernels 3 s, once for all of the same units.
    "ready_seconds": {
        "keras": {"start": 1.0},
        "own": {"start": 1.0},
        "lstm full": {"copies": 0.1},
        "lstm own-loop": {"kernels": 3.0},
        "lstm k": {"kernels": 3.0, "copies": 1.0},
    },
    # A time step takes 1 ms in the loop, half of it in full, and a quarter in ours.
    "step_seconds": {
        "lstm loop": {"time_steps": 1e-3},
        "lstm full": {"time_steps": 5e-4},
        "lstm own-loop": {"time_steps": 2.5e-4},
        "lstm k": {"time_steps": 1e-4, "iterations": 1e-3},
        "keras": {"recurrence": 1e-9},
    },
    "forward_ready_seconds": {"keras": {"start": 0.5}, "own": {"start": 1.5}},
    "forward_seconds": {way: {"time_steps": 1e-4} for way in ("lstm loop", "lstm full", "lstm own-loop", "lstm k")},
    "tensor_peak_bytes": {f"lstm {whose}": {"elements": 40.0} for whose in ("keras", "own")},
    "tensor_inference_peak_bytes": {f"lstm {whose}": {"elements": 4.0} for whose in ("keras", "own")},
    "process_growth_bytes": {
        "keras": {"network": 50 * MB},
        "own": {"network": 150 * MB},
        "lstm full": {"copies": 5 * MB},
    },
}


def reference(spread: float = 0.01, version: int = 7) -> Reference:
    spreads = dict.fromkeys(FIGURES, spread)
    return Reference(
        version=version,
        environment=environment(),
        coefficients=COEFFICIENTS,
        spread=spreads,
        spread_between=spreads,
    )


def machine(start_bytes: int = 600 * MB, **factors: float) -> Calibration:
    """Return a machine like the reference one but for some factors, such as `keras_compiling=2`."""
    return Calibration(
        environment=environment(),
        reference=7,
        factors={name.replace("_", " "): factor for name, factor in factors.items()},
        start_bytes=start_bytes,
    )
