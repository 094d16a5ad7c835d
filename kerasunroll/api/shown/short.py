"""A comparison in a small table: what one looks at first."""

from collections.abc import Iterator, Sequence
from typing import Final

from kerasunroll.display.tables import TextTable
from kerasunroll.measurement.planning.variant import LOOP
from kerasunroll.report.rows import STEP, Row
from kerasunroll.report.verdict.costs import ready_seconds
from kerasunroll.units import format_bytes, format_ends, format_ratio, format_seconds

_SIZES: Final = {"process growth": "process_growth_bytes", "tensor peak": "tensor_peak_bytes"}


def short_table(rows: Sequence[Row]) -> TextTable:
    """Return a table with a line per setting.

    Args:
        rows: The rows of one group.
    """
    whose = next((row.baseline for row in rows if row.baseline), LOOP)
    columns = ["setting", "until the first training step", "training step", f"× {whose}", *_SIZES]
    return TextTable(columns, [list(_cells(row)) for row in rows])


def _cells(row: Row) -> Iterator[str]:
    yield row.setting
    yield format_seconds(ready_seconds(row))
    yield format_seconds(row.figures.get(STEP))
    ratio = row.against_loop
    yield f"{format_ratio(ratio.ratio)} ({format_ends(ratio.low, ratio.high)})" if ratio else "–"
    yield from (format_bytes(row.figures.get(figure)) for figure in _SIZES.values())
