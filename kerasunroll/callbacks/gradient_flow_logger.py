"""The callback that shows the gradient on its way back through time, as training goes on."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from kerasunroll.callbacks.event_files.event_log import figure_png
from kerasunroll.callbacks.event_files.tab_entries import GRADIENT, MASKED
from kerasunroll.callbacks.logger import Logger, UpdateFrequency
from kerasunroll.callbacks.pace import Pace
from kerasunroll.callbacks.sinks.sink import Sink
from kerasunroll.callbacks.training_step.flow_tap import FlowTap
from kerasunroll.callbacks.training_step.train_function import TrainFunction
from kerasunroll.errors import KerasunrollWarning
from kerasunroll.figures.flow import NORM_RANGE, flow_heatmap
from kerasunroll.figures.flow_history import FlowHistory
from kerasunroll.inspection import GradientFlow, GradientProbe, GradientsThroughTime, gradient_flow_summary
from kerasunroll.inspection.gradients.norms import LayerGradients
from kerasunroll.models.building import build_from

MOST_COLUMNS: Final = 256
"""Entries kept for the heatmap. When there are more, every second one goes, so that all of training stays in view."""

DEAD_SHARE: Final = 0.9
"""The flow through a layer is dead when so large a share of its time steps has vanished."""

DEFAULT_UPDATE_FREQ: Final = 50


class GradientFlowLogger(Logger):
    """Logs the norms of the gradient on its way back through time, for every recurrent layer and time step.

    Without a probe batch, the gradients are those of the training batch itself: in the training steps to be logged, and
    only in these, `fit` runs a variant of its training step that hands them out. It takes the same update from the same
    single backward pass. The extra cost is one more compilation, and the taps in these training steps. Unrolled layers
    run as loops in it: they compute the same and compile in a fraction of the time. With a probe batch, its gradients
    are computed beside the training, one forward and one backward pass each time.

    Tags, for each layer:

    - `gradient_through_time/<layer>`: a heatmap time step × training step of the norms of dL/dh_t, of dL/dc_t for an
      LSTM, and of dL/dx_t, on a fixed logarithmic colour scale, so that settings compare. It is drawn again as training
      goes on, as often as 0.5 % of the time allows, and at the end;
    - `gradient_through_time/<layer>/<quantity>`: the norms over time themselves, for the Unrolling tab: of `h`, `c`,
      `x` and each gate (`input_gate`, ...), with `masked`, the share of samples masked;
    - `gradient_through_time/<layer>/early_to_late`: the mean norm of dL/dh_t over the first tenth of the time steps
      divided by that over the last tenth;
    - `gradient_through_time/<layer>/vanished_share`: the share of time steps with less than 1e-6 of the last's norm;
    - `gradient_through_time/summary`: the same in words.

    It warns once if the gradient through a layer dies out or explodes. With `steps_per_execution > 1` the gradients are
    those of the last training step of an execution.

    Args:
        log_dir: Path. The folder of the variant, as for `keras.callbacks.TensorBoard`; `None` for no TensorBoard.
        update_freq: `"epoch"` (the first training step of each epoch), `"batch"` or an integer n: every n training
            steps, beginning with the first. Defaults to 50.
        probe: Tuple `(x, y)` or `(x, y, sample_weight)`, or `None` for the training batch itself. Defaults to `None`.
        gates: Boolean. Whether the gradients with respect to the gates of LSTM and GRU cells are logged too. Defaults
            to `True`.
        norm_range: Tuple of two floats, the ends of the colour scale. Defaults to 1e-12 and 1.
        sinks: List of `kerasunroll.callbacks.sinks.Sink`, written into beside TensorBoard. Defaults to none.
        strict: Boolean. Whether a failure of the logger raises, and so ends the training. Defaults to `False`.

    Attributes:
        history: List of `FlowHistory`, one per layer.

    Raises:
        InputError: With `strict`, when training begins: if the model has no recurrent layer or one that cannot be
            observed. Without `strict`, a warning says so.

    Example:
    >>> model.fit(x, y, callbacks=[GradientFlowLogger("logs/full", update_freq=10)])
    """

    subject = "Gradients through time are"

    def __init__(
        self,
        log_dir: str | Path | None,
        update_freq: UpdateFrequency = DEFAULT_UPDATE_FREQ,
        *,
        probe: tuple[Any, ...] | None = None,
        gates: bool = True,
        norm_range: tuple[float, float] = NORM_RANGE,
        sinks: Sequence[Sink] = (),
        strict: bool = False,
    ) -> None:
        super().__init__(log_dir, update_freq, sinks=sinks, strict=strict)
        self.probe = probe
        self.gates = gates
        self.norm_range = norm_range
        self.model_changes()

    @property
    def history(self) -> list[FlowHistory]:
        """What was logged so far, layer by layer."""
        if not self._entries:
            return []
        return [_history(layer.layer, self._entries) for layer in self._entries[0][1].layers]

    def model_changes(self) -> None:
        """Forget the gradients of the model before."""
        self._entries: list[tuple[int, GradientsThroughTime]] = []
        self._tap: FlowTap | None = None
        self._gradient_probe: GradientProbe | None = None
        self._due = False

    def training_begins(self) -> None:
        """Prepare the tap or the probe."""
        self.pace = Pace()
        self._warned = False
        self._next_due = self.training_step
        if self.probe is not None:
            build_from(self.model, self.probe[0])
            self._gradient_probe = GradientProbe(self.model, weights=False, gates=self.gates)
        elif self._tap is None:
            self._tap = FlowTap(self.model, gates=self.gates)

    def epoch_begins(self) -> None:
        """With `update_freq="epoch"`, an entry is due."""
        if self.update_freq == "epoch":
            self._next_due = self.training_step

    def training_steps_begin(self) -> None:
        """Have the coming training step hand out its gradients, if an entry is due."""
        self._due = self.training_step >= self._next_due
        if self._due and self._tap is not None and self.probe is None:
            TrainFunction.of(self.model, build_first=True).choose_variant(self._tap.hook, self.turn_off)

    def training_steps_end(self, count: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Write the entry."""
        if not self._due:
            return
        before = self.training_step - count
        self._next_due = before + (10**18 if self.update_freq == "epoch" else int(self.update_freq))
        self._write(self._gradients())
        if self.pace.allows():
            self._draw()

    def training_ends(self) -> None:
        """Draw the heatmaps of all of training."""
        self._draw()

    def _gradients(self) -> GradientsThroughTime:
        if self._gradient_probe is not None and self.probe is not None:
            return self._gradient_probe(*self.probe)
        assert self._tap is not None  # noqa: S101
        return self._tap.read()

    def _write(self, gradients: GradientsThroughTime) -> None:
        self._entries.append((self.training_step, gradients))
        if len(self._entries) > MOST_COLUMNS:
            # The first entry stays: there, all settings have the same weights.
            self._entries = self._entries[::2]
        flow = gradient_flow_summary(gradients)
        scalars = {}
        for layer in flow.layers:
            scalars[f"gradient_through_time/{layer.layer}/early_to_late"] = layer.early_to_late
            scalars[f"gradient_through_time/{layer.layer}/vanished_share"] = layer.vanished_share
        self.log.scalars(scalars, self.training_step)
        for of_layer in gradients.layers:
            self._write_arrays(of_layer)
        self._warn_once(flow)

    def _write_arrays(self, layer: LayerGradients) -> None:
        over_time = {name: _of(layer, name) for name in _quantities(layer)} | {MASKED: layer.masked}
        for name, values in over_time.items():
            about = {"shows": GRADIENT, "layer": layer.layer, "of": name, "go_backwards": layer.go_backwards}
            self.log.array(f"gradient_through_time/{layer.layer}/{name}", values, self.training_step, about)

    def _draw(self) -> None:
        if not self._entries:
            return
        with self.pace.working():
            for history in self.history:
                picture = figure_png(flow_heatmap(history, self.norm_range))
                self.log.image(f"gradient_through_time/{history.layer}", *picture, step=self.training_step)
            words = gradient_flow_summary(self._entries[-1][1]).describe().replace("\n", "\n\n")
            self.log.text("gradient_through_time/summary", words, self.training_step)

    def _warn_once(self, flow: GradientFlow) -> None:
        if self._warned:
            return
        for layer in flow.layers:
            # Below other layers, the way back of a backwards layer ends where most gradient comes in: no explosion.
            explodes = layer.exploded and not layer.go_backwards
            if layer.nan or layer.inf or explodes:
                advice = "The gradient explodes: clip it (clipnorm) or lower the learning rate."
            elif not layer.time_steps or layer.vanished_share >= DEAD_SHARE:
                advice = "The flow is dead: what lies far back is not learned. An LSTM or GRU carries further."
            else:
                continue
            self._warned = True
            warnings.warn(
                f"At training step {self.training_step}, {layer.describe()}. {advice}", KerasunrollWarning, stacklevel=2
            )
            return


def _history(name: str, entries: list[tuple[int, GradientsThroughTime]]) -> FlowHistory:
    layers: list[LayerGradients] = [gradients[name] for _, gradients in entries]
    norms = {quantity: np.array([_of(layer, quantity) for layer in layers]) for quantity in _quantities(layers[0])}
    return FlowHistory(
        layer=name,
        training_steps=np.array([training_step for training_step, _ in entries]),
        norms=norms,
        masked=np.array([layer.masked for layer in layers]),
    )


def _quantities(layer: LayerGradients) -> list[str]:
    return [*layer.states, "x", *layer.gates]


def _of(layer: LayerGradients, quantity: str) -> Any:
    return layer.x.mean if quantity == "x" else {**layer.states, **layer.gates}[quantity].mean
