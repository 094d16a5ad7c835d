"""The messages that the troubleshooting page explains are those that the package shows."""

import ast
import itertools
import re
from pathlib import Path

import pytest
from pages import DOCS, ROOT, tokens

OWN = ("Installing", "Settings and layers", "Models and files", "Data", "Measuring", "Warnings while you train")
"""The sections about messages of kerasunroll's own; the others are Keras's, TensorFlow's and the converter's."""

ANY = "…"
"""What stands in a message for a name or a number."""


def shown_text(node: ast.AST) -> str:
    """Return a string of the source as the page quotes it."""
    if isinstance(node, ast.JoinedStr):
        return "".join(shown_text(part) for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else ANY


def messages() -> str:
    """Return every string of the package, a line each."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "kerasunroll").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return "\n".join(shown_text(node) for node in nodes if isinstance(node, ast.JoinedStr | ast.Constant))


def quoted(page: Path) -> list[str]:
    """Return the messages in the headings of a page's sections about messages of kerasunroll's own."""
    parsed = tokens(page)
    found, section = [], ""
    for before, title in itertools.pairwise(parsed):
        if before.type == "heading_open" and before.tag == "h2":
            section = title.content
        elif before.type == "heading_open" and before.tag == "h3" and section in OWN:
            found += [part.content for part in title.children or () if part.type == "code_inline"]
    return found


QUOTED = quoted(DOCS / "troubleshooting.md")


def pieces(message: str) -> list[str]:
    """Return what is fixed in a message: between the names and numbers that stand for any."""
    return [piece.strip() for piece in re.split(rf"'{ANY}'|{ANY}|\b\d+\b", message) if len(piece.strip()) > 3]


@pytest.fixture(scope="module")
def known() -> str:
    return messages()


@pytest.mark.parametrize("message", QUOTED)
def test_the_package_says_so(message, known):
    assert pieces(message)
    assert [piece for piece in pieces(message) if piece not in known] == []


def test_what_it_does_not_say_is_found(known):
    assert len(QUOTED) > 20
    assert pieces("Layer '…' has eaten 3 of the time steps")[1] not in known
