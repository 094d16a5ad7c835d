"""The sources by name."""

from collections.abc import Callable, Mapping
from typing import Final

from kerasunroll.data.arrays.loading import load_arrays
from kerasunroll.data.checks import whole_number
from kerasunroll.data.digits import load_digits
from kerasunroll.data.names import GIVEN, KNOWN_SOURCES, SourceName
from kerasunroll.data.source import Source
from kerasunroll.data.synthetic import make_adding, make_copy
from kerasunroll.data.tables.loading import load_table
from kerasunroll.data.text import load_text
from kerasunroll.errors import DataError

_FROM_FILE: Final[Mapping[str, Callable[[SourceName, int | None, int], Source]]] = {
    "text": load_text,
    "csv": load_table,
    "npz": load_arrays,
    "npy": load_arrays,
}
_DRAWN: Final = {"adding": make_adding, "copy": make_copy}

__all__ = ["KNOWN_SOURCES", "open_source"]


def open_source(spec: str, *, timesteps: int | None = None, examples: int | None = None, seed: int = 0) -> Source:
    """Open a data source by its name. The same arguments give the same arrays, anywhere.

    | spec | sequences | task |
    |---|---|---|
    | `digits` | handwritten digits, pixel by pixel | 10 classes |
    | `text:PATH` | windows of characters of a UTF-8 file | the next character, at each time step |
    | `csv:PATH` | windows of rows of a table | the values in the next rows, or a class |
    | `npz:PATH` | the array `x` of the file | the array `y` of the file |
    | `npy:X.npy,Y.npy` or `npy:FOLDER` | the array `x` of the files | the array `y` of the files |
    | `adding` | random numbers, two of them marked | the sum of the two |
    | `copy` | ten symbols, a delay, a signal | the ten symbols |

    Args:
        spec: String. One of these. `csv` takes options behind a question mark, such as
            `csv:load.csv?target=load&horizon=24`: "Your data" in the documentation lists them, and tells how to write
            paths and names that hold `?`, `&` or commas.
        timesteps: Integer or `None`. The length T of a sequence. Defaults to 64 for `digits` and `text`, 32
            for `csv`, 100 for `adding` and `copy`, and the arrays' T for `npz` and `npy`.
        examples: Integer or `None`. Sequences to draw for `adding` and `copy`, at least 2, a fifth of them
            for validation. Defaults to 10,000. The other sources have as many as they have.
        seed: Integer, at least 0. Draws the sequences of `adding` and `copy` and the validation part of
            `digits`, `npz` and `npy`, and fixes the order of the training batches. Global random state is neither
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
    name = SourceName.parse(spec)
    if name.kind == GIVEN:
        raise DataError(f"'{spec}' was given in Python: kerasunroll.compare(resume=...) goes on with it.")
    seed = whole_number("seed", seed, at_least=0)
    if timesteps is not None:
        timesteps = whole_number("timesteps", timesteps, at_least=1)
    if name.kind in _DRAWN:
        if examples is not None:
            examples = whole_number("examples", examples, at_least=2)
        return _DRAWN[name.kind](timesteps, seed, examples)
    if examples is not None:
        raise DataError(f"examples={examples!r} is for {' and '.join(_DRAWN)}; {name.kind} has as many as it has.")
    if name.kind in _FROM_FILE:
        return _FROM_FILE[name.kind](name, timesteps, seed)
    return load_digits(timesteps, seed)
