"""The outputs of a network on a few sequences, kept to compare the settings."""

import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasunroll.errors import KerasunrollWarning
from kerasunroll.training.session import Session

OUTPUTS_FILE: Final = "outputs.npz"

PROBED: Final = 64
"""Validation sequences whose outputs are kept."""

Outputs = npt.NDArray[np.floating[Any]]


def probe_outputs(session: Session) -> Outputs | None:
    """Return the network's outputs on the first validation sequences, in inference; several of them in one row.

    `None`, with a warning, where they are no arrays: a user's own model may return sequences of any length.
    """
    sequences = session.source.probed(session.batch_size or PROBED)
    # Called as it is, not compiled: for one batch, compiling takes longer than running.
    outputs = tf.nest.flatten(session.model(sequences, training=False))
    if not all(isinstance(each, tf.Tensor) and each.dtype.is_floating for each in outputs):
        warnings.warn(
            f"The outputs of model '{session.model.name}' are no arrays of real numbers, so that they are not compared "
            "between the settings.",
            KerasunrollWarning,
            stacklevel=2,
        )
        return None
    arrays = [_as_array(each) for each in outputs]
    return arrays[0] if len(arrays) == 1 else np.concatenate([array.ravel() for array in arrays])


def _as_array(output: tf.Tensor) -> Outputs:
    # NumPy's files know no bfloat16.
    array: Outputs = (tf.cast(output, "float32") if output.dtype == tf.bfloat16 else output).numpy()
    return array


def save_outputs(folder: str | Path, before: Outputs | None, after: Outputs | None) -> None:
    """Write the outputs before and after training into a run's folder, as `before` and `after` of `outputs.npz`.

    Where there are none, nothing is written.
    """
    if before is not None and after is not None:
        np.savez(Path(folder) / OUTPUTS_FILE, before=before, after=after)
