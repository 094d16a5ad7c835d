"""The name of a source as users write it: `csv:PATH?target=load&horizon=24`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from kerasunroll.errors import DataError

FROM_FILE: Final = ("text", "csv", "npz", "npy")
DRAWN: Final = ("adding", "copy")

KNOWN_SOURCES: Final = ("digits", *(f"{kind}:PATH" for kind in FROM_FILE), *DRAWN)
"""The sources as they are written for `open_source`."""


@dataclass(frozen=True)
class SourceSpec:
    """What is meant by the name of a source.

    Args:
        kind: String, such as `"digits"` or `"csv"`.
        files: Tuple of strings: the files that it reads, as they were written.
        options: String: what follows the question mark, as it was written; empty if nothing does.
    """

    kind: str
    files: tuple[str, ...] = ()
    options: str = ""

    @classmethod
    def parse(cls, spec: object) -> "SourceSpec":
        """Return what is meant by a name.

        A question mark begins the options, unless a file has that name. For `npy`, a comma separates two files.

        Raises:
            DataError: If there is no such source, or its file or its options are missing or too much.
        """
        known = f"Known sources: {', '.join(KNOWN_SOURCES)}."
        if not isinstance(spec, str):
            raise DataError(f"A data source is a string, got {spec!r}. {known}")
        kind, colon, rest = spec.partition(":")
        if kind not in ("digits", *FROM_FILE, *DRAWN):
            raise DataError(f"Unknown data source '{spec}'. {known}")
        if kind not in FROM_FILE:
            if colon:
                raise DataError(f"{kind} takes no path, got '{spec}'. Write {kind}.")
            return cls(kind)
        path, mark, options = rest.rpartition("?")
        if not mark or _exists(rest):
            path, options = rest, ""
        if not path:
            raise DataError(f"'{spec}' lacks the path of its file. Write {kind}:PATH.")
        if options and kind != "csv":
            raise DataError(f"{kind} takes no options, got '?{options}'. Only csv does: csv:PATH?target=COLUMN.")
        files = tuple(path.split(",")) if kind == "npy" and not _exists(path) else (path,)
        return cls(kind, files, options)

    def __str__(self) -> str:
        named = f"{self.kind}:{','.join(self.files)}" if self.files else self.kind
        return f"{named}?{self.options}" if self.options else named

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, a leading `~` replaced, which the shell leaves alone after a colon."""
        return tuple(map(_home_expanded, self.files))

    @property
    def label(self) -> str:
        """The name without the folders, for people: `"csv:table.csv?target=load"`."""
        return str(replace(self, files=tuple(Path(file).name for file in self.files)))

    def chosen(self) -> dict[str, str]:
        """Return the options by name.

        Raises:
            DataError: If one is no `name=value`, or comes twice.
        """
        try:
            pairs = parse_qsl(self.options, keep_blank_values=True, strict_parsing=True) if self.options else []
        except ValueError:
            raise DataError(
                f"'{self}': the options are name=value, separated by &, got '?{self.options}'. "
                "Write, for example, csv:PATH?target=load&horizon=24, in quotes in a shell."
            ) from None
        names = [name for name, _ in pairs]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise DataError(f"'{self}': the option {twice} comes twice. Give it once.")
        return dict(pairs)

    def moved(self, places: Mapping[str, Path]) -> "SourceSpec":
        """Return the same source with its files at other places."""
        return replace(self, files=tuple(str(places[file].absolute()) for file in self.files))


def _exists(path: str) -> bool:
    return bool(path) and _safely(lambda: _home_expanded(path).exists())


def _safely(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except (OSError, ValueError):  # no path at all, such as one with a null byte
        return False


def _home_expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no such user
        return Path(path)
