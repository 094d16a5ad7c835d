"""The lines of a text table: which of them count, and what stands in them."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kerasunroll.errors import DataError

_COMMENT: Final = re.compile(r"[ \t]*#")
_ANY_LEFT_OUT: Final = re.compile(r"^[ \t]*(?:#|\r?$)", re.MULTILINE)


def tidied(text: str) -> str:
    """Return a text with lines that end in a newline, and without empty lines at its end."""
    text = text if "\n" in text else text.replace("\r", "\n")
    return re.sub(r"[\r\n]\s*\Z", "", text)


def counted_lines(text: str, *, empty_ones: bool) -> Iterator[tuple[int, str]]:
    """Yield the lines that are no comments, each with its number; empty ones only if they are asked for."""
    for number, line in enumerate(io.StringIO(text, newline=""), 1):
        if not _COMMENT.match(line) and (empty_ones or line.strip()):
            yield number, line


def without_comments(text: str, *, empty_ones: bool) -> str:
    """Return the text of `counted_lines`."""
    if not _ANY_LEFT_OUT.search(text):
        return text
    return "".join(line for _, line in counted_lines(text, empty_ones=empty_ones))


def records(path: Path, text: str, separator: str, *, empty_ones: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each record with the number of its last line.

    Raises:
        DataError: If a quote is not closed, or stands where none may; the message names the line.
    """
    number = 0

    def lines() -> Iterator[str]:
        nonlocal number
        for number, line in counted_lines(text, empty_ones=empty_ones):  # noqa: B007 (read below)
            yield line

    try:
        for cells in csv.reader(lines(), delimiter=separator, skipinitialspace=True, strict=True):
            yield number, [cell.strip() for cell in cells] or [""]
    except csv.Error as error:
        raise DataError(f"'{path}', line {number}: not valid CSV: {error}.") from error
