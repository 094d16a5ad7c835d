"""The callback that shows the inner states over time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from kerasunroll.callbacks.event_files.event_log import figure_png
from kerasunroll.callbacks.event_files.tab_entries import STATE
from kerasunroll.callbacks.logger import Logger, UpdateFrequency
from kerasunroll.callbacks.pace import Pace
from kerasunroll.callbacks.sinks.sink import Sink
from kerasunroll.figures.states import state_heatmap
from kerasunroll.inspection import LayerStates, StateProbe
from kerasunroll.inspection.over_time.quantities import CANDIDATE
from kerasunroll.models.building import build_from

MOST_VALUES: Final = 65_536
"""Of one quantity in one entry: of wider layers, evenly spaced units are written."""


class StateLogger(Logger):
    """Logs heatmaps of the states of every recurrent layer over time, for one sequence of a fixed batch.

    Tags: `state/<layer>`, an image with a panel for h_t and, for an LSTM, one for c_t: unit × time step; and
    `state/<layer>/<quantity>`, the values themselves for the Unrolling tab: of `h`, `c`, each gate, and `x`, what the
    layer receives. They are written when they are due and fit into 0.5 % of
    the time, and at the end of training.

    Args:
        log_dir: Path. The folder of the variant, as for `keras.callbacks.TensorBoard`; `None` for no TensorBoard.
        x: Array. A batch of inputs; its first sequence is shown.
        update_freq: `"epoch"`, `"batch"` or an integer n: every n training steps. Defaults to `"epoch"`.
        sinks: List of `kerasunroll.callbacks.sinks.Sink`, written into beside TensorBoard. Defaults to none.
        strict: Boolean. Whether a failure of the logger raises, and so ends the training. Defaults to `False`.

    Raises:
        InputError: With `strict`, when training begins: if the model has no recurrent layer or one that cannot be
            observed, or if `x` does not fit the model. Without `strict`, a warning says so.

    Example:
    >>> model.fit(x, y, callbacks=[StateLogger("logs/full", x[:1])])
    """

    subject = "States are"

    def __init__(
        self,
        log_dir: str | Path | None,
        x: Any,
        update_freq: UpdateFrequency = "epoch",
        *,
        sinks: Sequence[Sink] = (),
        strict: bool = False,
    ) -> None:
        super().__init__(log_dir, update_freq, sinks=sinks, strict=strict)
        self.x = x

    def training_begins(self) -> None:
        """Prepare the probe, and show the states before training."""
        build_from(self.model, self.x)
        self._probe = StateProbe(self.model)
        self.pace = Pace()
        self._draw()

    def training_steps_end(self, count: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Draw when due."""
        if self.is_due() and self.pace.allows():
            self._draw()

    def epoch_ends(self, epoch: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Draw when due."""
        if self.update_freq == "epoch" and self.pace.allows():
            self._draw()

    def training_ends(self) -> None:
        """Show the states after training."""
        if self._drawn_at != self.training_step:
            self._draw()

    def _draw(self) -> None:
        with self.pace.working():
            for name, states in self._probe(self.x).items():
                picture = figure_png(state_heatmap(name, states.states, states.unmasked))
                self.log.image(f"state/{name}", *picture, step=self.training_step)
                self._write_arrays(name, states)
        self._drawn_at = self.training_step

    def _write_arrays(self, name: str, states: LayerStates) -> None:
        """Write the first sequence's values: unit × time step, as far as they are not too many to be looked at."""
        quantities = {**states.states, **states.gates, "x": states.x}
        for quantity, values in quantities.items():
            of_one = np.where(states.unmasked[0][:, np.newaxis], values[0].reshape(len(values[0]), -1), np.nan)
            units = _shown_units(*of_one.shape)
            about = {
                "shows": STATE,
                "layer": name,
                "of": quantity,
                "units": units.tolist(),
                "share": quantity in states.gates and quantity != CANDIDATE,
            }
            self.log.array(f"state/{name}/{quantity}", of_one[:, units].astype("float16"), self.training_step, about)


def _shown_units(time_steps: int, units: int) -> Any:
    """Return the numbers of the units that are written: all, or as many as keep an entry small, evenly spaced."""
    shown = min(units, max(1, MOST_VALUES // time_steps))
    return np.unique(np.linspace(0, units - 1, shown).round().astype(int))
