"""Which column does what: what the network reads, what it foretells, what orders and divides the rows."""

from dataclasses import dataclass
from typing import Final

from kerasunroll.data.tables.options import TableOptions
from kerasunroll.data.tables.reading.columns import Column, find_column, is_time, read_column
from kerasunroll.data.tables.reading.table import Table
from kerasunroll.errors import DataError

_NOT_READ: Final = {"text": "text", "dates": "dates", "clock": "times of day", "empty": "empty"}


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are for.

    Args:
        features: Tuple of `Column`. What the network reads.
        targets: Tuple of `Column`. What it foretells; empty where that is the class of a sequence.
        group: Integer or `None`. The position of the column that tells sequences apart.
        label: Integer or `None`. The position of the column of classes.
        time: `Column` or `None`. What orders the rows.
        clock: `Column` or `None`. Times of day, beside dates in a column of their own.
        notes: Tuple of strings. What was left out, and why.
    """

    features: tuple[Column, ...]
    targets: tuple[Column, ...]
    group: int | None
    label: int | None
    time: Column | None
    clock: Column | None
    notes: tuple[str, ...]


def find_roles(table: Table, options: TableOptions) -> Roles:
    """Return what the columns are for.

    Raises:
        DataError: If an option names no column, or one that does something else, or no column of numbers is left.
    """
    group = None if options.group is None else find_column(table, "group", options.group)
    label = None if options.label is None else find_column(table, "label", options.label)
    chosen = [find_column(table, "columns", name) for name in options.columns or ()]
    wanted = [find_column(table, "target", name) for name in options.target or ()]
    _check_apart(options, group, label, [*chosen, *wanted])
    columns = {
        position: read_column(table, position) for position in range(len(table.names)) if position not in (group, label)
    }
    time = _time(table, options, columns, reserved={*chosen, *wanted})
    dates = time is not None and time.kind == "dates"
    clock = next((each for each in columns.values() if dates and each.kind == "clock"), None)
    ordering = {each.position for each in (time, clock) if each}
    notes = []
    if not chosen:
        free = {position: column for position, column in columns.items() if position not in ordering}
        chosen = [position for position, column in free.items() if column.kind in ("numbers", "mixed")]
        left_out = [
            f"{table.names[position] or table.column(position)} ({_NOT_READ[column.kind]})"
            for position, column in free.items()
            if column.kind in _NOT_READ and (table.names[position] or column.kind != "empty")
        ]
        notes += [f"left out: {', '.join(left_out)}"] if left_out else []
    if not chosen:
        raise DataError(f"'{table.path}' has no column of numbers for the network to read{_held(notes)}.")
    if wanted and not set(wanted) <= set(chosen):
        unseen = ", ".join(table.names[position] for position in wanted if position not in chosen)
        notes.append(f"not read, only foretold: {unseen}")
    targets = [] if label is not None else wanted or chosen
    return Roles(
        tuple(columns[position] for position in chosen),
        tuple(columns[position] for position in targets),
        *(group, label, time, clock, tuple(notes)),
    )


def _held(notes: list[str]) -> str:
    return f" ({'; '.join(notes)})" if notes else ""


def _time(table: Table, options: TableOptions, columns: dict[int, Column], reserved: set[int]) -> Column | None:
    if options.time == "none":
        return None
    if options.time is None:
        return next((each for each in columns.values() if each.position not in reserved and is_time(table, each)), None)
    position = find_column(table, "time", options.time)
    if position not in columns or position in reserved:
        raise DataError(f"'{table.path}': time= and another option both name '{options.time}'. Name it once.")
    if columns[position].kind not in ("dates", "numbers"):
        raise DataError(
            f"'{table.path}', {table.column(position)}: time= names it, but its cells are neither dates nor numbers, "
            f"such as {table.frame[position].dropna().astype(str).tolist()[:1]}. Write dates such as 2024-05-31 14:00."
        )
    return columns[position]


def _check_apart(options: TableOptions, group: int | None, label: int | None, used: list[int]) -> None:
    taken = [position for position in (group, label) if position is not None]
    if len(set(taken)) < len(taken):
        raise DataError(f"group= and label= both name '{options.group}'. Name two columns, or leave out one option.")
    for option, names, start in (
        ("columns", options.columns or (), 0),
        ("target", options.target or (), len(options.columns or ())),
    ):
        positions = used[start : start + len(names)]
        for name, position in zip(names, positions, strict=True):
            if position in taken:
                raise DataError(f"{option}= names '{name}', which is the group or the label already. Leave it out.")
            if positions.count(position) > 1:
                raise DataError(f"{option}= names '{name}' twice. Name it once.")
