"""A record: what one measurement of one variant gave, or how it failed.

Records are immutable, validated when made and when loaded, and carry a schema version. In JSON:

- Times are seconds and memory is bytes; the ending of a figure's name says which (`unit`).
- A figure that was not measured is absent. It is never zero.
- JSON has no NaN and no infinity. They are written as the strings `"NaN"`, `"Infinity"` and `"-Infinity"`, and
  mean that the program computed just that, such as a loss that overflowed.

History of the schema:

| version | what changed |
|---|---|
| 1 | the first |
| 2 | `session`, `stopped_by` and `operations` are new, and the outcome `diverged` |
| 3 | `node` and `started` are new |
| 4 | `samples` tell the processes apart; `import_seconds` is a fact of the environment, no figure |
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from kerasunroll import __version__
from kerasunroll.errors import InputError
from kerasunroll.measurement.records.environment import Environment
from kerasunroll.measurement.records.frozen import Frozen, thaw
from kerasunroll.measurement.records.node import Node

SCHEMA_VERSION: Final = 4

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


def _tell_processes_apart(data: dict[str, Any]) -> dict[str, Any]:
    """Turn version 3, in which everything was measured in one process, into version 4."""
    figures = dict(data.get("figures", {}))
    imported = figures.pop("import_seconds", None)
    return data | {
        "schema_version": 4,
        "figures": figures,
        "samples": {name: [rounds] for name, rounds in data.get("samples", {}).items()},
        "environment": data["environment"] | {"import_seconds": imported},
    }


UPGRADES: Final[Mapping[int, Upgrade]] = {
    1: lambda data: data | {"schema_version": 2},
    2: lambda data: data | {"schema_version": 3},
    3: _tell_processes_apart,
}
"""For each older schema version, the function that turns a record's data into the next version's."""


Stopped = Literal["width", "rounds", "budget"]


class Outcome(StrEnum):
    """How a measurement ended."""

    DONE = "done"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    FAILED = "failed"
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"


class Record(BaseModel):
    """One measurement of one variant.

    Args:
        configuration: Mapping of JSON values. What was asked for, except the variant: the same mapping is the same
            question. Part of the identity.
        variant: String. The setting's name, such as `"loop"`. Part of the identity.
        outcome: `Outcome`.
        cause: String, or `None` if the outcome is `done`. Why it ended so.
        phase: String or `None`. The phase in which it ended.
        figures: Mapping from names to numbers, such as `{"compile_seconds": 3.2, "graph_nodes": 812}`.
        samples: Mapping from names to single values, such as training-step times in seconds: a list of processes, each
            a list of rounds, each the list of its block. What a process gives once is a round of one value.
        operations: Mapping from operation types to their counts in the graph of the training step.
        path: String or `None`. What really ran, such as `"while"` or `"unrolled+xla"`.
        session: String or `None`. Equal for records whose rounds were taken in turns: only their rounds pair.
        stopped_by: `"width"`, `"rounds"`, `"budget"` or `None`. What ended the rounds: intervals that were narrow
            enough, the greatest number of rounds, or the time that was allowed.
        environment: `Environment`. What it was measured with.
        node: `Node` or `None`. Where it was measured; `None` in records that are older than this.
        started: Datetime or `None`. When measuring began, in UTC, by the clock of the node.
        created: Datetime. When it ended, likewise. Defaults to now.
        kerasunroll_version: String. Defaults to this version.
        schema_version: Integer. Always this module's.

    Raises:
        pydantic.ValidationError: If a value does not fit (it is a `ValueError`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    schema_version: Literal[4] = SCHEMA_VERSION
    configuration: Frozen[JsonValue]
    variant: Annotated[str, StringConstraints(min_length=1)]
    outcome: Outcome
    cause: str | None = None
    phase: str | None = None
    figures: Frozen[int | float] = Field(default_factory=dict, validate_default=True)
    samples: Frozen[list[list[list[float]]]] = Field(default_factory=dict, validate_default=True)
    operations: Frozen[int] = Field(default_factory=dict, validate_default=True)
    path: str | None = None
    session: str | None = None
    stopped_by: Stopped | None = None
    environment: Environment
    node: Node | None = None
    started: AwareDatetime | None = None
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    kerasunroll_version: str = __version__

    @property
    def key(self) -> str:
        """The identity in 16 characters: equal for two records exactly if they answer the same question."""
        return record_key(thaw(self.configuration), self.variant)

    @model_validator(mode="after")
    def _check(self) -> Self:
        canonical(thaw(self.configuration))
        for name in (*self.figures, *self.samples):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"The name of a figure is lower_case_with_underscores, got '{name}'.")
            if name in RESERVED_NAMES:
                raise ValueError(f"A figure cannot be called '{name}': a record has that already.")
        if (self.outcome is Outcome.DONE) != (self.cause is None):
            raise ValueError(f"Only the outcome 'done' has no cause, got '{self.outcome}' with cause {self.cause!r}.")
        return self


RESERVED_NAMES: Final = frozenset({*Record.model_fields, "key"})
"""Not for figures: in a table, a figure is a column beside these."""


def record_key(configuration: Mapping[str, JsonValue], variant: str) -> str:
    """Return the `key` of a record with this configuration and variant."""
    identity = canonical({"configuration": dict(configuration), "variant": variant})
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def canonical(value: JsonValue) -> str:
    """Return the one JSON text of a value, whatever the order of its keys was.

    Raises:
        ValueError: If it holds a NaN or an infinity, which would equal nothing, not even itself.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def unit(figure: str) -> str:
    """Return `"seconds"`, `"bytes"`, or `""` for a plain number, from the name of a figure.

    Example:
    >>> unit("tensor_peak_bytes"), unit("graph_nodes")
    ('bytes', '')
    """
    ending = figure.rpartition("_")[2]
    return ending if ending in ("seconds", "bytes") else ""


def upgrade(
    data: dict[str, Any], upgrades: Mapping[int, Upgrade] = UPGRADES, current: int = SCHEMA_VERSION
) -> dict[str, Any]:
    """Return the data of a record of any known schema version as data of the current one.

    Raises:
        InputError: If a newer kerasunroll wrote it.
        ValueError: If it tells no version that ever was.
    """
    version = data.get("schema_version")
    if type(version) is int and version > current:
        raise InputError(
            f"It has schema version {version}, and this kerasunroll ({__version__}) knows those up to {current}: "
            f"kerasunroll {data.get('kerasunroll_version')} wrote it. Upgrade kerasunroll to read it."
        )
    while version != current:
        step = upgrades.get(version) if isinstance(version, int) else None
        if step is None:
            raise ValueError(f"unknown schema version {version!r}")
        data = step(data)
        version = data["schema_version"]
    return data
