"""Write docs/findings.md, its pictures, and the measured tables in docs/concepts.md, all from the same real runs.

    python scripts/findings.py --run    # measure first: about 11 minutes on two cores that do nothing else
    python scripts/findings.py          # write the pages from what has been measured

A run that was interrupted goes on where it was.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from kerasunroll.data import open_source
from kerasunroll.figures.states import state_heatmap
from kerasunroll.measurement.planning.plan import PLAN_FILE
from kerasunroll.measurement.planning.variant import LOOP
from kerasunroll.report.page.figures import break_even_picture, gradient_picture
from kerasunroll.report.page.page import escape_markdown
from kerasunroll.report.page.pictures import write_growth_pictures
from kerasunroll.report.page.tables import page_tables
from kerasunroll.report.rows import Row
from kerasunroll.report.run import Run, planned_training_steps
from kerasunroll.report.sweeps import find_sweeps
from kerasunroll.report.tables.growth import growth_tables
from kerasunroll.report.verdict.costs import Cost, break_even
from kerasunroll.report.verdict.text import verdict_sentences
from kerasunroll.report.verdict.verdict import Verdict, verdicts
from kerasunroll.training.config import MODEL_FILE
from kerasunroll.units import format_bytes, format_count, format_ratio, format_seconds

DOCS: Final = Path(__file__).parents[1] / "docs"
COMMAND_FILE: Final = "command.txt"
NOTHING: Final = "–"


@dataclass(frozen=True)
class Study:
    """Runs that answer one question.

    Args:
        name: String. The name of its folder.
        question: String. The heading.
        command: String. What measures it.
    """

    name: str
    question: str
    command: str


STUDIES: Final = (
    Study(
        "settings",
        "What does each setting cost?",
        "kerasunroll compare --unroll loop --unroll full --unroll k8 --unroll own-loop --epochs 3",
    ),
    Study(
        "length",
        "What do longer sequences cost?",
        "kerasunroll compare --no-train --source adding --cell lstm --units 64 --timesteps 25 --timesteps 50 "
        "--timesteps 100 --timesteps 200 --timesteps 400 --unroll loop --unroll full --unroll own-loop --max-rounds 20",
    ),
    Study(
        "layers",
        "What is in the graph?",
        "kerasunroll measure --cell lstm --timesteps 16 --unroll loop --unroll full --unroll loop,full "
        "--unroll own-full",
    ),
)


@dataclass(frozen=True)
class Measured:
    """A study that has been measured.

    Args:
        study: `Study`.
        command: String. The command that was really given.
        run: `Run`.
    """

    study: Study
    command: str
    run: Run

    @cached_property
    def verdicts(self) -> dict[str, Verdict]:
        """The verdict on each group."""
        found = verdicts(self.run.rows, training_steps=planned_training_steps(self.run.plan))
        return {verdict.group: verdict for verdict in found}

    def cost(self, row: Row) -> Cost:
        """Return what the setting of a row costs."""
        return self.verdicts[row.group].cost(row.setting)

    def baseline(self, row: Row) -> Cost:
        """Return what the setting costs that a row is compared with."""
        return self.verdicts[row.group].cost(row.baseline or row.setting)


def measure(study: Study, folder: Path) -> None:
    """Measure a study, or what is missing of it."""
    command = shlex.split(study.command)
    there = run_folder(study, folder)
    if (there / PLAN_FILE).exists():
        command = [*command[:2], "--resume", str(there)]
    else:
        (folder / study.name).mkdir(parents=True, exist_ok=True)
        (folder / study.name / COMMAND_FILE).write_text(study.command + "\n", encoding="utf-8")
        command += ["--logdir", str(folder / study.name)]
    print(shlex.join(command), flush=True)
    done = subprocess.run([str(Path(sys.executable).with_name("kerasunroll")), *command[1:]], check=False)  # noqa: S603
    if done.returncode not in (0, 1):  # 1 is a variant that failed, which is a finding too
        sys.exit(done.returncode)


def load(study: Study, folder: Path) -> Measured:
    """Read what was measured of a study."""
    command = (folder / study.name / COMMAND_FILE).read_text(encoding="utf-8").strip()
    return Measured(study, command, Run.load(run_folder(study, folder)))


def run_folder(study: Study, folder: Path) -> Path:
    """Return where the command puts its run: in a folder named after itself."""
    return folder / study.name / study.command.split()[1]


Column = Callable[[Measured, Row], str]


def _figure(name: str, show: Callable[[float | None], str]) -> Column:
    return lambda _, row: show(row.figures.get(name))


def _against(_: Measured, row: Row) -> str:
    found = row.against_loop
    if found is None:
        return NOTHING
    return f"{format_ratio(found.ratio)} ({found.low:.2f} to {found.high:.2f}), {found.verdict}"


def _pays(measured: Measured, row: Row) -> str:
    if row.baseline is None:
        return NOTHING
    even = break_even(measured.cost(row), measured.baseline(row))
    if even is None:
        return "never: not faster"
    return "at once" if even.high == 0 else f"{even.value:,.0f} ({even.low:,.0f} to {even.high:,.0f})"


def _difference(_: Measured, row: Row) -> str:
    value = row.figures.get("largest_difference_before")
    return NOTHING if value is None else f"{value:.0e}" if value else "0, to the last bit"


def _operations(*names: str) -> Column:
    return lambda _, row: format_count(sum(row.operations.get(name, 0) for name in names))


COLUMNS: Final[Mapping[str, Column]] = {
    "network": lambda _, row: f"`{row.group}`",
    "setting": lambda _, row: f"`{row.setting}`",
    "what ran": lambda _, row: row.path or NOTHING,
    "compiles in": lambda measured, row: format_seconds(measured.cost(row).ready_seconds),
    "training step": lambda measured, row: format_seconds(measured.cost(row).step_seconds),
    "against the loop": _against,
    "has paid for itself after": _pays,
    "process memory, added": _figure("process_growth_bytes", format_bytes),
    "tensor memory, added": _figure("tensor_added_bytes", format_bytes),
    "parameters": _figure("parameters", format_count),
    "graph nodes": _figure("training_step_nodes", format_count),
    "loops": _operations("While", "StatelessWhile"),
    "matrix products": _operations("MatMul"),
    "largest output difference": _difference,
}
"""What a column shows of each variant."""

SUMMARY: Final = (
    *("network", "setting", "compiles in", "training step", "against the loop"),
    *("has paid for itself after", "process memory, added", "graph nodes"),
)


@dataclass(frozen=True)
class Table:
    """A table of docs/concepts.md.

    Args:
        study: String. The study whose variants it shows.
        columns: Names of `COLUMNS`.
        settings: The settings shown; none stands for all.
        ends: Boolean. Whether only the shortest and the longest sequences are shown. Defaults to `False`.
    """

    study: str
    columns: tuple[str, ...]
    settings: tuple[str, ...] = ()
    ends: bool = False

    def rows(self, measured: Measured) -> Iterator[Row]:
        """Yield the variants that are shown."""
        lengths = {row.config.timesteps for row in measured.run.rows}
        for row in measured.run.rows:
            wanted = not self.settings or row.setting in self.settings
            if wanted and (not self.ends or row.config.timesteps in (min(lengths), max(lengths))):
                yield row


TABLES: Final[Mapping[str, Table]] = {
    "parity": Table("settings", ("network", "setting", "what ran", "largest output difference")),
    "parameters": Table(
        "length",
        ("network", "setting", "parameters", "graph nodes", "tensor memory, added"),
        ("loop", "full"),
        ends=True,
    ),
    "memory": Table(
        "length", ("network", "setting", "tensor memory, added", "process memory, added"), ("loop", "full"), ends=True
    ),
    "layers": Table("layers", ("setting", "what ran", "loops", "graph nodes"), ("loop", "full", "loop,full")),
    "partial": Table(
        "settings",
        ("network", "setting", "graph nodes", "compiles in", "against the loop"),
        ("loop", "k8", "full"),
    ),
    "projection": Table("layers", ("setting", "what ran", "matrix products"), ("full", "own-full")),
    "own": Table("settings", ("network", "setting", "training step", "against the loop"), ("loop", "own-loop")),
    "break-even": Table(
        "settings",
        ("network", "setting", "compiles in", "against the loop", "has paid for itself after"),
    ),
}


def markdown_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table; a text of several lines becomes one."""
    parts = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(cell.replace(chr(10), ', ') for cell in cells)} |" for cells in parts) + "\n"


