"""Layers, shares and ranges in a word or two, for tables."""

from typing import Any

import numpy as np
import numpy.typing as npt


def layer_in_words(name: str, go_backwards: bool) -> str:
    """Return e.g. `backward_lstm, backwards`."""
    return f"{name}, backwards" if go_backwards else name


def percent(share: float) -> str:
    """Return e.g. `12 %`; `< 1 %` for what is less, but not nothing."""
    return "< 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def span(values: npt.NDArray[Any]) -> str:
    """Return the smallest and the largest of the finite values, and how many are NaN or infinite.

    Example:
    >>> span(np.array([0.5, -1.25, np.nan]))
    '-1.25 to 0.5, 1 NaN'
    """
    finite = values[np.isfinite(values)]
    parts = [f"{finite.min():.3g} to {finite.max():.3g}"] if finite.size else []
    counts = {"NaN": np.isnan(values).sum(), "Inf": np.isinf(values).sum()}
    parts += [f"{count:,} {kind}" for kind, count in counts.items() if count]
    return ", ".join(parts) or "–"
