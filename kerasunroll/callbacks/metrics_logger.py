"""The callback that logs losses and metrics, under the tags of Keras's own TensorBoard callback."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasunroll.callbacks.event_files.tab_entries import BEGAN
from kerasunroll.callbacks.logger import Logger, UpdateFrequency
from kerasunroll.callbacks.sinks.sink import Sink

_VALIDATION = "val_"


class MetricsLogger(Logger):
    """Logs losses, metrics and the learning rate as `keras.callbacks.TensorBoard` does, and goes on in a second `fit`.

    The tags are Keras's: `epoch_<name>` in the runs `train` and `validation`, with `epoch_learning_rate`;
    `batch_<name>`, the mean since the epoch began; `evaluation_<name>_vs_iterations` in `validation`.

    Keras's callback counts epochs and batches from 0 in every `fit`, and with an integer `update_freq` loses the epochs
    whose last training step is not a multiple of it (Keras 3.15). This logger has no histograms, embeddings or
    profiler. For those use Keras's callback, with a folder of its own, because TensorBoard follows one growing file per
    folder.

    Args:
        log_dir: Path. The folder of the variant, as for `keras.callbacks.TensorBoard`; `None` for no TensorBoard.
        update_freq: `"epoch"`, `"batch"` or an integer n: `batch_<name>` every n training steps. Defaults to `"epoch"`:
            no `batch_<name>`.
        sinks: List of `kerasunroll.callbacks.sinks.Sink`, written into beside TensorBoard. Defaults to none.
        strict: Boolean. Whether a failure of the logger raises, and so ends the training. Defaults to `False`.

    Example:
    >>> model.fit(x, y, callbacks=[MetricsLogger("logs/full")])
    """

    subject = "Losses and metrics are"

    def __init__(
        self,
        log_dir: str | Path | None,
        update_freq: UpdateFrequency = "epoch",
        *,
        sinks: Sequence[Sink] = (),
        strict: bool = False,
    ) -> None:
        super().__init__(log_dir, update_freq, sinks=sinks, strict=strict)
        self._validation_log = self.log_of("validation")
        self.model_changes()

    def model_changes(self) -> None:
        """Count epochs from 0."""
        self._epochs_done = 0

    def training_begins(self) -> None:
        """Count epochs on from the `fit` before, and tell that training begins."""
        self._first_epoch: int | None = None
        # When training began: the first training step, with all of tracing and compiling, is still to come.
        self.log.facts(BEGAN, {"model": self.model.name}, self.training_step)

    def training_steps_end(self, count: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Write the means since the epoch began, when due."""
        if self.is_due():
            self.log.scalars(_tagged("batch_{}", logs), self.training_step)

    def epoch_ends(self, epoch: int, logs: dict[str, Any]) -> None:
        """Write the epoch under its number over all calls of `fit`; with `initial_epoch`, the caller's number."""
        if self._first_epoch is None:
            self._first_epoch = max(0, self._epochs_done - epoch)
        epoch += self._first_epoch
        self._epochs_done = epoch + 1
        training = {name: value for name, value in logs.items() if not name.startswith(_VALIDATION)}
        validation = {name.removeprefix(_VALIDATION): value for name, value in logs.items() if name not in training}
        self.log.scalars(_tagged("epoch_{}", training | _learning_rate(self.model)), epoch)
        if validation:
            self._validation_log.scalars(_tagged("epoch_{}", validation), epoch)

    def validation_ends(self, logs: dict[str, Any]) -> None:
        """Write losses and metrics over training steps."""
        self._validation_log.scalars(_tagged("evaluation_{}_vs_iterations", logs), self.training_step)


def _tagged(tag: str, logs: dict[str, Any]) -> dict[str, float]:
    """Return the numbers among what a `train_step` returned, which may be anything, by tag."""
    values = {name: np.asarray(value) for name, value in logs.items()}
    return {
        tag.format(name): float(value.item())
        for name, value in values.items()
        if value.size == 1 and value.dtype.kind in "biuf"
    }


def _learning_rate(model: keras.Model) -> dict[str, float]:
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        return {}
    return {"learning_rate": float(optimizer.learning_rate.numpy())}
