"""`kerasunroll report`: the verdict on a comparison, as a page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from kerasunroll.cli.console import make_console
from kerasunroll.measurement.planning.quantities import parse_bytes

HTML_FILE = "report.html"
MARKDOWN_FILE = "report.md"


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """The options of `report`."""

    run: Annotated[Path, typer.Argument(help="folder of a comparison, such as logs/compare", show_default=False)]
    html: Annotated[Path | None, typer.Option(help=f"HTML file to write; by default RUN/{HTML_FILE}")] = None
    markdown: Annotated[Path | None, typer.Option(help=f"Markdown file to write; by default RUN/{MARKDOWN_FILE}")] = (
        None
    )
    memory_limit: Annotated[
        str | None,
        typer.Option(help="memory that a process may take in all, such as 2GB; what takes more is ruled out"),
    ] = None
    training_steps: Annotated[
        int | None,
        typer.Option(min=1, help="training steps that you plan (with --inference: batches); by default those of RUN"),
    ] = None
    inference: Annotated[
        bool, typer.Option("--inference", help="the network is only applied: judge the forward pass")
    ] = False


def report(options: ReportOptions, given: frozenset[str]) -> None:  # noqa: ARG001
    """Say which setting to take, and write a page about it: HTML and Markdown."""
    from kerasunroll.report.page.page import write_html, write_markdown
    from kerasunroll.report.run import Run, planned_training_steps
    from kerasunroll.report.verdict.summary import summary
    from kerasunroll.report.verdict.text import small_print, verdict_text
    from kerasunroll.report.verdict.verdict import Constraints, verdicts

    limit = None if options.memory_limit is None else parse_bytes(options.memory_limit, "--memory-limit")
    run = Run.load(options.run)
    constraints = Constraints(limit, options.training_steps, options.inference)
    found = verdicts(run.rows, constraints, planned_training_steps(run.plan))
    html, markdown = options.html or run.folder / HTML_FILE, options.markdown or run.folder / MARKDOWN_FILE
    write_html(run, found, html)
    write_markdown(run, found, markdown)
    console = make_console()
    for damaged in run.damaged:
        console.print(f"Set aside: '{damaged.path}': {damaged.reason}.", style="red")
    for each in found:
        console.print(f"{each.group}: {verdict_text(each)}")
        for sentence in small_print(each):
            console.print(sentence, style="dim")
    if sentence_for_all := summary(found):
        console.print(sentence_for_all, style="bold")
    console.print(str(html))
    console.print(str(markdown))
