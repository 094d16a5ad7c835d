"""What is said where `compare` or `deploy` did not come to its end: what is kept, and how to go on."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from kerasunroll.errors import KerasunrollWarning, RunError

OUT_TO_THE_CALLER = 5
"""From the warning out: this function, who caught the interrupt, who carries it out, the function of the API."""


def failed(error: RunError, function: str, folder: Path) -> RunError:
    """Return the error with how to go on.

    Args:
        error: `RunError`.
        function: String: `"compare"` or `"deploy"`.
        folder: Path of the run.
    """
    return RunError(
        f"{error} What was measured so far is kept; go on with kerasunroll.{function}(resume={str(folder)!r})."
    )


def warn_of_interrupt(function: str, result: str, missing: Sequence[str]) -> None:
    """Say after Ctrl-C what is missing, and how to go on.

    Args:
        function: String: `"compare"` or `"deploy"`.
        result: String. What its result is usually called: `"comparison"`.
        missing: Sequence of strings.
    """
    warnings.warn(
        f"Interrupted. Missing: {', '.join(missing)}. What was measured is kept; go on with "
        f"kerasunroll.{function}(resume={result}).",
        KerasunrollWarning,
        stacklevel=OUT_TO_THE_CALLER,
    )
