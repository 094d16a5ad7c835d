"""Heatmaps of values per sample, time step and unit: of one sample, or of all of them together."""

from typing import Any

import numpy as np
import numpy.typing as npt

from kerasunroll.display.heatmap import Heatmap, Scale

Array = npt.NDArray[Any]


def value_heatmap(
    title: str, values: Array, unmasked: Array, sample: int | None, scale: Scale, label: str, rows: str
) -> Heatmap:
    """Return the heatmap of states or gates: of a sample, or the mean over the samples that are not masked.

    Args:
        title: String.
        values: Array (B, T, ...).
        unmasked: Boolean array (B, T).
        sample: Integer or `None`.
        scale: The colour scale.
        label: String. What the colour bar says.
        rows: String. What a row is.
    """
    values = flat(values)
    if sample is not None:
        return Heatmap(title, values[sample], unmasked[sample], scale, label, rows)
    count = np.maximum(unmasked.sum(axis=0), 1)[:, np.newaxis]
    with np.errstate(invalid="ignore"):  # Inf - Inf: NaN, which is what is to be shown
        mean = np.where(unmasked[..., np.newaxis], values, 0.0).sum(axis=0) / count
    return Heatmap(title, mean, np.any(unmasked, axis=0), scale, f"mean {label}", rows)


def gradient_heatmap(title: str, values: Array, unmasked: Array, sample: int | None, rows: str) -> Heatmap:
    """Return the heatmap of gradients: of a sample with their sign, or the Euclidean norm over the samples.

    A mean would let gradients of different signs cancel.

    Args:
        title: String.
        values: Array (B, T, ...), 0 where masked.
        unmasked: Boolean array (B, T).
        sample: Integer or `None`.
        rows: String. What a row is.
    """
    values = flat(values)
    if sample is not None:
        return Heatmap(title, values[sample], unmasked[sample], "signed decades", "gradient", rows)
    norms = np.sqrt(np.square(values).sum(axis=0))
    return Heatmap(title, norms, np.any(unmasked, axis=0), "decades", "norm over samples", rows)


def flat(values: Array) -> Array:
    """Return (B, T, ...) as (B, T, U) in float64: a convolutional state is shown with its places in a row."""
    return values.reshape(*values.shape[:2], -1).astype(np.float64)
