"""The rows of a table in time order, and the task to forecast the next one."""

import csv
import io
import math
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kerasunroll.data.files import read_text
from kerasunroll.data.source import Source
from kerasunroll.data.splits import Array, Split, validation_count
from kerasunroll.errors import DataError
from kerasunroll.tasks import Regression

_DEFAULT_TIMESTEPS = 32


def load_table(path: Path, timesteps: int | None, seed: int) -> Source:
    """Read a CSV file of numbers as windows of rows: what are the values in the next row?

    Every run of `timesteps` rows is an input, the row after it the target. The last fifth of the rows (or as
    many as one window needs, if that is more) is for validation, and no window reaches across. Each column is
    standardised by the mean and the standard deviation of its training rows.

    Cells are separated by commas. The first line is a header if none of its cells is a number.

    Args:
        path: Path of the file.
        timesteps: Integer or `None`. Rows in one sequence. Defaults to 32.
        seed: Integer. Fixes the order of the training batches.

    Returns:
        A `Source` with inputs of shape `(N, timesteps, columns)` and `columns` outputs.

    Raises:
        DataError: If the file cannot be read, a cell is not a finite number, lines differ in their number of
            cells, or there are fewer rows than one training and one validation window need.
    """
    timesteps = timesteps or _DEFAULT_TIMESTEPS
    rows = _read_numbers(path)
    window = timesteps + 1
    if len(rows) < 2 * window:
        raise DataError(
            f"'{path}' has {len(rows):,} rows of numbers, but one training and one validation window of "
            f"timesteps + 1 = {window:,} need {2 * window:,}. Add rows or take fewer timesteps."
        )
    cut = len(rows) - max(validation_count(len(rows)), window)
    rows = _standardised(path, rows, cut)
    split = Split(*_windows(rows[:cut], timesteps), *_windows(rows[cut:], timesteps))
    return Source(name=f"csv:{path.name}", task=Regression(rows.shape[1]), seed=seed, **split._asdict())


def _windows(rows: Array, timesteps: int) -> tuple[Array, Array]:
    """Return every run of `timesteps` rows that has a row after it, and these rows after."""
    runs = np.lib.stride_tricks.sliding_window_view(rows[:-1], timesteps, axis=0)
    return np.ascontiguousarray(runs.swapaxes(1, 2)), rows[timesteps:]


def _standardised(path: Path, rows: Array, training: int) -> Array:
    from sklearn.preprocessing import StandardScaler

    with np.errstate(over="ignore", invalid="ignore"):
        scaled: Array = StandardScaler().fit(rows[:training]).transform(rows).astype(np.float32)
    finite = np.isfinite(scaled).all(axis=0)
    if not finite.all():
        raise DataError(
            f"'{path}', column {int(np.argmin(finite)) + 1}: its values are too large or too far apart "
            "to be standardised. Scale the column down."
        )
    return scaled


def _read_numbers(path: Path) -> Array:
    """Return the table as float64 of shape `(rows, columns)`."""
    lines = _lines(path)
    first_line, first = next(lines, (0, []))
    if not first:
        raise DataError(f"'{path}' has no rows: all its lines are empty.")
    names = None if any(_number(cell) is not None for cell in first) else [cell.strip() for cell in first]
    numbers = array("d")
    if names is None:
        numbers.extend(_numbers(path, first_line, first, names))
    for line, cells in lines:
        if len(cells) != len(first):
            raise DataError(
                f"'{path}', line {line}: expected {len(first)} cells as in line {first_line}, "
                f"got {len(cells)}. Give every line the same number of cells, separated by commas."
            )
        numbers.extend(_numbers(path, line, cells, names))
    if not numbers:
        raise DataError(f"'{path}' has a header (line {first_line}) but no rows of numbers beneath it.")
    return np.array(numbers).reshape(-1, len(first))


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each line with its number; empty lines may only stand at the end."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    empty = None
    try:
        for cells in reader:
            if not cells:
                empty = empty or reader.line_num
            elif empty:
                raise DataError(f"'{path}', line {empty} is empty. Fill it or take it out.")
            else:
                yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(f"'{path}', line {reader.line_num}: not valid CSV: {error}.") from error


def _numbers(path: Path, line: int, cells: list[str], names: list[str] | None) -> list[float]:
    numbers = []
    for column, cell in enumerate(cells):
        number = _number(cell)
        if number is None or not math.isfinite(number):
            name = "" if names is None else f" ('{names[column]}')"
            complaint = _complaint(cell.strip(), number)
            raise DataError(f"'{path}', line {line}, column {column + 1}{name}: {complaint}")
        numbers.append(number)
    return numbers


def _number(cell: str) -> float | None:
    """Return the number in a cell, or `None` if it holds none."""
    try:
        # float("12_5") is 125, but a table that says so means something else.
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _complaint(cell: str, number: float | None) -> str:
    if not cell:
        return "the cell is empty. Fill it, or leave the column out."
    if number is not None:
        return f"{cell} is not finite. Put a finite number there, or leave the column out."
    shown = repr(cell if len(cell) <= 40 else f"{cell[:40]}...")
    return f"expected a number, got {shown}. Leave such columns out; cells are separated by commas."
