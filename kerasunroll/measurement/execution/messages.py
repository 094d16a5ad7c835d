"""What a node tells while it measures a unit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from kerasunroll.measurement.records.node import Node


@dataclass(frozen=True)
class Begun:
    """The unit has arrived.

    Args:
        unit: Integer. Which one.
        node: `Node`. Where.
    """

    unit: int
    node: Node


@dataclass(frozen=True)
class News:
    """How far a unit has come.

    Args:
        unit: Integer. Which one.
        doing: String. What is being done.
        done: Float. The share that is done, from 0 to 1.
    """

    unit: int
    doing: str
    done: float


@dataclass(frozen=True)
class Timed:
    """A unit has been timed.

    Args:
        unit: Integer. Which one.
    """

    unit: int


@dataclass(frozen=True)
class Result:
    """A record, and what lies in the folder of its variant.

    Args:
        unit: Integer. Which one.
        variant: Integer. Which of its variants.
        record: String. The `Record` as JSON.
        files: Mapping from paths relative to the variant's folder to what is in them: those that are new.
    """

    unit: int
    variant: int
    record: str
    files: Mapping[str, bytes] = field(default_factory=dict)


Message: TypeAlias = Begun | News | Timed | Result
