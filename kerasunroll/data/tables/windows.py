"""Windows of the rows of a table, and the rows to foretell."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kerasunroll.data.splits import Array, validation_count


class Rows(NamedTuple):
    """Rows of one sequence in time order: what the network reads, and what it is to learn at each row."""

    features: Array
    targets: Array


def windows(rows: Rows, timesteps: int, horizon: int) -> tuple[Array, Array]:
    """Return every run of `timesteps` rows, and the target that lies `horizon` rows after its last one.

    Args:
        rows: `Rows` of one sequence.
        timesteps: Integer. Rows in a window.
        horizon: Integer. 0 is the target of the window's last row.

    Returns:
        A tuple of arrays `(N, timesteps, features)` and `(N, ...)`, where N is rows - timesteps - horizon + 1, or 0.
    """
    count = max(0, len(rows.features) - timesteps - horizon + 1)
    if not count:
        return np.empty((0, timesteps, *rows.features.shape[1:]), rows.features.dtype), rows.targets[:0]
    runs = np.lib.stride_tricks.sliding_window_view(rows.features[: count + timesteps - 1], timesteps, axis=0)
    return np.ascontiguousarray(runs.swapaxes(1, 2)), rows.targets[timesteps + horizon - 1 :]


def in_time(rows: Rows, needed: int) -> tuple[Rows, Rows]:
    """Return the rows to train on and those after them, a fifth or as many as one window needs.

    A sequence that is too short for a window of each is for training alone.
    """
    if len(rows.features) < 2 * needed:
        return rows, Rows(rows.features[:0], rows.targets[:0])
    cut = len(rows.features) - max(validation_count(len(rows.features)), needed)
    return Rows(*(values[:cut] for values in rows)), Rows(*(values[cut:] for values in rows))


def joined(parts: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Return the windows of several sequences one after the other."""
    x, y = zip(*parts, strict=True)
    return np.concatenate(x), np.concatenate(y)
