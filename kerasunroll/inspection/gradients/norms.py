"""Norms of gradients over time: what `gradients_through_time` answers. Loads without TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from kerasunroll.errors import InputError

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class NormsOverTime:
    """Euclidean norms of one quantity's gradient, one per sample and time step, reduced over the batch.

    A sample is left out at the time steps where it is masked; where all samples are, every figure is NaN. A NaN
    elsewhere is a NaN in the gradient.

    Args:
        mean: Array (T,). The mean over the samples that are not masked.
        min: Array (T,). The smallest of them.
        max: Array (T,). The largest of them.
        per_sample: Array (B, T) of the norms themselves, NaN where masked; `None` unless asked for.
    """

    mean: Array
    min: Array
    max: Array
    per_sample: Array | None = None


@dataclass(frozen=True)
class LayerGradients:
    """The gradients of the loss on their way back through one recurrent layer.

    `t` counts in sequence order, also for a layer that goes backwards.

    Args:
        layer: String. The layer's name. Inside `StackedRNNCells` there is one entry per cell, `<layer>/<cell>`; a layer
            that is called again has further entries, `<layer>#2`, ...
        go_backwards: Boolean. Whether the layer processes time steps from the last to the first.
        masked: Array (T,). The share of samples that are masked at each time step, 0 to 1.
        x: `NormsOverTime` of dL/dx_t: of what the layer below receives from this one.
        states: Dict from the state's name to its `NormsOverTime`: `h` (dL/dh_t) and, for an LSTM, `c` (dL/dc_t); for a
            cell that is not Keras's, `state_0`, `state_1`, ...
        output: `NormsOverTime` of the gradient that reaches the cell's output from outside; `None` where the output is
            one of the states.
        weights: Dict from the weight's path to an array (T,): the norm of the t-th term of the sum over time steps that
            is the weight's gradient. NaN where all samples are masked. Empty unless asked for.
    """

    layer: str
    go_backwards: bool
    masked: Array
    x: NormsOverTime
    states: Mapping[str, NormsOverTime]
    output: NormsOverTime | None
    weights: Mapping[str, Array]

    @property
    def h(self) -> NormsOverTime | None:
        """The norms of dL/dh_t; `None` for a cell that is not Keras's: see `states`."""
        return self.states.get("h")

    @property
    def c(self) -> NormsOverTime | None:
        """The norms of dL/dc_t; `None` unless the cell is an LSTM's."""
        return self.states.get("c")

    @property
    def main(self) -> NormsOverTime:
        """The norms for the cell's first state, which is `h` for every cell of Keras."""
        return next(iter(self.states.values()))


@dataclass(frozen=True)
class GradientsThroughTime:
    """The gradients of the loss on their way back through the recurrent layers of a model.

    Args:
        loss: Float. The loss that was differentiated.
        layers: Tuple of `LayerGradients`, in the order in which the layers ran.
        without_gradient: Tuple of the names of recurrent layers that the loss does not depend on; they have no entry.

    Example:
    >>> result["lstm_1"].h.mean
    array([0.00012, 0.00031, 0.0011 , 0.0052 ])
    """

    loss: float
    layers: tuple[LayerGradients, ...]
    without_gradient: tuple[str, ...] = ()

    def __getitem__(self, layer: str) -> LayerGradients:
        """Return the entry of the layer of that name."""
        for entry in self.layers:
            if entry.layer == layer:
                return entry
        names = ", ".join(f"'{entry.layer}'" for entry in self.layers)
        if layer in self.without_gradient:
            raise InputError(f"The loss does not depend on layer '{layer}': it has no gradients. Others: {names}.")
        raise InputError(f"No recurrent layer '{layer}': expected one of {names}.")


def reduce_over_batch(norms: Array, unmasked: Array, *, per_sample: bool = False) -> NormsOverTime:
    """Reduce norms per sample and time step to figures per time step.

    Args:
        norms: Array (B, T).
        unmasked: Boolean array (B, T), `False` where a sample is masked.
        per_sample: Boolean. Whether the norms themselves are kept. Defaults to `False`.
    """
    count = unmasked.sum(axis=0)
    total = np.where(unmasked, norms, 0.0).sum(axis=0)
    return NormsOverTime(
        mean=np.where(count > 0, total / np.maximum(count, 1), np.nan),
        min=np.where(count > 0, np.where(unmasked, norms, np.inf).min(axis=0), np.nan),
        max=np.where(count > 0, np.where(unmasked, norms, -np.inf).max(axis=0), np.nan),
        per_sample=np.where(unmasked, norms, np.nan) if per_sample else None,
    )
