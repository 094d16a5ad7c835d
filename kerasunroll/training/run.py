"""One training run with everything logged: what `kerasunroll train` and `kerasunroll compare` do per variant."""

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import keras

from kerasunroll.callbacks import GradientFlowLogger, MemoryLogger, comparison_callbacks
from kerasunroll.callbacks.event_files.event_log import EventLog
from kerasunroll.errors import InputError, KerasunrollWarning
from kerasunroll.figures.flow_history import save_histories
from kerasunroll.inspection.model.recurrent import recurrent_layers
from kerasunroll.models import SavedModel
from kerasunroll.models.keras_errors import in_one_sentence
from kerasunroll.models.shipping.pickles import read_pickled
from kerasunroll.training.config import MODEL_FILE, TrainingConfig
from kerasunroll.training.outputs import probe_outputs, save_outputs
from kerasunroll.training.session import Session, prepare, shown_loss

_Callback = TypeVar("_Callback", bound=keras.callbacks.Callback)


def train(
    config: TrainingConfig,
    folder: str | Path,
    *,
    figures: Mapping[str, float] | None = None,
    on_begin: Callable[[], None] = lambda: None,
    on_training_step: Callable[[int, int], None] = lambda done, of: None,  # noqa: ARG005
) -> dict[str, Any]:
    """Train a variant; write event files, the model, and its outputs before and after into `folder`.

    Training ends with the epoch in which the loss becomes NaN or infinite.

    Args:
        config: `TrainingConfig`.
        folder: Path. The run's folder; `train` and `validation` in it are TensorBoard's runs.
        figures: Mapping from TensorBoard tag to a number measured before, logged with this run. When given, this run's
            own times are not logged: it may share the machine with others.
        on_begin: Called when model and data are ready.
        on_training_step: Called now and then with the training steps done and their total.

    Returns:
        A dict of JSON values: `history` (a list per loss and metric, one entry an epoch), `metric` (the name of the
        first metric beside the loss, or `None`), `tensor_peak_bytes` (of a training step; `None` where TensorFlow
        cannot tell), `tensor_alive_bytes` (of them, those alive before that training step), `device_peak_bytes` (a dict
        from each GPU to its tensor peak, empty unless there are several), `fit_seconds`.
    """
    folder = Path(folder)
    session = prepare(config)
    before = probe_outputs(session)
    observable = _is_observable(session.model)
    callbacks = comparison_callbacks(
        folder,
        time=figures is None,
        gradient_flow=observable,
        states_of=session.source.probed(session.batch_size or 1) if observable else None,
        strict=True,  # a run whose figures are missing must not pass for a whole one
    )
    on_begin()
    start = time.perf_counter()
    history = session.model.fit(
        session.source.train(config.batch_size, looks=1 if config.distribute else 0),
        validation_data=_validation(session),
        shuffle=False,  # the source has shuffled them
        epochs=config.epochs,
        verbose=0,
        callbacks=[*callbacks, *_given_callbacks(config, folder), _Progress(on_training_step), _StopWhenDiverged()],
    ).history
    fit_seconds = time.perf_counter() - start
    after = probe_outputs(session)
    _log(figures or {}, folder)
    _save(session, folder / MODEL_FILE)
    if observable:
        save_histories(_one(GradientFlowLogger, callbacks).history, folder)
    save_outputs(folder, before, after)
    memory = _one(MemoryLogger, callbacks)
    return {
        "history": history,
        "metric": next((name for name in history if name != "loss" and not name.startswith("val_")), None),
        "tensor_peak_bytes": memory.peak_bytes,
        "tensor_alive_bytes": memory.alive_bytes,
        "device_peak_bytes": memory.device_peak_bytes,
        "fit_seconds": fit_seconds,
    }


def _save(session: Session, path: Path) -> None:
    """Save the trained model. One that was given in Python may have parts that no file can hold."""
    stack = session.config.stack
    try:
        session.model.save(path)
    except Exception as error:
        if not (isinstance(stack, SavedModel) and stack.is_given):
            raise
        warnings.warn(f"The trained model is not kept: {in_one_sentence(error)}", KerasunrollWarning, stacklevel=2)


def _given_callbacks(config: TrainingConfig, folder: Path) -> list[keras.callbacks.Callback]:
    given = read_pickled(Path(config.callbacks)) if config.callbacks else []
    return list(given(folder) if callable(given) else given)


def _is_observable(model: keras.Model) -> bool:
    """Tell whether gradients and states can be followed through time: in a user's own model, not everywhere."""
    try:
        recurrent_layers(model)
    except InputError as error:
        warnings.warn(f"Gradients through time and states are not logged: {error}", KerasunrollWarning, stacklevel=2)
        return False
    return True


def _validation(session: Session) -> Any:
    """Return the validation batches, all of one size where the model takes no other."""
    sequences, batch_size = session.source.validation_sequences, session.config.batch_size
    if not sequences:
        return None
    if devices := session.config.distribute:
        # Keras wants the first batch to have equal shares; what is left at the end may have others.
        batch_size = min(batch_size, sequences - sequences % devices)
        if not batch_size:
            return None
    batches = session.source.validation(batch_size)
    if session.batch_size is None:
        return batches
    whole = sequences // session.batch_size
    return batches.take(whole) if whole else None


def _one(kind: type[_Callback], callbacks: Sequence[keras.callbacks.Callback]) -> _Callback:
    return next(each for each in callbacks if isinstance(each, kind))


def _log(figures: Mapping[str, float], folder: Path) -> None:
    log = EventLog(folder / "train")
    if figures:
        log.scalars(figures, step=0)
    log.close()


class _Progress(keras.callbacks.Callback):
    """Tells how many training steps of the whole run are done, a few times a second."""

    def __init__(self, tell: Callable[[int, int], None], seconds_between: float = 0.2) -> None:
        super().__init__()
        self._tell = tell
        self._seconds_between = seconds_between
        self._told = 0.0
        self._done_before = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        if time.monotonic() - self._told >= self._seconds_between:
            self._told = time.monotonic()
            self._tell(self._done_before + batch + 1, self.params["epochs"] * self.params["steps"])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        self._done_before = (epoch + 1) * self.params["steps"]
        self._tell(self._done_before, self.params["epochs"] * self.params["steps"])


class _StopWhenDiverged(keras.callbacks.Callback):
    """Ends the training with the epoch in which the loss is no number any more."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        if not math.isfinite(shown_loss(logs or {})):
            self.model.stop_training = True
