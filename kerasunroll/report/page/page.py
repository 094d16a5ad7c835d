"""A comparison as a page: a single HTML file, or Markdown. No TensorFlow."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kerasunroll import __version__
from kerasunroll.files import write_whole
from kerasunroll.measurement.records.record import Record
from kerasunroll.report.configuration import describe
from kerasunroll.report.page.figures import Picture, all_pictures, growth_pictures
from kerasunroll.report.page.tables import PageTable, page_tables
from kerasunroll.report.run import Run
from kerasunroll.report.sweeps import find_sweeps
from kerasunroll.report.tables.comparison import comparison_tables
from kerasunroll.report.tables.growth import growth_tables
from kerasunroll.report.verdict.summary import summary
from kerasunroll.report.verdict.text import small_print, verdict_sentences
from kerasunroll.report.verdict.verdict import Verdict
from kerasunroll.units import format_bytes, format_seconds, shown_path

HTML: Final = "report.html.j2"
MARKDOWN: Final = "report.md.j2"
_HOW_TO_READ: Final = "A straight line costs the same for each time step more. Lower is better, and flatter grows less."


@dataclass(frozen=True)
class Section:
    """A part of the page: one group, or one sweep.

    Args:
        name: String.
        about: String. What it is, in words.
        sentences: Tuple of strings: the verdict; empty for a sweep.
        small_print: Tuple of strings: what makes the verdict less certain, and what to do.
        pictures: Tuple of `Picture`.
        tables: Tuple of `PageTable`.
        notes: Tuple of strings, below the tables.
        problems: Tuple of strings: what did not end as done, and why.
        files: Tuple of paths of pictures that lie in the folder already.
    """

    name: str
    about: str
    sentences: tuple[str, ...]
    pictures: tuple[Picture, ...]
    tables: tuple[PageTable, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...] = ()
    small_print: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


def write_html(run: Run, verdicts: Sequence[Verdict], path: Path) -> None:
    """Write the page as one HTML file that opens from the disk, without a network.

    Args:
        run: `Run`.
        verdicts: One `Verdict` for each of its groups.
        path: Path of the file.

    Raises:
        InputError: If the folder cannot be written to.
        RunError: If writing failed. No half-written file is left behind.
    """
    write_whole(path, _render(HTML, run, verdicts, path))


def write_markdown(run: Run, verdicts: Sequence[Verdict], path: Path) -> None:
    """Write the page as Markdown; its pictures are those that lie in the folder of the run.

    Args:
        run: `Run`.
        verdicts: One `Verdict` for each of its groups.
        path: Path of the file.

    Raises:
        InputError: If the folder cannot be written to.
        RunError: If writing failed. No half-written file is left behind.
    """
    write_whole(path, _render(MARKDOWN, run, verdicts, path))


def _render(template: str, run: Run, verdicts: Sequence[Verdict], path: Path) -> str:
    templates = Environment(
        loader=PackageLoader("kerasunroll.report.page"),
        autoescape=template == HTML,  # noqa: S701 - Markdown has an escaping of its own
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {"md": escape_markdown, "href": lambda file: quote(os.path.relpath(file, path.parent))}
    records = [record for each in run.measured for record in each.records]
    context: dict[str, Any] = {
        "title": run.folder.name,
        "colours": run.colours,
        "folder": shown_path(run.folder),
        "summary": summary(verdicts),
        "groups": _sections(run, verdicts, draw=template == HTML),
        "sweeps": _sweeps(run, draw=template == HTML),
        "machine": _machine(run),
        "others": run.other_environments,
        "sources": list(dict.fromkeys(facts.description for facts in run.plan.sources.values())),
        "imports": _import_time(records),
        "damaged": run.damaged,
        "newest": max(record.created for record in records),
        "version": __version__,
        "svg": lambda picture: Markup(picture.svg),  # noqa: S704 - texts in it were escaped when it was drawn
    }
    return templates.get_template(template).render(context)


def _import_time(records: Sequence[Record]) -> str:
    seconds = [record.environment.import_seconds for record in records if record.environment.import_seconds]
    return format_seconds(median(seconds)) if seconds else ""


def escape_markdown(text: str) -> str:
    r"""Return Markdown that shows a text as it is, in a paragraph or in a cell of a table.

    Example:
    >>> escape_markdown("<script> a|b simple_rnn")
    '\\\\<script\\\\> a\\\\|b simple\\\\_rnn'
    """
    return re.sub(r"([\\`*_\[\]<>|#&~$])", r"\\\1", text).replace("\n", "<br>")


def _sections(run: Run, verdicts: Sequence[Verdict], *, draw: bool = True) -> list[Section]:
    by_group = {verdict.group: verdict for verdict in verdicts}
    sections = []
    for number, (group, rows) in enumerate(run.groups.items()):
        verdict = by_group[group]
        measured = [each for each in run.measured if each.variant.group == group]
        pictures = all_pictures(rows, verdict, measured, run.colours, f"g{number}") if draw else []
        tables, notes = page_tables(comparison_tables(rows))
        picture = run.folder / group / "gradients_through_time.png"
        sections.append(
            Section(
                name=group,
                about=describe(rows[0].config),
                sentences=tuple(verdict_sentences(verdict)),
                small_print=tuple(small_print(verdict)),
                pictures=tuple(pictures),
                tables=tuple(tables),
                notes=tuple(notes),
                problems=tuple(f"{row.setting}: {problem}" for row in rows for problem in row.problems),
                files=(picture,) if picture.is_file() else (),
            )
        )
    return sections


def _sweeps(run: Run, *, draw: bool) -> list[Section]:
    sections = []
    for number, sweep in enumerate(find_sweeps(run.rows)):
        tables, notes = page_tables(growth_tables([sweep]))
        picture = run.folder / f"{sweep.name}-over-T.png"
        sections.append(
            Section(
                name=sweep.name,
                about=f"T = {', '.join(map(str, sweep.timesteps))}. {_HOW_TO_READ}",
                sentences=(),
                pictures=tuple(growth_pictures(sweep, run.colours, number)) if draw else (),
                tables=tuple(tables),
                notes=tuple(notes),
                files=(picture,) if picture.is_file() else (),
            )
        )
    return sections


def _machine(run: Run) -> list[tuple[str, str]]:
    facts = run.environment
    lines = [
        ("CPU", f"{facts.cpu}, {facts.usable_cores:g} of {facts.logical_cores} cores usable"),
        ("memory", format_bytes(facts.memory_bytes)),
        ("GPU", ", ".join(facts.gpus) or "none"),
        ("system", f"{facts.system}, {facts.machine}"),
        ("software", ", ".join(f"{name} {version}" for name, version in facts.versions.items())),
    ]
    if facts.flags:
        lines.append(("environment variables", ", ".join(f"{name}={value}" for name, value in facts.flags.items())))
    return lines
