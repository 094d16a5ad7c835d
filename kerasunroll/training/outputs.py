"""The outputs of a network on a few sequences, kept to compare the settings."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kerasunroll.training.session import Session

OUTPUTS_FILE: Final = "outputs.npz"

PROBED: Final = 64
"""Validation sequences whose outputs are kept."""

Outputs = npt.NDArray[np.floating[Any]]


def probe_outputs(session: Session) -> Outputs:
    """Return the network's outputs on the first validation sequences, in inference."""
    # Called as it is, not compiled: for one batch, compiling takes longer than running.
    outputs: Outputs = session.model(session.source.x_validation[:PROBED], training=False).numpy()
    return outputs


def save_outputs(folder: str | Path, before: Outputs, after: Outputs) -> None:
    """Write the outputs before and after training into a run's folder, as `before` and `after` of `outputs.npz`."""
    np.savez(Path(folder) / OUTPUTS_FILE, before=before, after=after)
