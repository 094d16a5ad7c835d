"""A table as a source: which rows are sequences, and what is to be learned of them."""

from typing import Final

import numpy as np

from kerasunroll.data.source import Source
from kerasunroll.data.spec import SourceSpec
from kerasunroll.data.splits import Split, validation_count
from kerasunroll.data.tables.options import TableOptions
from kerasunroll.data.tables.prepared import Prepared, prepare
from kerasunroll.data.tables.reading import read_table
from kerasunroll.data.tables.windows import Rows, in_time, joined, windows
from kerasunroll.errors import DataError
from kerasunroll.tasks import Classification, Regression
from kerasunroll.units import format_count

DEFAULT_TIMESTEPS: Final = 32


def load_table(spec: SourceSpec, timesteps: int | None, seed: int) -> Source:
    """Read a table as windows of rows: what are the values in the next row, or which class is it?

    Every run of `timesteps` rows is an input; the target is the row after it, or `horizon` rows after. The last fifth
    of the rows (or as many as one window needs, if that is more) is for validation, and no window reaches across. With
    `group`, that holds for each group, and no window reaches from one into another. With `group` and `label`, a group
    is one sequence, of its first `timesteps` rows, and a fifth of the groups is for validation.

    Each column is standardised by the mean and the standard deviation of its training rows. Rows are put in the order
    of a column of dates or times, if there is one, which is no feature. Columns of text are left out.

    Args:
        spec: `SourceSpec`. The file, which `read_table` can read, and its `TableOptions`.
        timesteps: Integer or `None`. Rows in one sequence. Defaults to 32; where groups are sequences, to the rows of
            the shortest one.
        seed: Integer. Fixes the order of the training batches, and draws the groups for validation.

    Returns:
        A `Source` with inputs of shape `(N, timesteps, columns)`.

    Raises:
        DataError: If the file cannot be read, a column is missing or holds no numbers, cells are missing and not to be
            filled, or there are fewer rows than one training and one validation window need.
    """
    options = TableOptions.of(spec)
    (path,) = spec.paths
    table = read_table(path)
    prepared = prepare(table, options)
    if options.label and options.group:
        split, notes = _groups_as_sequences(prepared, timesteps, seed)
    else:
        split, notes = _windows_in_time(prepared, timesteps or DEFAULT_TIMESTEPS)
    task = Classification(len(prepared.classes)) if options.label else Regression(len(prepared.targets))
    said = (*prepared.notes, *notes, "standardised by the training part")
    return Source(name=spec.label, task=task, seed=seed, notes=said, **split._asdict())


def _windows_in_time(prepared: Prepared, timesteps: int) -> tuple[Split, list[str]]:
    """Cut every group in time: its first rows to train on, the later ones for validation."""
    horizon = 0 if prepared.options.label else prepared.options.horizon
    needed = timesteps + horizon
    numbered = [Rows(rows, rows) for rows in prepared.of_groups()]
    parts = [in_time(rows, needed) for rows in numbered if len(rows.features) >= needed]
    if not any(len(validation.features) for _, validation in parts):
        _refuse_short(prepared, timesteps, horizon, max(len(rows.features) for rows in numbered))
    scaled = prepared.standardised(np.concatenate([training.features for training, _ in parts]))
    cut = [
        joined([windows(prepared.rows(scaled, rows.features), timesteps, horizon) for rows in each])
        for each in zip(*parts, strict=True)
    ]
    short = len(numbered) - len(parts)
    notes = [f"{format_count(short)} of them too short for a window of {needed} rows, left out"] if short else []
    return Split(*cut[0], *cut[1]), notes


def _groups_as_sequences(prepared: Prepared, timesteps: int | None, seed: int) -> tuple[Split, list[str]]:
    """Take every group as one sequence with one class."""
    path, label = prepared.table.path, prepared.options.label
    of_groups = list(prepared.of_groups())
    for name, rows in zip(prepared.group_names, of_groups, strict=True):
        if len(found := np.unique(prepared.labels[rows])) > 1:
            both = " and ".join(prepared.classes[code] for code in found[:2])
            raise DataError(
                f"'{path}': group {name} has the classes {both} in column '{label}'; expected one class per group. "
                "Without ?group=, the class of a window is that of its last row."
            )
    timesteps = timesteps or min(map(len, of_groups))
    sequences = [rows[:timesteps] for rows in of_groups if len(rows) >= timesteps]
    if len(sequences) < 2:
        raise DataError(
            f"'{path}' has {len(sequences)} groups of at least {timesteps} rows, but training and validation need at "
            "least 2. Take fewer timesteps."
        )
    order = np.random.default_rng(seed).permutation(len(sequences))
    cut = len(sequences) - validation_count(len(sequences))
    training, validation = ([sequences[index] for index in part] for part in (order[:cut], order[cut:]))
    scaled = prepared.standardised(np.concatenate(training))
    x_train, x_validation = (
        np.stack([prepared.rows(scaled, rows).features for rows in part]) for part in (training, validation)
    )
    y_train, y_validation = (np.array([prepared.labels[rows[0]] for rows in part]) for part in (training, validation))
    short = len(of_groups) - len(sequences)
    notes = [f"{format_count(short)} of them shorter than {timesteps} rows, left out"] if short else []
    longer = sum(len(rows) > timesteps for rows in of_groups)
    notes += [f"the first {timesteps} rows of each"] if longer else []
    return Split(x_train, y_train, x_validation, y_validation), notes


def _refuse_short(prepared: Prepared, timesteps: int, horizon: int, longest: int) -> None:
    needed = timesteps + horizon
    what = f"timesteps + {horizon} = {needed:,}" if horizon else f"timesteps = {needed:,}"
    where = f"at most {longest:,} rows in a group of '{prepared.options.group}'" if prepared.options.group else None
    raise DataError(
        f"'{prepared.table.path}' has {where or f'{longest:,} rows of numbers'}, but one training and one validation "
        f"window of {what} need {2 * needed:,}. Add rows or take fewer timesteps."
    )
