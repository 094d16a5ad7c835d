"""The name of a data source: `KIND`, `KIND:PATH` or `KIND:PATH?option=value&option=value`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Self, get_args
from urllib.parse import unquote

from pydantic import BaseModel, ValidationError

from kerasunroll.data.tables.options import TableOptions
from kerasunroll.errors import DataError

GIVEN: Final = "given"
"""The kind of data that were given in Python, and lie in a folder: nobody writes it by hand."""

FROM_FILE: Final = ("text", "csv", "npz", "npy", GIVEN)
WITHOUT_FILE: Final = ("digits", "adding", "copy")
KNOWN_SOURCES: Final = ("digits", "text:PATH", "csv:PATH", "npz:PATH", "npy:PATH", "adding", "copy")
"""The sources as they are written for `open_source`."""

_OPTIONS: Final[Mapping[str, type[BaseModel]]] = {"csv": TableOptions}


@dataclass(frozen=True)
class SourceName:
    """The parts of a source's name. `str` puts them together again, always in the same way.

    The path ends at the first `?`. In it, `%3F` stands for a question mark, `%2C` for a comma (`npy` takes several
    paths), and `%25` for a percent sign before one of these; nothing else is decoded. In an option's value any
    `%XX` is decoded, so that a column's name may hold `%26` for `&` and `%2C` for a comma.

    Args:
        kind: String, such as `"csv"`.
        paths: Tuple of strings. The files as they were written; empty for sources without one.
        options: The validated options, or `None` for sources that take none.
    """

    kind: str
    paths: tuple[str, ...] = ()
    options: BaseModel | None = None

    @classmethod
    def parse(cls, spec: object) -> Self:
        """Return the parts of a name.

        Raises:
            DataError: If it names no source, lacks its path, or has an option that is unknown or cannot be used.
        """
        known = f"Known sources: {', '.join(KNOWN_SOURCES)}."
        if not isinstance(spec, str):
            raise DataError(f"A data source is a string, got {spec!r}. {known}")
        kind, colon, rest = spec.partition(":")
        if kind not in FROM_FILE:
            if kind not in WITHOUT_FILE:
                raise DataError(f"Unknown data source '{spec}'. {known}")
            if colon:
                raise DataError(f"{kind} takes no path, got '{spec}'. Write {kind}.")
            return cls(kind)
        path, mark, query = rest.partition("?")
        paths = path.split(",") if kind == "npy" else [path]
        if not all(paths):
            raise DataError(f"'{spec}' lacks the path of its file. Write {kind}:PATH.")
        if mark and kind not in _OPTIONS:
            raise DataError(
                f"{kind} takes no options, got '?{query}'. If the question mark belongs to the path, write it as %3F."
            )
        options = _read_options(kind, query, _OPTIONS[kind]) if kind in _OPTIONS else None
        return cls(kind, tuple(_decoded_path(each) for each in paths), options)

    def __str__(self) -> str:
        if not self.paths:
            return self.kind
        paths = (_encoded_path(path, more="," if self.kind == "npy" else "") for path in self.paths)
        return f"{self.kind}:{','.join(paths)}{self._query}"

    @property
    def short(self) -> str:
        """The name with the files' own names only, to be shown."""
        return str(replace(self, paths=tuple(Path(path).name or path for path in self.paths)))

    @property
    def files(self) -> list[Path]:
        """The paths, with a leading `~` replaced, which the shell leaves alone after a colon."""
        return [_home_expanded(path) for path in self.paths]

    @property
    def whole(self) -> Self:
        """The same source by all of its files: a folder of `.npy` files becomes a list of these."""
        if self.kind == "npy" and len(self.paths) == 1 and (folder := self.files[0]).is_dir():
            return replace(self, paths=tuple(str(path) for path in sorted(folder.glob("*.npy"))))
        return self

    def at(self, places: Mapping[str, Path]) -> Self:
        """Return the same source with its files at other places.

        Args:
            places: Mapping from each path of `whole` to where that file lies now.
        """
        return replace(self, paths=tuple(str(places[path].absolute()) for path in self.whole.paths))

    @property
    def _query(self) -> str:
        given = {} if self.options is None else self.options.model_dump(exclude_defaults=True)
        words = [f"{option}={_encoded_value(value)}" for option, value in given.items()]
        return "?" + "&".join(words) if words else ""


def _read_options(kind: str, query: str, model: type[BaseModel]) -> BaseModel:
    values: dict[str, Any] = {}
    allowed = f"Options of {kind}: {', '.join(model.model_fields)}."
    for word in filter(None, query.split("&")):
        option, equals, value = word.partition("=")
        option, value = option.strip(), value.strip()
        if option not in model.model_fields:
            close = get_close_matches(option, model.model_fields, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            hint += "" if equals else " If the question mark belongs to the path, write it as %3F."
            raise DataError(f"{kind} takes no option '{option}'.{hint} {allowed}")
        if not equals or not value:
            raise DataError(f"Option '{option}' of {kind} has no value. Write {option}=VALUE. {allowed}")
        if option in values:
            raise DataError(f"Option '{option}' of {kind} is given twice, the second time as '{word}'. Give it once.")
        several = "tuple[str, ...]" in str(model.model_fields[option].annotation)
        parts = [unquote(part).strip() for part in value.split(",")]
        if several and not all(parts):
            raise DataError(f"Option '{word}' of {kind} has an empty name between its commas. Leave out one comma.")
        values[option] = tuple(parts) if several else unquote(value)
    try:
        return model(**values)
    except ValidationError as error:
        raise DataError(_finding(kind, model, error)) from None


def _finding(kind: str, model: type[BaseModel], error: ValidationError) -> str:
    first = error.errors()[0]
    if not first["loc"]:
        return f"Options of {kind}: {first['ctx']['error']}."
    option, value = str(first["loc"][0]), first["input"]
    literals = [word for each in get_args(model.model_fields[option].annotation) for word in get_args(each)]
    expected = " or ".join(literals) or "an integer of at least 1"
    return f"Option '{option}' of {kind} must be {expected}, got '{value}'."


_IN_PATH: Final = {"%3f": "?", "%2c": ",", "%25": "%"}


def _decoded_path(path: str) -> str:
    return re.sub("%(?:3f|2c|25)", lambda found: _IN_PATH[found[0].lower()], path, flags=re.IGNORECASE)


def _encoded_path(path: str, more: str) -> str:
    path = re.sub("%(?=3f|2c|25)", "%25", path, flags=re.IGNORECASE)
    return "".join(f"%{ord(each):02X}" if each in "?" + more else each for each in path)


def _encoded_value(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(_encoded_value(each) for each in value)
    return re.sub("[&,]|%(?=[0-9a-fA-F]{2})", lambda found: f"%{ord(found[0]):02X}", str(value))


def _home_expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no such user
        return Path(path)
