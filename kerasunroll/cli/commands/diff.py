"""`kerasunroll diff`: what changed between two runs of the same configurations."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from kerasunroll.cli.console import make_console
from kerasunroll.errors import RunError


@dataclass(frozen=True, kw_only=True)
class DiffOptions:
    """The options of `diff`."""

    old: Annotated[Path, typer.Argument(help="folder of the earlier comparison", show_default=False)]
    new: Annotated[Path, typer.Argument(help="folder of the later one", show_default=False)]
    fail_if: Annotated[
        list[str] | None,
        typer.Option(help="end with status 1 if the whole interval says so: 'training_step > 10%'; may be repeated"),
    ] = None
    markdown: Annotated[Path | None, typer.Option(help="Markdown file to write, for a pull request")] = None
    junit: Annotated[Path | None, typer.Option(help="JUnit file to write, for a build server")] = None


def diff(options: DiffOptions, given: frozenset[str]) -> None:  # noqa: ARG001
    """Say what changed between two runs of the same configurations, and fail where it is too much."""
    from kerasunroll.files import write_whole
    from kerasunroll.report.diff.changes import diff as changes_between
    from kerasunroll.report.diff.conditions import parse_conditions
    from kerasunroll.report.diff.output import broken_sentences, diff_junit, diff_markdown, diff_notes, diff_tables
    from kerasunroll.report.run import Run

    conditions = parse_conditions(options.fail_if or [])
    old, new = Run.load(options.old), Run.load(options.new)
    found = changes_between(old, new)
    console = make_console()
    for run in (old, new):
        for damaged in run.damaged:
            console.print(f"Set aside: '{damaged.path}': {damaged.reason}.", style="red")
    for fact in found.facts:
        console.print(f"Differs: {fact}.")
    for table in diff_tables(found):
        console.print(table, soft_wrap=False)
    for note in diff_notes(found)[len(found.facts) :]:
        console.print(note, soft_wrap=False)
    if options.markdown:
        write_whole(options.markdown, diff_markdown(found, conditions))
        console.print(str(options.markdown))
    if options.junit:
        write_whole(options.junit, diff_junit(found, conditions))
        console.print(str(options.junit))
    if sentences := broken_sentences(found, conditions):
        raise RunError("Changed by more than is allowed:\n" + "\n".join(f"- {each}." for each in sentences))
