"""What a node tells while it measures a job."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from kerasunroll.measurement.records.node import Node


@dataclass(frozen=True)
class Begun:
    """The job has arrived.

    Args:
        job: Integer. Which one.
        node: `Node`. Where.
    """

    job: int
    node: Node


@dataclass(frozen=True)
class ProgressMessage:
    """How far a job has come.

    Args:
        job: Integer. Which one.
        doing: String. What is being done.
        done: Float. The share that is done, from 0 to 1.
    """

    job: int
    doing: str
    done: float


@dataclass(frozen=True)
class Timed:
    """A job has been timed.

    Args:
        job: Integer. Which one.
    """

    job: int


@dataclass(frozen=True)
class Result:
    """A record, and what lies in the folder of its variant.

    Args:
        job: Integer. Which one.
        variant: Integer. Which of its variants.
        record: String. The `Record` as JSON.
        files: Mapping from paths relative to the variant's folder to what is in them: those that are new.
    """

    job: int
    variant: int
    record: str
    files: Mapping[str, bytes] = field(default_factory=dict)


Message: TypeAlias = Begun | ProgressMessage | Timed | Result
