"""The callback that logs the norms of the gradients."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from kerasunroll.callbacks.logger import Logger, UpdateFrequency
from kerasunroll.callbacks.sinks.sink import Sink
from kerasunroll.callbacks.training_step.norm_buffer import BUFFERED, NormBuffer
from kerasunroll.callbacks.training_step.train_function import TrainFunction

MOST_SECONDS: Final = 2.0
"""Norms wait no longer than this until they are written, if a training step ends."""


class GradientNormLogger(Logger):
    """Logs the Euclidean norm of the gradient, per training step: of all weights together and of each weight.

    These are the norms of the gradients that the optimiser receives, computed inside the compiled training step,
    without a second backward pass. That means:

    - under `clipnorm`, `clipvalue` or `global_clipnorm`: before clipping, which is the optimiser's own work;
    - under gradient accumulation: of each training step's gradient, before it is accumulated;
    - under a loss scale (mixed precision in float16): divided by the scale. Where the scaled gradient overflows the
      norm is logged as it is, infinite or NaN; the optimiser skips that training step;
    - with `steps_per_execution > 1`: of every training step, not only of the last of each execution;
    - under a `tf.distribute` strategy: of the gradient of the whole batch, which is what the optimiser applies. Keras's
      optimisers add the gradients of the devices up at the end of their work, so that they are added up for the norms
      too: the same amount of data goes between the devices once more. Clipping comes before in Keras, on each device:
      see `docs/devices.md`;
    - with a `train_step` of your own: of what it gives to any Keras optimiser among the model's attributes. Weights
      that are not updated in a training step have no norm for it. If weights are updated twice, the last norm is
      logged. If a `train_step` applies its gradients by hand, there are no norms, and a warning says so.

    Tags: `gradient_norm/global` and `gradient_norm/<weight path>`.

    Args:
        log_dir: Path. The folder of the variant, as for `keras.callbacks.TensorBoard`; `None` for no TensorBoard.
        update_freq: `"batch"` or an integer n: every n training steps, or `"epoch"`: the last training step of each
            epoch. Defaults to 1.
        sinks: List of `kerasunroll.callbacks.sinks.Sink`, written into beside TensorBoard. Defaults to none.
        strict: Boolean. Whether a failure of the logger raises, and so ends the training. Defaults to `False`.

    Example:
    >>> model.fit(x, y, callbacks=[GradientNormLogger("logs/full")])
    """

    subject = "Gradient norms are"

    def __init__(
        self,
        log_dir: str | Path | None,
        update_freq: UpdateFrequency = 1,
        *,
        sinks: Sequence[Sink] = (),
        strict: bool = False,
    ) -> None:
        super().__init__(log_dir, update_freq, sinks=sinks, strict=strict)
        self._buffer: NormBuffer | None = None
        self._wall_times: list[float] = []

    def model_changes(self) -> None:
        """Write what a `fit` of the model before left when it was interrupted."""
        self._write()
        self._buffer = None

    def training_begins(self) -> None:
        """Stand by for the tracing of the training step."""
        self._write()
        if self._buffer is None or not self._buffer.fits(self.model):
            self._buffer = NormBuffer(self.model, self.guarded)
        TrainFunction.of(self.model, build_first=True).add_hook(self._buffer.recording)
        self._buffer.discard()
        self._first_training_step = self.training_step
        self._written_at = time.monotonic()

    def training_steps_end(self, count: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Write what has gathered, when it is much or has waited long."""
        self._wall_times += [time.time()] * count
        if len(self._wall_times) >= BUFFERED or time.monotonic() - self._written_at >= MOST_SECONDS:
            self._write()

    def epoch_ends(self, epoch: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Write what has gathered; with `update_freq="epoch"`, the last training step's norms."""
        self._write(end_of_epoch=True)

    def training_ends(self) -> None:
        """Write the rest."""
        self._write()

    def _write(self, end_of_epoch: bool = False) -> None:
        if self._buffer is None or not self._wall_times:
            return
        rows = self._buffer.take()
        for index, norms in enumerate(rows):
            training_step = self._first_training_step + index + 1
            last = end_of_epoch and index == len(rows) - 1
            is_due = last if self.update_freq == "epoch" else training_step % int(self.update_freq) == 0
            if norms and is_due:
                wall_time = self._wall_times[index] if index < len(self._wall_times) else time.time()
                self.log.scalars(_tagged(norms), training_step, wall_time)
        self._first_training_step += len(rows)
        self._wall_times = []
        self._written_at = time.monotonic()


def _tagged(norms: dict[str, float]) -> dict[str, float]:
    # In float64: the squares of large float32 norms overflow float32.
    total = float(np.linalg.norm(np.fromiter(norms.values(), float)))
    return {"gradient_norm/global": total, **{f"gradient_norm/{path}": norm for path, norm in norms.items()}}
