"""The pages of the documentation, and what is to be tested in them."""

import re
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), ROOT / "logs" / "README.md", *DOCS.rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
PARSER = MarkdownIt("commonmark").enable("table")


def tokens(page: Path) -> list[Token]:
    return PARSER.parse(page.read_text(encoding="utf-8"))


def fences(page: Path, *languages: str) -> list[str]:
    """Return the code blocks in any of the languages; those without one have the language `""`.

    Left out is what stands below a comment such as `<!-- not run: it takes half a minute -->`.
    """
    blocks, before = [], ""
    for token in tokens(page):
        if token.type == "fence" and token.info.strip() in languages and not before.startswith("<!-- not run:"):
            blocks.append(token.content)
        before = token.content
    return blocks


def inline(page: Path) -> Iterator[Token]:
    for token in tokens(page):
        yield from token.children or ()


def links(page: Path) -> list[str]:
    """Return where links and pictures of a page point to."""
    found = (token.attrs.get("href") or token.attrs.get("src") for token in inline(page))
    return [str(target) for target in found if target]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as forges make them."""
    parsed = tokens(page)
    titles = [parsed[i + 1] for i, token in enumerate(parsed) if token.type == "heading_open"]
    texts = ("".join(part.content for part in title.children or ()) for title in titles)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


def commands(page: Path) -> list[str]:
    """Return the lines and pieces of code that call `kerasunroll`."""
    blocks = (block.replace("\\\n", " ") for block in fences(page, "", "sh", "console"))
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    lines += [token.content for token in inline(page) if token.type == "code_inline"]
    lines = [re.sub(r"^(\$ |taskset -c \S+ )", "", line.partition(" #")[0].strip()) for line in lines]
    return [line for line in lines if line.startswith("kerasunroll ")]
