"""Pages with marks, between which the parts are written: `<!-- part: NAME -->` … `<!-- end -->`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rich.console import RenderableType

from kerasunroll.report.page.page import escape_markdown
from kerasunroll.report.page.tables import page_tables

MARKS: Final = re.compile(
    r"(?P<start><!-- (?P<name>(?:part|table): [\w-]+) -->)\n.*?(?P<end><!-- end -->)", flags=re.DOTALL
)
IMAGES: Final = "images/findings"


def filled(page: str, blocks: Mapping[str, str]) -> str:
    """Return a page with what is between its marks written anew; what was not measured stays as it was.

    Args:
        page: String. Markdown.
        blocks: Dict from what is in a mark, such as `"part: layers"`, to what stands there.
    """

    def made(found: re.Match[str]) -> str:
        block = blocks.get(found["name"])
        return found[0] if not block else f"{found['start']}\n{block.strip()}\n{found['end']}"

    return MARKS.sub(made, page)


def from_the_top(block: str) -> str:
    """Return a block of a page in docs/ as it stands in the README, one folder above."""
    return re.sub(r"\]\((?!https?:|#)", "](docs/", block)


def markdown_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table; a text of several lines becomes one."""
    parts = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(cell.replace(chr(10), ', ') for cell in cells)} |" for cells in parts)


def picture(label: str, name: str) -> str:
    """Return how a page in docs/ shows a picture of the findings."""
    return f"![{escape_markdown(label)}]({IMAGES}/{name})"


def as_markdown(parts: Sequence[RenderableType]) -> list[str]:
    """Return rich tables as Markdown, and then a list of the sentences between them."""
    tables, notes = page_tables(parts)
    made = [markdown_table(table.head, [line for each in table.sections for line in each]) for table in tables]
    return [*made, "\n".join(f"- {escape_markdown(note)}" for note in notes)]


def paragraphs(*parts: str) -> str:
    """Return Markdown with an empty line between its parts; those that say nothing are left out."""
    return "\n\n".join(part.strip() for part in parts if part.strip())
