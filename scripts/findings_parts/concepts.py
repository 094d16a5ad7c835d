"""The measured tables of docs/concepts.md, from the runs of the findings."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kerasunroll.report.rows import READY, Row
from kerasunroll.report.run import Run
from kerasunroll.units import format_bytes, format_count, format_seconds

from . import layers, time_steps
from .claims import memory_text, pays_text, ratio_text, seconds_text
from .page import markdown_table, paragraphs
from .runs import Part, loaded
from .time_steps import known_costs

Column = Callable[[Run, Row], str]
RUNS: Final = {run.name: run for run in (*time_steps.RUNS, *layers.RUNS)}


def _figure(name: str, show: Callable[[float | None], str]) -> Column:
    return lambda _, row: show(row.figures.get(name))


def _operations(*names: str) -> Column:
    return lambda _, row: format_count(sum(row.operations.get(name, 0) for name in names))


def _difference(_: Run, row: Row) -> str:
    value = row.figures.get("largest_difference_before")
    return "–" if value is None else f"{value:.0e}" if value else "0, to the last bit"


def _step(run: Run, row: Row) -> str:
    return format_seconds(known_costs(run)[row.group, row.setting].step_seconds)


def _pays(run: Run, row: Row) -> str:
    known = known_costs(run)
    return "–" if row.baseline is None else pays_text(known[row.group, row.setting], known[row.group, row.baseline])


COLUMNS: Final[Mapping[str, Column]] = {
    "network": lambda _, row: f"`{row.group}`",
    "setting": lambda _, row: f"`{row.setting}`",
    "what ran": lambda _, row: row.path or "–",
    "compiles in": lambda _, row: seconds_text(row, READY),
    "training step": _step,
    "against the loop": lambda _, row: ratio_text(row),
    "has paid for itself after": _pays,
    "process memory, added": lambda _, row: memory_text(row),
    "tensor memory, added": _figure("tensor_added_bytes", format_bytes),
    "parameters": _figure("parameters", format_count),
    "graph nodes": _figure("training_step_nodes", format_count),
    "loops": _operations("While", "StatelessWhile"),
    "matrix products": _operations("MatMul"),
    "largest output difference": _difference,
}
"""What a column shows of each variant."""


@dataclass(frozen=True)
class Table:
    """A table of docs/concepts.md.

    Args:
        runs: Strings. The runs whose variants it shows.
        columns: Names of `COLUMNS`.
        settings: The settings shown; none stands for all.
        timesteps: Integers. The lengths shown; none stands for all.
    """

    runs: tuple[str, ...]
    columns: tuple[str, ...]
    settings: tuple[str, ...] = ()
    timesteps: tuple[int, ...] = ()

    def rows(self, run: Run) -> Iterator[Row]:
        """Yield the variants that are shown."""
        for row in run.rows:
            wanted = not self.settings or row.setting in self.settings
            if wanted and (not self.timesteps or row.config.timesteps in self.timesteps):
                yield row


_LSTM: Final = ("time-steps-lstm",)
_TWO: Final = ("time-steps-lstm", "time-steps-simple_rnn")
_ENDS: Final = (time_steps.TIMESTEPS[0], time_steps.TIMESTEPS[-1])
_USUAL: Final = (64,)
_SETTING: Final = ("network", "setting")

TABLES: Final[Mapping[str, Table]] = {
    "parity": Table(_TWO, (*_SETTING, "what ran", "largest output difference"), timesteps=_USUAL),
    "parameters": Table(
        _LSTM, (*_SETTING, "parameters", "graph nodes", "tensor memory, added"), ("loop", "full"), _ENDS
    ),
    "memory": Table(_LSTM, (*_SETTING, "tensor memory, added", "process memory, added"), ("loop", "full"), _ENDS),
    "layers": Table(("layers-lstm",), ("setting", "what ran", "loops", "graph nodes"), ("loop", "full", "loop,full")),
    "partial": Table(
        _TWO, (*_SETTING, "graph nodes", "compiles in", "against the loop"), ("loop", "k8", "full"), _USUAL
    ),
    "projection": Table(("layers-lstm",), ("setting", "what ran", "matrix products"), ("full", "own-full")),
    "own": Table(_TWO, (*_SETTING, "training step", "against the loop"), ("loop", "own-loop"), _USUAL),
    "break-even": Table(
        _TWO, (*_SETTING, "compiles in", "against the loop", "has paid for itself after"), timesteps=_USUAL
    ),
}


def blocks(runs: Path, images: Path) -> dict[str, str]:  # noqa: ARG001
    """Return the tables of which every run has been measured, with these lengths."""
    found = {name: run for name in RUNS for run in loaded(runs, [RUNS[name]])}
    made = {}
    for name, table in TABLES.items():
        shown = [(found[run], row) for run in table.runs if run in found for row in table.rows(found[run])]
        if shown and all(run in found for run in table.runs):
            lines = [[COLUMNS[column](run, row) for column in table.columns] for run, row in shown]
            command = f"`python scripts/findings.py --run {' '.join(table.runs)}`"
            made[f"table: {name}"] = paragraphs(markdown_table(table.columns, lines), f"Measured by {command}.")
    return made


PART: Final = Part("concepts", (), blocks)
