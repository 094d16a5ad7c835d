"""Norms of gradients over time: what `gradients_through_time` answers. Loads without TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from kerasunroll.errors import InputError
from kerasunroll.inspection.over_time.not_finite import NotFinite, first_not_finite
from kerasunroll.inspection.over_time.quantities import Chosen, chosen

if TYPE_CHECKING:
    from kerasunroll.display.shown_figure import ShownFigure

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class NormsOverTime:
    """Euclidean norms of one quantity's gradient, one per sample and time step, reduced over the batch.

    A sample is left out at the time steps where it is masked. If all samples are masked, every figure is NaN. A NaN
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


@dataclass(frozen=True, repr=False)
class LayerGradients:
    """The gradients of the loss on their way back through one recurrent layer.

    `t` counts in sequence order, even if the layer goes backwards. A notebook shows it as a table and a picture.

    Args:
        layer: String. The layer's name. Inside `StackedRNNCells` there is one entry per cell, `<layer>/<cell>`; a layer
            that is called again has further entries, `<layer>#2`, ...
        go_backwards: Boolean. Whether the layer processes time steps from the last to the first.
        masked: Array (T,). The share of samples that are masked at each time step, 0 to 1.
        x: `NormsOverTime` of dL/dx_t: of what the layer below receives from this one.
        states: Dict from the state's name to its `NormsOverTime`: `h` (dL/dh_t) and, for an LSTM, `c` (dL/dc_t); for a
            cell that is not Keras's, `state_0`, `state_1`, ...
        output: `NormsOverTime` of the gradient that reaches the cell's output from outside; `None` if the output is one
            of the states.
        weights: Dict from the weight's path to an array (T,): the norm of the t-th term of the sum over time steps that
            is the weight's gradient. NaN where all samples are masked. Empty unless asked for.
        unmasked: Boolean array (B, T), `False` where a sample is masked; `None` if the samples were not kept apart.
        per_unit: Dict of arrays (B, T, U), the gradients themselves: with respect to the states `h` and `c`, to the
            activation of every gate (`input_gate`, `forget_gate`, `candidate`, `output_gate`; `update_gate`,
            `reset_gate`, `candidate`), and to `x`. 0 where a sample is masked. Empty unless asked for.
        gates: Dict from the gate's name to the `NormsOverTime` of the gradient with respect to its activation. Empty
            unless asked for, and for cells without gates.
    """

    layer: str
    go_backwards: bool
    masked: Array
    x: NormsOverTime
    states: Mapping[str, NormsOverTime]
    output: NormsOverTime | None
    weights: Mapping[str, Array]
    unmasked: Array | None = None
    per_unit: Mapping[str, Array] = field(default_factory=dict)
    gates: Mapping[str, NormsOverTime] = field(default_factory=dict)

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

    @property
    def norms(self) -> dict[str, NormsOverTime]:
        """The norms by name: of the states, of `x`, and of `output` where it is none of the states."""
        output = {} if self.output is None else {"output": self.output}
        return {**self.states, **output, "x": self.x}

    @property
    def samples_unmasked(self) -> Array:
        """`unmasked`, if the samples were kept apart.

        Raises:
            InputError: If they were not kept apart.
        """
        if self.unmasked is None:
            raise InputError(
                f"The samples of layer '{self.layer}' were not told apart. gradients_through_time does: pass "
                "per_sample=True or per_unit=True."
            )
        return self.unmasked

    @property
    def first_not_finite(self) -> NotFinite | None:
        """Where the gradient first becomes NaN or infinite, in the order of its way back; `None` if nowhere."""
        values, unmasked = self.per_unit, self.unmasked
        if not values or unmasked is None:
            # Norms over the batch tell when, but not in which sample.
            values = {name: norms.mean[np.newaxis, :, np.newaxis] for name, norms in self.norms.items()}
            unmasked = (self.masked < 1)[np.newaxis]
        # Back from the states, through the gates from the last to the first, to what the layer receives.
        first = [name for name in ("output", *self.states) if name in values]
        order = [*first, *reversed([name for name in values if name not in (*first, "x")]), "x"]
        time_steps = range(len(self.masked))
        found = first_not_finite(
            self.layer,
            {name: values[name] for name in order},
            unmasked,
            time_steps if self.go_backwards else reversed(time_steps),
            gradient=True,
        )
        return replace(found, sample=None) if found and not self.per_unit else found

    def plot(self, what: Chosen = None, sample: int | None = None) -> "ShownFigure":
        """Draw the gradients of this layer, as `GradientsThroughTime.plot` does."""
        from kerasunroll.inspection.gradients.pictures import gradients_figure

        return gradients_figure({self.layer: self}, what, sample, self.first_not_finite)

    def __repr__(self) -> str:
        from kerasunroll.inspection.gradients.summary import gradients_text

        return gradients_text([self])

    def _repr_html_(self) -> str:
        from kerasunroll.inspection.gradients.summary import gradients_html

        return gradients_html([self])


@dataclass(frozen=True, repr=False)
class GradientsThroughTime:
    """The gradients of the loss on their way back through the recurrent layers of a model.

    A notebook shows it as a table and a picture.

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

    @property
    def first_not_finite(self) -> NotFinite | None:
        """Where the gradient first becomes NaN or infinite, in the order of its way back; `None` if nowhere."""
        return next((found for layer in reversed(self.layers) if (found := layer.first_not_finite)), None)

    def plot(self, layer: Chosen = None, what: Chosen = None, sample: int | None = None) -> "ShownFigure":
        """Draw the gradients: unit × time step heatmaps if they were kept per unit, otherwise their norms over time.

        In a heatmap a gradient of one sample is blue below 0 and red above, on a scale that is logarithmic away from 0;
        over all samples it is the Euclidean norm, unit by unit, on a logarithmic scale. Masked time steps are grey, NaN
        and infinite values are pink, and the title says where these began on the way back.

        Args:
            layer: String or sequence of strings. The layers to draw; all by default.
            what: String or sequence of strings: of the keys of `LayerGradients.per_unit` (of `norms` if nothing was
                kept per unit). Defaults to all. Layers that have none of them are left out.
            sample: Integer or `None`. The sample to draw. Defaults to `None`: all samples.

        Returns:
            A Matplotlib figure that a notebook shows; `savefig` writes it to a file. Its first axes are the heatmaps,
            column after column, or the curves, layer after layer.

        Raises:
            InputError: If there is no such layer, quantity or sample, or if it was not kept.
        """
        from kerasunroll.inspection.gradients.pictures import gradients_figure

        layers = {each.layer: each for each in self.layers}
        return gradients_figure(chosen("layer", layer, layers, layers), what, sample, self.first_not_finite)

    def __repr__(self) -> str:
        from kerasunroll.inspection.gradients.summary import gradients_text

        return gradients_text(self.layers, self.loss, self.without_gradient)

    def _repr_html_(self) -> str:
        from kerasunroll.inspection.gradients.summary import gradients_html

        return gradients_html(self.layers, self.loss, self.without_gradient)


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
