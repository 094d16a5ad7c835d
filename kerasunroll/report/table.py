"""The table at the end of a comparison."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final

from rich.table import Table
from rich.text import Text

from kerasunroll.measurement.stats import Comparison
from kerasunroll.report.rows import Row
from kerasunroll.units import format_bytes, format_count, format_ratio, format_seconds

Format = Callable[[float | None], str]


def _plain(digits: int) -> Format:
    return lambda value: "–" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _small(value: float | None) -> str:
    return "–" if value is None else f"{value:.1e}"


def _against(comparison: Comparison | None) -> str:
    if comparison is None:
        return "–"
    interval = f"{comparison.low:.2f} to {comparison.high:.2f}"
    return f"{format_ratio(comparison.ratio)} ({interval})\n{comparison.verdict}"


LINES: Final[Sequence[tuple[str, str, Format]]] = [
    ("parameters", "parameters", format_count),
    ("graph nodes, training step", "training_step_nodes", format_count),
    ("build", "build_seconds", format_seconds),
    ("trace", "trace_seconds", format_seconds),
    ("compile", "compile_seconds", format_seconds),
    ("training step", "step_seconds", format_seconds),
    ("tensor peak", "tensor_peak_bytes", format_bytes),
    ("process peak", "process_peak_bytes", format_bytes),
    ("final loss", "final_loss", _plain(4)),
    ("final validation loss", "final_val_loss", _plain(4)),
    ("final validation accuracy", "final_val_accuracy", _percent),
    ("final validation mae", "final_val_mae", _plain(4)),
    ("largest output difference to loop", "largest_difference_before", _small),
    ("… after training", "largest_difference_after", _small),
]
"""What a line is called, which figure it shows, and how."""


def comparison_tables(rows: Sequence[Row]) -> list[Table]:
    """Return one table per stack: a column per setting, a line per figure that was measured."""
    return [_table(group, list(members)) for group, members in groupby(rows, key=lambda row: row.group)]


def _table(group: str, rows: Sequence[Row]) -> Table:
    # As `Text`, a bracket in a name is a bracket, and no markup.
    table = Table(title=Text(group, style="bold"), title_justify="left")
    table.add_column("")
    for row in rows:
        table.add_column(Text(row.setting), justify="right")
    table.add_row("path", *(Text(row.path or "–") for row in rows))
    for name, figure, show in LINES:
        values = [row.figures.get(figure) for row in rows]
        if any(value is not None for value in values):
            table.add_row(name, *map(show, values))
        if figure == "step_seconds" and any(row.against_loop for row in rows):
            table.add_row("… against the loop", *(_against(row.against_loop) for row in rows))
    return table
