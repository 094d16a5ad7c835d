"""A table as a data source."""

from kerasunroll.data.names import SourceName
from kerasunroll.data.source import Source
from kerasunroll.data.tables.classifying import classify
from kerasunroll.data.tables.forecasting import forecast
from kerasunroll.data.tables.options import TableOptions
from kerasunroll.data.tables.reading.table import read_table
from kerasunroll.data.tables.roles import find_roles
from kerasunroll.data.tables.sequences import Sequences, find_sequences
from kerasunroll.tasks import Classification, Regression, Task


def load_table(name: SourceName, timesteps: int | None, seed: int) -> Source:
    """Read a table as windows of rows: what are the values in the next rows? Or, with `label=`, which class is it?

    Separators, the decimal mark, the header, dates and packing are recognised; what is left out, sorted or filled, is
    said in the notes of the source. `TableOptions` holds what can be asked for. Columns are standardised by the mean
    and the standard deviation of the training part.

    Args:
        name: `SourceName` with one path and `TableOptions`.
        timesteps: Integer or `None`. Rows in one sequence. Defaults to 32, with `label=` to the shortest sequence.
        seed: Integer. Fixes the order of the training batches, and with `label=` the validation sequences.

    Returns:
        A `Source` with inputs of shape `(N, timesteps, columns)`.

    Raises:
        DataError: If the file cannot be read or its content does not fit the options; the message names the file, and
            where there is one the line and the column.
    """
    options = name.options
    assert isinstance(options, TableOptions)  # noqa: S101 (as `SourceName.parse` makes it)
    table = read_table(name.files[0], options)
    roles = find_roles(table, options)
    # Rows that are sequences of their own have no order among them.
    alone = roles.label is not None and roles.group is None
    sequences = Sequences([], ()) if alone else find_sequences(table, roles)
    task: Task
    if roles.label is not None:
        split, classes, notes = classify(table, roles, sequences, options, timesteps, seed)
        task = Classification(classes)
    else:
        split, outputs, notes = forecast(table, roles, sequences, options, timesteps)
        task = Regression(outputs)
    return Source(
        name=name.short,
        task=task,
        seed=seed,
        notes=(*sequences.notes, *roles.notes, *notes),
        **split._asdict(),
    )