def variants_table(measured: Measured, columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Return a table with a line for each variant."""
    return markdown_table(columns, [[COLUMNS[name](measured, row) for name in columns] for row in rows])


def fill(page: str, studies: Mapping[str, Measured]) -> str:
    """Return a page with the tables between its marks made anew: `<!-- table: NAME -->` … `<!-- end -->`."""

    def made(found: re.Match[str]) -> str:
        table = TABLES[found["name"]]
        measured = studies[table.study]
        shown = variants_table(measured, table.columns, list(table.rows(measured)))
        return f"{found['start']}\n{shown}\nMeasured by `{measured.command}`.\n{found['end']}"

    marks = r"(?P<start><!-- table: (?P<name>[\w-]+) -->)\n.*?(?P<end><!-- end -->)"
    return re.sub(marks, made, page, flags=re.DOTALL)


def findings_page(studies: Sequence[Measured], images: Path) -> str:
    """Return the page of all studies; its pictures are drawn into a folder."""
    newest = max(record.created for each in studies for one in each.run.measured for record in one.records)
    facts = studies[0].run.environment
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    parts = [
        "# Findings",
        "What did the settings cost on one machine? `python scripts/findings.py` writes this page; with `--run` it "
        "measures first. Your machine will give other numbers, and perhaps other verdicts: run the commands to see. "
        "[Reading the report](reading-the-report.md) explains how to read a verdict, and [Concepts](concepts.md) "
        "explains what is behind the questions.",
        "In the tables, *compiles in* is all that comes before the first training step: build, trace and compile. *Has "
        "paid for itself after* counts training steps: the extra compile time, divided by what each training step "
        "saves.",
        f"Measured {newest:%Y-%m-%d} on {facts.cpu}, {facts.usable_cores:g} of {facts.logical_cores} cores usable; "
        f"{versions}.",
    ]
    parts += [part for measured in studies for part in _section(measured, images)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _section(measured: Measured, images: Path) -> Iterator[str]:
    yield f"## {measured.study.question}"
    yield "\n".join(f"- {escape_markdown(source.description)}" for source in measured.run.plan.sources.values())
    yield f"```sh\n{measured.command}\n```"
    yield variants_table(measured, SUMMARY, measured.run.rows)
    for group, verdict in measured.verdicts.items():
        yield f"**{escape_markdown(group)}.** {escape_markdown(' '.join(verdict_sentences(verdict)))}"
    yield from _growth(measured, images)
    for group, verdict in measured.verdicts.items():
        yield from _group_pictures(measured, group, verdict, images)


def _growth(measured: Measured, images: Path) -> Iterator[str]:
    sweeps = find_sweeps(measured.run.rows)
    tables, notes = page_tables(growth_tables(sweeps))
    for table in tables:
        yield markdown_table(table.head, [line for section in table.sections for line in section])
    yield from map(escape_markdown, notes)
    for path in write_growth_pictures(sweeps, measured.run.colours, images):
        yield f"![Memory, time and graph over the number of time steps]({link(path)})"


def _group_pictures(measured: Measured, group: str, verdict: Verdict, images: Path) -> Iterator[str]:
    members = [each for each in measured.run.measured if each.variant.group == group]
    colours = measured.run.colours
    if gradients := gradient_picture(members, colours, "g0"):  # there is one where the group was trained
        for picture in filter(None, (break_even_picture(verdict, colours, "g0"), gradients)):
            path = images / f"{group}-{picture.what}.png"
            picture.draw().savefig(path)
            yield f"![{group}: {picture.label}]({link(path)})"
            yield picture.caption


def draw_state(measured: Measured, images: Path) -> None:
    """Draw the state of a trained network's first layer, as it reads one sequence; nothing where none was trained."""
    work = next((one for one in measured.run.measured if one.training and one.variant.setting == LOOP), None)
    if work is None:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported, for this alone
    from kerasunroll.inspection import hidden_states
    from kerasunroll.models import load_model

    config = work.variant.config
    source = open_source(config.source, timesteps=config.timesteps, seed=config.seed)
    first = next(iter(hidden_states(load_model(work.variant.folder / MODEL_FILE), source.x_validation[:1]).values()))
    state_heatmap(first.layer, first.states, first.unmasked).savefig(images / "state.png")


def link(image: Path) -> str:
    """Return how a page in docs/ links a picture in docs/images/findings/."""
    return f"images/{image.parent.name}/{image.name}"


def main() -> None:
    """Measure what is missing, if that is wanted, and write the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="store_true", help="measure what is missing first")
    parser.add_argument("--logdir", type=Path, default=Path("logs/findings"), help="where the runs are")
    parser.add_argument("--docs", type=Path, default=DOCS, help="the folder of findings.md and concepts.md")
    arguments = parser.parse_args()

    if arguments.run:
        for study in STUDIES:
            measure(study, arguments.logdir)
    studies = {study.name: load(study, arguments.logdir) for study in STUDIES}
    images = arguments.docs / "images" / "findings"
    images.mkdir(parents=True, exist_ok=True)
    (arguments.docs / "findings.md").write_text(findings_page(list(studies.values()), images), encoding="utf-8")
    draw_state(studies["settings"], images)
    concepts = arguments.docs / "concepts.md"
    concepts.write_text(fill(concepts.read_text(encoding="utf-8"), studies), encoding="utf-8")


if __name__ == "__main__":
    main()
