"""The measured norms of a run's gradients through time, for a picture of the network."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kerasunroll.errors import InputError
from kerasunroll.figures.diagram.network import Network
from kerasunroll.figures.flow_history import FlowHistory
from kerasunroll.inspection.gradients.norms import Array


@dataclass(frozen=True)
class MeasuredNorms:
    """Norms of dL/dh_t, dL/dc_t and dL/dx_t at one training step.

    Args:
        training_step: Integer.
        rows: One for each way of each layer, the first layer's first, forwards before backwards: a dict from `"h"`,
            `"c"` and `"x"` to an array (T,) of means over the batch, `t` in sequence order. NaN where masked.
    """

    training_step: int
    rows: tuple[Mapping[str, Array], ...]

    @classmethod
    def of_run(
        cls, histories: Sequence[FlowHistory], network: Network, training_step: int | None = None
    ) -> "MeasuredNorms":
        """Return what was logged in a run.

        Args:
            histories: What `kerasunroll.figures.flow_history.load_histories` returned.
            network: `Network`. What was trained.
            training_step: Integer or `None` (default): the last that was logged; else the nearest to it.

        Raises:
            InputError: If nothing was logged, or that of another network.
        """
        ways = sum(len(layer.ways) for layer in network.layers)
        if not histories or not len(histories[0].training_steps):
            raise InputError("The run has no gradients through time: train it with GradientFlowLogger, to its end.")
        if len(histories) != ways:
            raise InputError(
                f"The run has gradients through time of {len(histories)} layers, but the network has {ways} (each "
                "direction counted). Give the network that was trained."
            )
        for history in histories:
            timesteps = history.masked.shape[1]
            if timesteps != network.timesteps:
                raise InputError(
                    f"The run has gradients at {timesteps} time steps in layer '{history.layer}', but the network has "
                    f"T = {network.timesteps}. Give the network that was trained."
                )
        steps = histories[0].training_steps
        entry = len(steps) - 1 if training_step is None else int(np.argmin(np.abs(steps - training_step)))
        rows = tuple({name: norms[entry] for name, norms in history.norms.items()} for history in histories)
        return cls(int(steps[entry]), rows)

    @property
    def all(self) -> Iterable[float]:
        """Every norm."""
        return (float(norm) for row in self.rows for norms in row.values() for norm in norms)
