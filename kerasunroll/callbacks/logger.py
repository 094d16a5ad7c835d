"""What the callbacks of this package have in common: when they write, and that they never stop a training."""

import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, ParamSpec

import keras

from kerasunroll.callbacks.sinks.group import SinkGroup
from kerasunroll.callbacks.sinks.run_log import RunLog
from kerasunroll.callbacks.sinks.sink import Sink
from kerasunroll.callbacks.sinks.tensorboard import TensorBoardSink
from kerasunroll.callbacks.training_step.optimizers import training_steps_done
from kerasunroll.compatibility import last_batch
from kerasunroll.errors import InputError, KerasunrollWarning

UpdateFrequency = int | str
"""`"epoch"`, `"batch"`, or an integer: a number of training steps."""

Guard = Callable[[Callable[..., object]], Callable[..., None]]
"""Returns a function that does the same and raises nothing: `Logger.guarded`."""

P = ParamSpec("P")


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
    """Base class: writes into TensorBoard and other sinks, numbers training steps, and never stops a training.

    A subclass overrides the methods below `on_test_end`, not Keras's. If one raises an error, the logger is off until
    the next `fit`: one warning says what is no longer logged and why, and the training goes on.

    Training steps are counted from where the optimiser stands (`optimizer.iterations`), so that what a second `fit`, or
    a model that was saved and loaded, logs goes on where the first ended. With another model, a logger begins anew.

    Args:
        log_dir: Path. The folder of the variant, as for `keras.callbacks.TensorBoard`; `None` for no TensorBoard.
        update_freq: `"epoch"`, `"batch"` or an integer n: every n training steps.
        sinks: List of `kerasunroll.callbacks.sinks.Sink`, written into beside TensorBoard. Defaults to none.
        strict: Boolean. Whether a failure of the logger raises, and so ends the training. Defaults to `False`.

    Attributes:
        training_step: Integer. How many training steps have been done.
    """

    subject: ClassVar[str]
    """What is logged, as a warning says it: "gradient norms"."""

    def __init__(
        self,
        log_dir: str | Path | None,
        update_freq: UpdateFrequency = "epoch",
        *,
        sinks: Sequence[Sink] = (),
        strict: bool = False,
    ) -> None:
        super().__init__()
        self.update_freq = validate_update_freq(update_freq)
        self.strict = strict
        self.log_dir = None if log_dir is None else Path(log_dir)
        self._tensorboard = None if log_dir is None else TensorBoardSink(log_dir)
        self._sinks = SinkGroup(sinks, self._sink_failed, first=self._tensorboard)
        self.log = self.log_of("train")
        self.training_step = 0
        self._logged_model: keras.Model | None = None
        self._is_off = False
        self._epoch_start = 0
        self._execution_start = 0
        self._last_logged = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Begin, anew with a model that was not trained with this logger before."""
        self._is_off = False
        self._sinks.begin(self.params)  # one dict for all callbacks of a fit
        self.guarded(self._prepare)()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Remember where the epoch began."""
        self._epoch_start = self.training_step
        self.guarded(self.epoch_begins)()

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Prepare for the coming training steps."""
        self._execution_start = batch
        self.guarded(self.training_steps_begin)()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the training steps; `batch` is the index of the last one done in this epoch."""
        last = last_batch(self.model, self._execution_start, batch, (self.params or {}).get("steps"))
        before, self.training_step = self.training_step, self._epoch_start + last + 1
        self.guarded(self.training_steps_end)(self.training_step - before, logs or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write what is due at the end of an epoch."""
        self.guarded(self.epoch_ends)(epoch, logs or {})

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Write the rest, and close the sinks."""
        self.guarded(self.training_ends)()
        self._sinks.close()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Write what is due after a validation."""
        self.guarded(self.validation_ends)(logs or {})

    def model_changes(self) -> None:
        """Forget all that belongs to the model before; called before `training_begins` with another model."""

    def training_begins(self) -> None:
        """Prepare. The model need not be built yet: then its weights appear in the first training step."""

    def epoch_begins(self) -> None:
        """Prepare for an epoch."""

    def training_steps_begin(self) -> None:
        """Prepare for the coming `steps_per_execution` training steps."""

    def training_steps_end(self, count: int, logs: dict[str, Any]) -> None:
        """Write what is due after `count` training steps; `logs` are Keras's, losses and metrics by name."""

    def epoch_ends(self, epoch: int, logs: dict[str, Any]) -> None:
        """Write what is due at the end of an epoch."""

    def validation_ends(self, logs: dict[str, Any]) -> None:
        """Write what is due after a validation."""

    def training_ends(self) -> None:
        """Write the rest."""

    def log_of(self, run: str) -> RunLog:
        """Return what writes into a run: `"train"`, which is `self.log`, `"validation"` or `"forward"`."""
        return RunLog(run, self._sinks.write)

    def is_due(self) -> bool:
        """Tell whether an entry is due after this training step, and if so, take it as made.

        With `steps_per_execution > 1` several training steps pass at once; an entry is due when at least
        `update_freq` of them have passed.
        """
        if self.update_freq == "epoch" or self.training_step - self._last_logged < int(self.update_freq):
            return False
        self._last_logged = self.training_step
        return True

    def guarded(self, work: Callable[P, object]) -> Callable[P, None]:
        """Return `work` such that it is left out while the logger is off, and turns it off when it fails."""

        @wraps(work)
        def guarded_work(*args: P.args, **kwargs: P.kwargs) -> None:
            if self._is_off or self._sinks.all_failed:
                return
            try:
                work(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - whatever goes wrong in a logger, the training goes on
                self.turn_off(error)

        return guarded_work

    def turn_off(self, error: Exception) -> None:
        """Log nothing more until the next `fit`, and say so once; with `strict`, raise the error instead."""
        if self.strict:
            raise error
        if not self._is_off:
            self._is_off = True
            self._warn(f"{self.subject} no longer logged into {self._sinks}", error)

    def _sink_failed(self, sink: Sink, error: Exception) -> None:
        if self.strict:
            raise error
        subject = self.subject if sink is self._tensorboard else "Entries are"  # other sinks are shared
        self._warn(f"{subject} no longer logged into {sink}", error)

    def _warn(self, what: str, error: Exception) -> None:
        reason = str(error) if isinstance(error, InputError | OSError) else f"{type(error).__name__}: {error}"
        warnings.warn(
            f"{what} (training step {self.training_step}); the training goes on. The reason: {reason}",
            KerasunrollWarning,
            stacklevel=2,
        )

    def _prepare(self) -> None:
        if self.model is not self._logged_model:
            former, self._logged_model = self._logged_model, self.model
            self.model_changes()
            self.training_step = 0
            if former is not None:
                self.log.note(
                    f"Model '{former.name}' wrote into this folder before; here begins model '{self.model.name}', and "
                    "with it every curve. Give each model a log_dir of its own to keep them apart."
                )
        self.training_step = max(self.training_step, training_steps_done(self.model))
        self._last_logged = self.training_step
        self.training_begins()
