"""Several records side by side: whether they compare, and as a data frame or CSV."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasunroll.errors import InputError
from kerasunroll.files import write_whole
from kerasunroll.measurement.records.environment import differences
from kerasunroll.measurement.records.frozen import thaw
from kerasunroll.measurement.records.record import Record

if TYPE_CHECKING:
    import pandas as pd


def comparable(records: Iterable[Record], *, allow_different: bool = False) -> list[Record]:
    """Return the records if all come from one environment.

    Args:
        records: Iterable of `Record`.
        allow_different: Boolean. Whether to return them in any case. Defaults to `False`.

    Raises:
        InputError: If environments differ; the message lists every fact that does.
    """
    found = list(records)
    if allow_different or not found:
        return found
    facts = {fact: None for record in found[1:] for fact in differences(found[0].environment, record.environment)}
    if facts:
        raise InputError(
            "These records come from different environments, so their figures do not compare:\n"
            + "".join(f"- {fact}\n" for fact in facts)
            + "Measure again in one environment, or allow different environments."
        )
    return found


def to_dataframe(records: Iterable[Record]) -> "pd.DataFrame":
    """Return one row per record: what it is, how it ended, its figures, operations, configuration and environment.

    Figures keep their names; columns of the operations begin with `operations.`, those of the configuration with
    `configuration.`, those of the environment with `environment.`, those of the node with `node.`. What a record does
    not have is missing in its row. Samples are left out.
    """
    import pandas as pd

    return pd.DataFrame([_row(record) for record in records])


def to_csv(records: Iterable[Record], path: str | Path) -> None:
    """Write the rows and columns of `to_dataframe` as CSV, with a header, in UTF-8.

    Raises:
        InputError: If the folder cannot be written to.
        RunError: If writing failed. No half-written file is left behind.
    """
    rows = [_row(record) for record in records]
    columns = dict.fromkeys(column for row in rows for column in row)
    text = io.StringIO()
    # Not by pandas, which would be a fifth of the coordinator's memory.
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(Path(path), text.getvalue())


def _row(record: Record) -> dict[str, Any]:
    return {
        "variant": record.variant,
        "outcome": record.outcome.value,
        "phase": record.phase,
        "cause": record.cause,
        "path": record.path,
        **record.figures,
        "session": record.session,
        "stopped_by": record.stopped_by,
        **_prefixed("operations", record.operations),
        **_prefixed("configuration", record.configuration),
        **_prefixed("environment", record.environment.model_dump()),
        **_prefixed("node", record.node.model_dump() if record.node else {}),
        "key": record.key,
        "started": record.started,
        "created": record.created,
        "kerasunroll_version": record.kerasunroll_version,
    }


def _prefixed(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return one column per value; those of nested mappings join their names with dots, lists become JSON."""
    columns: dict[str, Any] = {}
    for name, value in values.items():
        column = f"{prefix}.{name}"
        if isinstance(value, Mapping):
            columns |= _prefixed(column, value)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            columns[column] = json.dumps(thaw(tuple(value)))
        else:
            columns[column] = value
    return columns
