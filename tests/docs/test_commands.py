"""The command lines in the documentation are understood by the command line."""

import shlex
from pathlib import Path

import pytest
import typer
from pages import NAMES, PAGES, ROOT, commands, fences

from kerasunroll.cli import app

APP = typer.main.get_command(app)
SHOWN = {name: found for name, page in zip(NAMES, PAGES, strict=True) if (found := commands(page))}
PLACEHOLDERS = ("…", "...", "<", "[", "--help", "--version")
"""A command that is only hinted at, or does nothing but tell, bears one of these."""


def parse(line: str) -> None:
    """Have the command line read a line without doing what it says; of a command's bare name, that there is one.

    Raises:
        Exception: One of the parser's own, with what it does not understand.
    """
    _, *words = shlex.split(line)
    context = APP.make_context("kerasunroll", words)
    name, command, rest = APP.resolve_command(context, words)
    if rest:
        command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("page", SHOWN)
def test_every_command_is_understood(page):
    for line in SHOWN[page]:
        if any(mark in line for mark in PLACEHOLDERS):
            continue
        try:
            parse(line)
        except Exception as error:  # noqa: BLE001 - the parser has many kinds
            pytest.fail(f"{page}: {line}: {error}")


@pytest.mark.parametrize(
    "line", ["kerasunroll compare --no-such-option", "kerasunroll guess", "kerasunroll check --unroll full"]
)
def test_what_it_does_not_understand_is_found(line):
    with pytest.raises(Exception, match=r"No such|Missing"):
        parse(line)


def test_scripts_and_targets_exist():
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        for line in "\n".join(fences(page, "", "sh")).splitlines():
            program, *rest = line.partition("#")[0].split() or [""]
            if program == "python" and rest[0].endswith(".py"):
                assert Path(ROOT, rest[0]).is_file(), f"{page}: {line}"
            if program == "make":
                assert all(f"\n{target}:" in targets for target in rest if target.isalpha()), f"{page}: {line}"
