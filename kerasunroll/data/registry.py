"""The sources by name."""

from pathlib import Path
from typing import Final

from kerasunroll.data.checks import whole_number
from kerasunroll.data.digits import load_digits
from kerasunroll.data.npz import load_npz
from kerasunroll.data.source import Source
from kerasunroll.data.synthetic import make_adding, make_copy
from kerasunroll.data.tables import load_table
from kerasunroll.data.text import load_text
from kerasunroll.errors import DataError

_FROM_FILE = {"text": load_text, "csv": load_table, "npz": load_npz}
_DRAWN = {"adding": make_adding, "copy": make_copy}

KNOWN_SOURCES: Final = ("digits", *(f"{name}:PATH" for name in _FROM_FILE), *_DRAWN)
"""The sources as they are written for `open_source`."""


def open_source(spec: str, *, timesteps: int | None = None, examples: int | None = None, seed: int = 0) -> Source:
    """Open a data source by its name. The same arguments give the same arrays, anywhere.

    | spec | sequences | task |
    |---|---|---|
    | `digits` | handwritten digits, pixel by pixel | 10 classes |
    | `text:PATH` | windows of characters of a UTF-8 file | the next character, at each time step |
    | `csv:PATH` | windows of rows of numbers | the values in the next row |
    | `npz:PATH` | the array `x` of the file | the array `y` of the file |
    | `adding` | random numbers, two of them marked | the sum of the two |
    | `copy` | ten symbols, a delay, a signal | the ten symbols |

    Args:
        spec: String. One of these.
        timesteps: Integer or `None`. The length T of a sequence. Defaults to 64 for `digits` and `text`, 32
            for `csv`, 100 for `adding` and `copy`, and the file's T for `npz`.
        examples: Integer or `None`. Sequences to draw for `adding` and `copy`, at least 2, a fifth of them
            for validation. Defaults to 10,000. The other sources have as many as they have.
        seed: Integer, at least 0. Draws the sequences of `adding` and `copy` and the validation part of
            `digits` and `npz`, and fixes the order of the training batches. Global random state is neither
            read nor set. Defaults to 0.

    Returns:
        A `Source`.

    Raises:
        DataError: If the source is unknown or malformed, or an argument does not fit it.

    Example:
    >>> source = open_source("adding", timesteps=200)
    >>> source.describe()
    'adding: 8,000 training and 2,000 validation sequences, T=200, F=2, 1 output'
    >>> model.fit(source.train(32), validation_data=source.validation(32), shuffle=False)
    """
    name, path = _parse(spec)
    seed = whole_number("seed", seed, at_least=0)
    if timesteps is not None:
        timesteps = whole_number("timesteps", timesteps, at_least=1)
    if name in _DRAWN:
        if examples is not None:
            examples = whole_number("examples", examples, at_least=2)
        return _DRAWN[name](timesteps, seed, examples)
    if examples is not None:
        raise DataError(f"examples={examples!r} is for {' and '.join(_DRAWN)}; {name} has as many as it has.")
    if path is None:
        return load_digits(timesteps, seed)
    return _FROM_FILE[name](path, timesteps, seed)


def _parse(spec: object) -> tuple[str, Path | None]:
    known = f"Known sources: {', '.join(KNOWN_SOURCES)}."
    if not isinstance(spec, str):
        raise DataError(f"A data source is a string, got {spec!r}. {known}")
    name, colon, path = spec.partition(":")
    if name in _FROM_FILE:
        if not path:
            raise DataError(f"'{spec}' lacks the path of its file. Write {name}:PATH.")
        return name, _home_expanded(path)
    if name != "digits" and name not in _DRAWN:
        raise DataError(f"Unknown data source '{spec}'. {known}")
    if colon:
        raise DataError(f"{name} takes no path, got '{spec}'. Write {name}.")
    return name, None


def _home_expanded(path: str) -> Path:
    """Replace a leading `~`, which the shell leaves alone after a colon."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no such user
        return Path(path)
