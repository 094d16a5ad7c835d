"""What the callbacks of this package have in common: where they write, when, and how they count training steps."""

from pathlib import Path
from typing import Any, ClassVar

import keras

from kerasunroll.callbacks.event_log import EventLog
from kerasunroll.errors import InputError

UpdateFrequency = int | str
"""`"epoch"`, `"batch"`, or an integer: a number of training steps."""


def validate_update_freq(update_freq: object) -> UpdateFrequency:
    """Return `"epoch"` or the number of training steps between two entries.

    Raises:
        InputError: If `update_freq` is neither `"epoch"`, `"batch"` nor a positive integer.
    """
    if update_freq == "batch":
        return 1
    if update_freq == "epoch":
        return "epoch"
    if isinstance(update_freq, int) and not isinstance(update_freq, bool) and update_freq >= 1:
        return update_freq
    raise InputError(
        "update_freq: expected 'epoch', 'batch' or a positive number of training steps, "
        f"got {update_freq!r}. Use update_freq=1 for every training step."
    )


class Logger(keras.callbacks.Callback):
    """Base class: writes into `log_dir/<run>` and numbers training steps through several calls of `fit`.

    Training steps are counted from where the optimiser stands (`optimizer.iterations`), so that what a second `fit`, or
    a model that was saved and loaded, logs goes on where the first ended. `self.training_step` is the number of
    training steps done so far.

    Args:
        log_dir: Path. The folder of the variant, as for `keras.callbacks.TensorBoard`.
        update_freq: `"epoch"`, `"batch"` or an integer: every so many training steps.
    """

    run: ClassVar[str] = "train"

    def __init__(self, log_dir: str | Path, update_freq: UpdateFrequency = "epoch") -> None:
        super().__init__()
        self.log_dir = Path(log_dir)
        self.update_freq = validate_update_freq(update_freq)
        self.training_step = 0
        self._epoch_start = 0
        self._last_logged = 0
        self.log = EventLog(self.log_dir / self.run)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start anew; training steps are counted on from where the optimiser stands."""
        self.training_step = max(self.training_step, _training_steps_done(self.model.optimizer))
        self._last_logged = self.training_step

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Remember where the epoch began."""
        self._epoch_start = self.training_step

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Count the training steps; `batch` is the index of the last one done in this epoch."""
        self.training_step = self._epoch_start + batch + 1

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Close the event file."""
        self.log.close()

    def is_due(self) -> bool:
        """Tell whether an entry is due after this training step, and if so, take it as made.

        With `steps_per_execution > 1` several training steps pass at once; an entry is due when at least
        `update_freq` of them have passed.
        """
        if self.update_freq == "epoch" or self.training_step - self._last_logged < int(self.update_freq):
            return False
        self._last_logged = self.training_step
        return True


def _training_steps_done(optimizer: Any) -> int:
    # Under gradient accumulation `iterations` counts the updates, one for so many training steps.
    each = getattr(optimizer, "gradient_accumulation_steps", None) or 1
    return int(optimizer.iterations.numpy()) * each
