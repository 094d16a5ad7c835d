"""A deployment as a table: a line per contender."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kerasunroll.deployment.rows import Row
from kerasunroll.deployment.stages.timing import INFERENCE
from kerasunroll.display.tables import TextTable
from kerasunroll.report.page.page import escape_markdown
from kerasunroll.units import format_bytes, format_ends, format_seconds

if TYPE_CHECKING:
    import pandas as pd

WIDEST: Final = 10.0
"""Where the ends of a ratio are further apart than this factor, it says nothing."""

_OPERATIONS_SHOWN: Final = 6


def deployment_table(rows: Sequence[Row]) -> TextTable:
    """Return what one looks at first, as texts.

    Args:
        rows: What `deployment_rows` returned.
    """
    baseline = next((row.baseline for row in rows if row.baseline), None)
    first = next((row.title for row in rows if row.name == baseline), "the first")
    columns = ["contender", "file", "arena", "an inference", f"× {first}", "same", "Micro"]
    cells = [_cells(row) for row in rows]
    if any(row.tells_threads for row in rows):
        columns.insert(1, "threads")
        for row, line in zip(rows, cells, strict=True):
            line.insert(1, str(row.contender.threads) if row.was_run else "–")
    return TextTable(columns, cells)


def deployment_frame(rows: Sequence[Row]) -> "pd.DataFrame":
    """Return a data frame with a row per contender: what it is, how it ended, its figures, intervals and operations.

    Args:
        rows: What `deployment_rows` returned.
    """
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "contender": row.name,
                "setting": row.contender.setting,
                "target": row.contender.target,
                "form": row.contender.form,
                "quantization": row.contender.quantization,
                "threads": row.contender.threads,
                "outcome": row.record.outcome.value,
                "cause": row.record.cause,
                "path": row.record.path,
                **row.record.figures,
                "inference_ratio": row.ratio.ratio if row.ratio else None,
                "inference_ratio_low": row.ratio.low if row.ratio else None,
                "inference_ratio_high": row.ratio.high if row.ratio else None,
                "computes_the_same": row.computes_the_same,
                "operations": sum(row.record.operations.values()),
                "flex": ", ".join(row.flex),
                "not_in_micro": ", ".join(row.not_in_micro),
            }
            for row in rows
        ]
    )


def deployment_markdown(rows: Sequence[Row], text: str) -> str:
    """Return a verdict and the table as Markdown.

    Args:
        rows: What `deployment_rows` returned.
        text: String. The verdict.
    """
    table = deployment_table(rows)
    rest = [[escape_markdown(cell) for cell in row] for row in table.rows]
    lines = [table.columns, ["---"] * len(table.columns), *rest]
    return (
        f"{escape_markdown(text)}\n\n"
        + "\n".join(f"| {' | '.join(line)} |" for line in lines)
        + ("\n\n" + "".join(f"- {escape_markdown(line)}\n" for line in operation_lines(rows)))
    )


def _cells(row: Row) -> list[str]:
    ratio = "–"
    if row.ratio:
        told = row.ratio.high <= WIDEST * row.ratio.low
        ratio = f"{row.ratio.ratio:.2f} ({format_ends(row.ratio.low, row.ratio.high)})" if told else "not told"
    same = {True: "yes", False: "no", None: "–"}[row.computes_the_same]
    name = row.contender.label if row.tells_threads else row.name
    micro = "–" if not row.record.operations else "yes" if not row.not_in_micro else "no"
    return [
        name if row.is_made else f"{name} ({row.record.outcome})",
        format_bytes(row.figure("file_bytes")),
        format_bytes(row.figure("arena_bytes")),
        format_seconds(row.figure(INFERENCE)),
        ratio,
        same,
        micro,
    ]


def operation_lines(rows: Sequence[Row]) -> list[str]:
    """Return a line for each file: its operations by kind, those first that not every runtime knows.

    Args:
        rows: What `deployment_rows` returned.
    """
    files = {row.contender.label: row for row in rows if row.record.operations}
    return [f"{label}: {_operations(row)}." for label, row in files.items()]


def _operations(row: Row) -> str:
    found = sorted(row.record.operations.items(), key=lambda item: (not item[0].startswith("Flex"), -item[1]))
    shown = ", ".join(f"{count} {name}" for name, count in found[:_OPERATIONS_SHOWN])
    return shown + (f", {len(found) - _OPERATIONS_SHOWN} kinds more" if len(found) > _OPERATIONS_SHOWN else "")
