"""What `hidden_states` returns. Loads without TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kerasunroll.inspection.gradients.norms import Array
from kerasunroll.inspection.over_time.not_finite import NotFinite, first_not_finite
from kerasunroll.inspection.over_time.quantities import Chosen, chosen

if TYPE_CHECKING:
    from kerasunroll.display.shown_figure import ShownFigure


@dataclass(frozen=True, repr=False)
class LayerStates:
    """The states of one recurrent layer.

    `t` counts in sequence order, even if the layer goes backwards. A notebook shows it as a table and a picture.

    Args:
        layer: String. The layer's name. Inside `StackedRNNCells` there is one entry per cell, `<layer>/<cell>`; a layer
            that is called again has further entries, `<layer>#2`, ...
        go_backwards: Boolean. Whether the layer processes time steps from the last to the first.
        unmasked: Boolean array (B, T), `False` where a sample is masked.
        states: Dict from the state's name to an array (B, T, U): `h` and, for an LSTM, `c`; for a cell that is not
            Keras's, `state_0`, `state_1`, ... Where a sample is masked, the state that is carried on.
        gates: Dict of arrays (B, T, U), see `gate_activations`; NaN where a sample is masked, as no gate acts there.
        x: Array (B, T, F). What the layer receives.
    """

    layer: str
    go_backwards: bool
    unmasked: Array
    states: Mapping[str, Array]
    gates: Mapping[str, Array]
    x: Array

    @property
    def h(self) -> Array | None:
        """The hidden state (B, T, U); `None` for a cell that is not Keras's: see `states`."""
        return self.states.get("h")

    @property
    def c(self) -> Array | None:
        """The carry (B, T, U) of an LSTM; `None` for other cells."""
        return self.states.get("c")

    @property
    def first_not_finite(self) -> NotFinite | None:
        """Where the layer first becomes NaN or infinite, in the order in which it runs; `None` if nowhere."""
        time_steps = range(self.unmasked.shape[1])
        # c before h, since h is computed from it.
        order = {"x": self.x, **self.gates, **{name: self.states[name] for name in reversed(list(self.states))}}
        return first_not_finite(
            self.layer, order, self.unmasked, reversed(time_steps) if self.go_backwards else time_steps
        )

    def plot(self, what: Chosen = None, sample: int | None = None) -> "ShownFigure":
        """Draw heatmaps unit × time step, as `HiddenStates.plot` does."""
        return HiddenStates({self.layer: self}).plot(what=what, sample=sample)

    def __repr__(self) -> str:
        return repr(HiddenStates({self.layer: self}))

    def _repr_html_(self) -> str:
        return HiddenStates({self.layer: self})._repr_html_()


class HiddenStates(dict[str, LayerStates]):
    """The states of every recurrent layer: a dict from layer name to `LayerStates`, in the order in which they ran.

    A notebook shows it as a table and a picture.

    Example:
    >>> states = hidden_states(model, x)
    >>> states["lstm_1"].h.shape
    (32, 64, 128)
    >>> states.plot("lstm_1", what="forget_gate", sample=3)
    """

    @property
    def first_not_finite(self) -> NotFinite | None:
        """Where the model first becomes NaN or infinite, in the order in which it runs; `None` if nowhere."""
        return next((found for layer in self.values() if (found := layer.first_not_finite)), None)

    def plot(self, layer: Chosen = None, what: Chosen = None, sample: int | None = None) -> "ShownFigure":
        """Draw heatmaps unit × time step, a column per layer.

        States are blue below 0 and red above; gates run from 0, dark, to 1, bright. Masked time steps are grey, NaN and
        infinite values are pink, and the title says where these began.

        Args:
            layer: String or sequence of strings. The layers to draw; all by default.
            what: String or sequence of strings: of `h`, `c`, ..., `input_gate`, `forget_gate`, `candidate`,
                `output_gate`, `update_gate`, `reset_gate`, `x`. Defaults to all states and gates. Layers that have none
                of them are left out.
            sample: Integer or `None`. The sample to draw. Defaults to `None`: the mean over all samples that are not
                masked.

        Returns:
            A Matplotlib figure that a notebook shows; `savefig` writes it to a file. Its first axes are the heatmaps,
            column after column.

        Raises:
            InputError: If there is no such layer, quantity or sample.
        """
        from kerasunroll.inspection.states.pictures import states_figure

        return states_figure(chosen("layer", layer, self, self), what, sample, self.first_not_finite)

    def __repr__(self) -> str:
        from kerasunroll.inspection.states.summary import states_text

        return states_text(self)

    def _repr_html_(self) -> str:
        from kerasunroll.inspection.states.summary import states_html

        return states_html(self)
