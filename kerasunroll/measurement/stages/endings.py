"""Why a measurement ended that was not ended by the worker itself: the time was spent, or the user had enough."""

from typing import Final

from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.records.record import Outcome
from kerasunroll.measurement.workers.worker import WorkerError

BUDGET_SPENT: Final = "the time budget was spent"
BY_THE_USER: Final = "interrupted by the user"


def budget_spent(phase: str) -> WorkerError:
    """Return the error of a worker for which no time was left."""
    return WorkerError(Outcome.INTERRUPTED, BUDGET_SPENT, phase)


def explained(error: WorkerError, rules: Rules) -> WorkerError:
    """Return a worker's error, or what is behind it: the deadline of `rules`, or Ctrl-C.

    A worker that hits its own limit in the very second of the deadline counts as one without time left: it is
    measured again, where time is given again.
    """
    if error.outcome is Outcome.TIMEOUT and rules.seconds_left == 0:
        return budget_spent(error.phase)
    if error.outcome is Outcome.INTERRUPTED:  # nobody but the coordinator ends a worker, and only for Ctrl-C
        return WorkerError(Outcome.INTERRUPTED, BY_THE_USER, error.phase)
    return error


def describe_interrupt(error: BaseException) -> str:
    """Return why the coordinator stopped in the middle of a measurement.

    Example:
    >>> describe_interrupt(KeyboardInterrupt())
    'interrupted by the user'
    """
    return BY_THE_USER if isinstance(error, KeyboardInterrupt) else f"interrupted by {type(error).__name__}: {error}"
