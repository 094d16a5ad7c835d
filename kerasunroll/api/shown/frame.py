"""A comparison as a data frame: a row per variant."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from kerasunroll.report.rows import READY, TIMED_IN_ROUNDS, Row
from kerasunroll.report.verdict.costs import ready_seconds

if TYPE_CHECKING:
    import pandas as pd

_RATIOS: Final = {figure: figure.replace("_seconds", "_ratio") for figure in TIMED_IN_ROUNDS}


def variants_frame(rows: Sequence[Row]) -> "pd.DataFrame":
    """Return a row per variant: what it is, how it ended, its figures, and their intervals.

    | column | what it holds |
    |---|---|
    | `group`, `setting`, `outcome`, `path` | what it is, how it ended, which code ran |
    | `threads` | where they were given: `"2"` (intra-op), or `"2/1"` (intra-op/inter-op) |
    | `..._seconds`, `..._bytes`, ... | the figures, in seconds and bytes; `ready_seconds`: build, trace and compile |
    | `step_ratio`, `forward_ratio`, `predict_ratio` | the time over that of the baseline |
    | `..._low`, `..._high` | the ends of the 95 % interval of the column before |

    Args:
        rows: What `comparison_rows` returned.
    """
    import pandas as pd

    return pd.DataFrame([dict(_columns(row)) for row in rows])


def _columns(row: Row) -> Iterator[tuple[str, Any]]:
    yield from (("group", row.group), ("setting", row.setting))
    if row.config.threads:
        yield "threads", str(row.config.threads)
    yield from (("outcome", row.outcome), ("path", row.path))
    figures = dict(row.figures)
    if (ready := ready_seconds(row)) is not None:
        figures[READY] = ready
    for name, value in figures.items():
        yield name, value
        if interval := row.interval(name):
            yield from ((f"{name}_low", interval.low), (f"{name}_high", interval.high))
        if (ratio := row.comparisons.get(name)) and name in _RATIOS:
            own = _RATIOS[name]
            yield from ((own, ratio.ratio), (f"{own}_low", ratio.low), (f"{own}_high", ratio.high))
