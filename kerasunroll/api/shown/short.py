"""A comparison in a small table: what one looks at first."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from kerasunroll.measurement.planning.variant import LOOP
from kerasunroll.report.rows import READY_PARTS, STEP, Row
from kerasunroll.units import format_bytes, format_ratio, format_seconds

_SIZES: Final = (("process growth", "process_growth_bytes"), ("tensor peak", "tensor_peak_bytes"))


def short_table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return the columns and the cells of a table with a line per setting.

    Args:
        rows: The rows of one group.
    """
    whose = next((row.baseline for row in rows if row.baseline), LOOP)
    columns = ["setting", "until the first training step", "training step", f"× {whose}", *(name for name, _ in _SIZES)]
    return columns, [list(_cells(row)) for row in rows]


def _cells(row: Row) -> Iterator[str]:
    yield row.setting
    parts = [row.figures.get(part) for part in READY_PARTS]
    yield format_seconds(None if None in parts else sum(part for part in parts if part is not None))
    yield _shown(row, STEP, format_seconds)
    ratio = row.against_loop
    yield f"{format_ratio(ratio.ratio)} ({ratio.low:.2f} to {ratio.high:.2f})" if ratio else "–"
    for _, figure in _SIZES:
        yield _shown(row, figure, format_bytes)


def _shown(row: Row, figure: str, show: Callable[[float | None], str]) -> str:
    return show(row.figures.get(figure))
