"""The tables at the end of a comparison, and the news while it runs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from kerasunroll.measurement.planning.variant import LOOP
from kerasunroll.measurement.records.record import unit
from kerasunroll.measurement.statistics.rounds import TimeRatio
from kerasunroll.report.rows import STEP, TIMED_IN_ROUNDS, Row
from kerasunroll.units import format_bytes, format_count, format_ends, format_ratio, format_seconds

Format = Callable[[float | None], str]
Line = tuple[str, Sequence[Text]]
"""What a line is called, and its cell in each column."""

NOTHING: Final = "–"
WIDEST: Final = 10.0
"""An interval that reaches further than this factor to both sides says nothing, so its ends are not shown."""
STYLES: Final = {"faster": "green", "slower": "red", "no difference": ""}


def _plain(digits: int) -> Format:
    return lambda value: NOTHING if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1%}"


def _small(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1e}"


SECTIONS: Final[Sequence[Sequence[tuple[str, str, Format]]]] = [
    [
        ("parameters", "parameters", format_count),
        ("graph nodes, forward pass", "forward_nodes", format_count),
        ("graph nodes, training step", "training_step_nodes", format_count),
        ("graph size, forward pass", "forward_graph_bytes", format_bytes),
        ("graph size, training step", "training_step_graph_bytes", format_bytes),
    ],
    [
        ("build", "build_seconds", format_seconds),
        ("trace", "trace_seconds", format_seconds),
        ("compile", "compile_seconds", format_seconds),
        ("… of it XLA", "xla_compile_seconds", format_seconds),
        ("first training step", "first_step_seconds", format_seconds),
    ],
    [
        ("training step", "step_seconds", format_seconds),
        ("forward pass", "forward_seconds", format_seconds),
        ("predict", "predict_seconds", format_seconds),
    ],
    [
        ("tensor peak, training step", "tensor_peak_bytes", format_bytes),
        ("… alive before", "tensor_alive_bytes", format_bytes),
        ("… added by the step", "tensor_added_bytes", format_bytes),
        ("tensor peak, inference", "tensor_inference_peak_bytes", format_bytes),
        ("process at start", "process_start_bytes", format_bytes),
        ("process peak", "process_peak_bytes", format_bytes),
        ("process growth", "process_growth_bytes", format_bytes),
    ],
    [
        ("training, with all logging", "fit_seconds", format_seconds),
        ("final loss", "final_loss", _plain(4)),
        ("final accuracy", "final_accuracy", _percent),
        ("final mae", "final_mae", _plain(4)),
        ("final validation loss", "final_val_loss", _plain(4)),
        ("final validation accuracy", "final_val_accuracy", _percent),
        ("final validation mae", "final_val_mae", _plain(4)),
        ("largest output difference", "largest_difference_before", _small),
        ("… after training", "largest_difference_after", _small),
    ],
]
"""What a line is called, which figure it shows, and how: what there is, what it takes once, each time, in memory."""

_KNOWN: Final = {figure: name for section in SECTIONS for name, figure, _ in section}
_BY_UNIT: Final[dict[str, Format]] = {"seconds": format_seconds, "bytes": format_bytes, "": _plain(4)}


def comparison_tables(rows: Sequence[Row]) -> list[RenderableType]:
    """Return, for each group, a table with a column per setting and a line per figure that was measured; then notes.

    The notes say what ended the rounds, and what makes the numbers that bear a mark less certain.

    Args:
        rows: What `comparison_rows` returned.

    Returns:
        List of what a `rich.console.Console` prints. A table that is too wide for it is split.
    """
    return [part for _, group in groupby(rows, key=lambda row: row.group) for part in _group(list(group))]


def timing_line(row: Row) -> Text:
    """Return the news of one variant that was timed, or why it was not.

    Example:
    >>> print(timing_line(row))  # doctest: +SKIP
    lstm-L2-U64-T64 full: 12.1 ms a training step, 0.62× the loop's (0.60 to 0.65): faster
    """
    name = f"{row.group} {row.setting}: "
    if STEP not in row.figures:
        return Text(
            name + next((each for each in row.problems if each.startswith("timing: ")), "not timed"), style="red"
        )
    line = Text(f"{name}{format_seconds(row.figures[STEP])} a training step")
    if row.against_loop is not None:
        whose = "the loop's" if row.baseline == LOOP else f"{row.baseline}'s"
        line.append(f", {format_ratio(row.against_loop.ratio)} {whose} ({_interval(row.against_loop)}): ")
        line.append(row.against_loop.verdict, style=STYLES[row.against_loop.verdict])
    return line


@dataclass(frozen=True)
class SplitTable:
    """A table with a column per setting, split into several where it is too wide; the first setting is in each.

    Args:
        title: String.
        settings: The settings, the one that the others are compared with first.
        sections: Lists of lines.
    """

    title: str
    settings: Sequence[str]
    sections: Sequence[Sequence[Line]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        """Yield as few tables as there is room for."""
        others = range(1, len(self.settings))
        endless = options.update(width=10_000)
        for size in range(len(others), 0, -1):
            tables = [self._table([0, *others[start : start + size]]) for start in range(0, len(others), size)]
            if all(Measurement.get(console, endless, table).maximum <= options.max_width for table in tables):
                break
        else:
            tables = [self._table([0, *others[start : start + 1]]) for start in range(max(1, len(others)))]
        yield from tables

    def _table(self, columns: Sequence[int]) -> Table:
        # As `Text`, a bracket in a name is a bracket, and no markup.
        table = Table(title=Text(self.title, style="bold"), title_justify="left")
        table.add_column("", overflow="fold")
        for column in columns:
            table.add_column(Text(self.settings[column]), justify="right", overflow="fold")
        for section in self.sections:
            table.add_section()
            for name, cells in section:
                table.add_row(Text(name), *(cells[column] for column in columns))
        return table


def _group(rows: Sequence[Row]) -> list[RenderableType]:
    # What the others are compared with stands first: it is repeated where a table is split.
    rows = sorted(rows, key=lambda row: row.baseline is not None)
    numbers = _number_reasons(rows)
    sections = [_top(rows), *(_section(section, rows, numbers) for section in SECTIONS)]
    sections[-1] += [_line(figure.replace("_", " "), figure, _BY_UNIT[unit(figure)], rows) for figure in _unknown(rows)]
    table = SplitTable(rows[0].group, [row.setting for row in rows], sections)
    notes = (*_endings(rows), *_not_compared(rows), *_reasons(rows, numbers), *_nodes(rows))
    return [table, *(Text(note) for note in notes)]


def _top(rows: Sequence[Row]) -> list[Line]:
    lines: list[Line] = []
    if any(row.outcome != "done" for row in rows):
        lines.append(("outcome", [Text(row.outcome.replace(", ", "\n").replace("_", " ")) for row in rows]))
    if any(row.path for row in rows):
        lines.append(("path", [Text((row.path or NOTHING).replace(", ", "\n")) for row in rows]))
    return lines


def _section(section: Sequence[tuple[str, str, Format]], rows: Sequence[Row], numbers: dict[str, int]) -> list[Line]:
    lines: list[Line] = []
    for name, figure, show in section:
        if any(figure in row.figures for row in rows):
            lines.append(_line(name, figure, show, rows, numbers))
        if any(figure in row.comparisons for row in rows):
            baseline = next(row.baseline for row in rows if row.baseline)
            lines.append((f"… against {baseline}", [_against(row, figure, numbers) for row in rows]))
    return lines


def _line(name: str, figure: str, show: Format, rows: Sequence[Row], numbers: dict[str, int] | None = None) -> Line:
    return name, [
        Text(show(row.figures.get(figure)) + _margin(row, figure) + _mark(row, figure, "time", numbers or {}))
        for row in rows
    ]


def _margin(row: Row, figure: str) -> str:
    """Return e.g. `" ±3%"`: how far the processes leave a figure open that each of them gave once."""
    found = row.interval(figure)
    if found is None or found.value <= 0:
        return ""
    share = (found.high - found.value) / found.value
    return " (open)" if share > 1 else f" ±{share:.{0 if share >= 0.0095 else 1}%}"


def _unknown(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(figure for row in rows for figure in row.figures if figure not in _KNOWN))


def _against(row: Row, figure: str, numbers: dict[str, int]) -> Text:
    comparison = row.comparisons.get(figure)
    if comparison is None:
        return Text(NOTHING)
    ratio = format_ratio(comparison.ratio) + _mark(row, figure, "ratio", numbers)
    return Text.assemble(f"{ratio}\n{_interval(comparison)}\n", (comparison.verdict, STYLES[comparison.verdict]))


def _interval(comparison: TimeRatio) -> str:
    if not comparison.high <= WIDEST**2 * comparison.low:
        return "cannot be told from these rounds"
    return format_ends(comparison.low, comparison.high)


def _mark(row: Row, figure: str, concerns: str, numbers: dict[str, int]) -> str:
    found = sorted(numbers[mark.reason] for mark in row.marks.get(figure, ()) if mark.concerns == concerns)
    return f" [{','.join(map(str, found))}]" if found else ""


def _number_reasons(rows: Sequence[Row]) -> dict[str, int]:
    marks = [mark for figure in TIMED_IN_ROUNDS for row in rows for mark in row.marks.get(figure, ())]
    return {reason: number for number, reason in enumerate(dict.fromkeys(mark.reason for mark in marks), start=1)}


def _reasons(rows: Sequence[Row], numbers: dict[str, int]) -> Iterator[str]:
    """Yield one line per reason: where it was seen and how much of it, and what to do."""
    for reason, number in numbers.items():
        seen = {
            _KNOWN[figure]: [
                (row.setting, mark) for row in rows for mark in row.marks.get(figure, ()) if mark.reason == reason
            ]
            for figure in TIMED_IN_ROUNDS
        }
        where = "; ".join(
            f"{name}: " + ", ".join(f"{setting} {mark.seen}" for setting, mark in found)
            for name, found in seen.items()
            if found
        )
        advice = next(mark.advice for found in seen.values() for _, mark in found)
        yield f"[{number}] {reason} ({where}). {advice}"


def _endings(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what ended the rounds of training steps (of the others, there are as few as possible).

    There are several lines only where variants were timed in several sessions.
    """
    compared = any(row.comparisons for row in rows)
    for why in dict.fromkeys(row.stopped_by for row in rows if row.stopped_by):
        ended = f"Rounds of training steps ended after {max(row.rounds for row in rows if row.stopped_by == why)}"
        width = f"±{rows[0].half_width:.0%}"
        if why == "budget":
            yield f"{ended}: the time budget was spent."
        elif not compared:
            yield f"{ended}."
        elif why == "width":
            yield (
                f"{ended}: what they leave open is narrow enough ({width}). The rest of an interval is what processes "
                "differ by."
            )
        else:
            yield f"{ended}, the most allowed: not every interval became as narrow as was aimed for ({width})."


def _not_compared(rows: Sequence[Row]) -> Iterator[str]:
    baseline, *others = rows
    alone = [row.setting for row in others if STEP in row.figures and STEP not in row.comparisons]
    if alone and STEP in baseline.figures:
        yield (
            f"Not compared with {baseline.setting}: {', '.join(alone)}. They were not timed in turns with it, and "
            "this machine's speed may have changed in between. Measure them in one go."
        )


def _nodes(rows: Sequence[Row]) -> Iterator[str]:
    """Yield where a cluster has measured a group, and what came in between."""
    nodes = dict.fromkeys(node for row in rows for node in row.nodes if node.id or node.earlier)
    for node in nodes:
        attempt = f", at attempt {node.attempt}" if node.earlier else ""
        if node.id:
            yield f"Measured on node {node}, {node.kind}{attempt}."
        for number, earlier in enumerate(node.earlier, start=1):
            yield f"Attempt {number} came to nothing on {earlier}."
