"""Settings with costs that can be worked out by hand, as rows."""

from dataclasses import replace

from fixed_records import measured

from kerasunroll.measurement.statistics.rounds import TimeRatio
from kerasunroll.report.rows import FORWARD, PREDICT, READY, STEP, Row, comparison_rows

STEP_SECONDS = 0.020
"""A training step of the loop."""


def row(setting="loop", *, compiles=2.0, grows=100e6, ratio=None, spread=1.06, difference=3e-7, **changes) -> Row:
    """Return a row; `ratio` is its time over the loop's, `spread` the factor from there to each end of the interval."""
    (made,) = comparison_rows([measured("full" if setting == "full" else "loop")])
    alone = setting == "loop"
    figures = {
        "build_seconds": 0.1,
        "trace_seconds": 0.4,
        "compile_seconds": compiles - 0.5,
        "step_seconds": 0.5,  # of another moment than the ratio: nobody must take it
        "process_growth_bytes": grows,
        "process_peak_bytes": 700e6 + grows,
        "tensor_peak_bytes": 12.9e6,
    }
    if alone:
        figures["step_seconds"] = STEP_SECONDS
    elif difference is not None:
        figures["largest_difference_before"] = difference
    return replace(
        made,
        setting=setting,
        baseline=None if alone else "loop",
        figures=figures,
        comparisons={} if ratio is None else {STEP: compared(ratio, spread)},
        each_process={READY: (0.9 * compiles, compiles, 1.1 * compiles)},
        **changes,
    )


def compared(ratio: float, spread: float = 1.06) -> TimeRatio:
    return TimeRatio(ratio=ratio, low=ratio / spread, high=ratio * spread, rounds=12, half_width=0.03, processes=3)


def inferred(of: Row, seconds: float, ratio: float | None = None, figure=FORWARD) -> Row:
    """Return the row with the time of a batch in inference as well."""
    comparisons = of.comparisons if ratio is None else of.comparisons | {figure: compared(ratio)}
    return replace(of, figures=of.figures | {figure: seconds}, comparisons=comparisons)


LOOP = row()
K8 = row("k8", compiles=2.1, ratio=0.625)
FULL = row("full", compiles=13.1, grows=320e6, ratio=0.625, difference=2e-7)
__all__ = ["FULL", "K8", "LOOP", "PREDICT", "STEP_SECONDS", "compared", "inferred", "row"]
