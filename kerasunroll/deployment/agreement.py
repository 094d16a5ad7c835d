"""Whether a file computes what the Keras model does."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def agreement(expected: Sequence[Any], got: Sequence[Any]) -> dict[str, float]:
    """Compare the outputs of a file with those of the Keras model, on the same sequences.

    Args:
        expected: List of arrays (N, ...), the model's outputs.
        got: List of arrays, the file's.

    Returns:
        A dict of figures: `largest_difference`, absolute; `largest_output`, the largest absolute value of the model;
        `noise_db`, the power of the signal over that of the difference in decibels, infinite where there is none; and
        `same_class`, the share of sequences whose largest output is at the same place, where the first output is
        (N, classes).
    """
    theirs = np.concatenate([np.asarray(each, "float64").ravel() for each in expected])
    ours = np.concatenate([np.asarray(each, "float64").ravel() for each in got])
    if theirs.shape != ours.shape:
        return {"largest_difference": math.nan, "largest_output": float(np.abs(theirs).max())}
    noise = float(np.mean((theirs - ours) ** 2))
    signal = float(np.mean(theirs**2))
    figures = {
        "largest_difference": float(np.max(np.abs(theirs - ours))),
        "largest_output": float(np.max(np.abs(theirs))),
        "noise_db": math.inf if noise == 0 else 10 * math.log10(signal / noise) if signal and noise else math.nan,
    }
    first, its_file = np.asarray(expected[0]), np.asarray(got[0])
    if first.ndim == 2 and first.shape[1] > 1 and first.shape == its_file.shape:
        figures["same_class"] = float(np.mean(first.argmax(axis=1) == its_file.argmax(axis=1)))
    return figures
