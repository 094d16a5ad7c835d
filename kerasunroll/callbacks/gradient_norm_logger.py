"""The callback that logs the norms of the gradients."""

import time
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasunroll.callbacks.logger import Logger, UpdateFrequency
from kerasunroll.callbacks.replicas import gradients_received, meet, summed
from kerasunroll.callbacks.train_function import TrainFunction
from kerasunroll.errors import KerasunrollWarning
from kerasunroll.inspection.layers import weight_path

BUFFERED = 64
"""Training steps whose norms wait in a variable until they are fetched together: a fetch costs more than a norm."""


class GradientNormLogger(Logger):
    """Logs the Euclidean norm of the gradient, per training step: of all weights together and of each weight.

    The norms are taken, inside the compiled training step, of the very gradients that the optimiser receives; there
    is no second backward pass. That means:

    - under `clipnorm`, `clipvalue` or `global_clipnorm`: before clipping, which is the optimiser's own work;
    - under gradient accumulation: of each training step's gradient, before it is accumulated;
    - under a loss scale (mixed precision in float16): divided by the scale. Where the scaled gradient overflows the
      norm is logged as it is, infinite or NaN; the optimiser skips that training step;
    - with `steps_per_execution > 1`: of every training step, not only of the last of each execution;
    - under a `tf.distribute` strategy: of the gradient of the whole batch, which is what the optimiser applies. Keras's
      optimisers add the gradients of the devices up at the end of their work, so that they are added up for the norms
      too: the same amount of data goes between the devices once more. Clipping comes before in Keras, on each device:
      see `docs/devices.md`.

    Tags: `gradient_norm/global` and `gradient_norm/<weight path>`.

    Args:
        log_dir: Path. The folder of the variant, as for `keras.callbacks.TensorBoard`.
        update_freq: `"batch"` or an integer: every so many training steps, or `"epoch"`: the last training step of
            each epoch. Defaults to 1.

    Example:
    >>> model.fit(x, y, callbacks=[GradientNormLogger("logs/full")])
    """

    def __init__(self, log_dir: str | Path, update_freq: UpdateFrequency = 1) -> None:
        super().__init__(log_dir, update_freq)
        self._buffer: _NormBuffer | None = None
        self._wall_times: list[float] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Stand by for the tracing of the training step."""
        super().on_train_begin(logs)
        if self._buffer is None or not self._buffer.fits(self.model):
            self._buffer = _NormBuffer(self.model, BUFFERED + self.model.steps_per_execution)
        TrainFunction.of(self.model).add_hook(self._buffer.recording)
        self._buffer.discard()
        self._first_training_step = self.training_step
        self._wall_times = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Write what has gathered, when the buffer is nearly full."""
        before = self.training_step
        super().on_train_batch_end(batch, logs)
        self._wall_times += [time.time()] * (self.training_step - before)
        if len(self._wall_times) >= BUFFERED:
            self._write()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Write what has gathered; with `update_freq="epoch"`, the last training step's norms."""
        self._write(end_of_epoch=True)
        self.log.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Write the rest and close the event file."""
        self._write()
        super().on_train_end(logs)

    def _write(self, end_of_epoch: bool = False) -> None:
        assert self._buffer is not None  # noqa: S101
        rows = self._buffer.take()
        for index, row in enumerate(rows):
            training_step = self._first_training_step + index + 1
            last = end_of_epoch and index == len(rows) - 1
            if last if self.update_freq == "epoch" else training_step % int(self.update_freq) == 0:
                wall_time = self._wall_times[index] if index < len(self._wall_times) else time.time()
                self.log.scalars(self._buffer.tagged(row), training_step, wall_time)
        self._first_training_step += len(rows)
        self._wall_times = []


class _NormBuffer:
    """A ring of rows, one per training step, that the compiled training step writes and the callback reads."""

    def __init__(self, model: keras.Model, capacity: int) -> None:
        self._model = model
        self._optimizer = model.optimizer
        self._paths = [weight_path(variable, model) for variable in model.trainable_variables]
        self._columns = {id(variable): index for index, variable in enumerate(model.trainable_variables)}
        self._capacity = capacity
        self._rows = tf.Variable(tf.zeros((capacity, len(self._paths))), trainable=False)
        self._written = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._read = 0
        self._without_gradient: set[str] = set()

    def fits(self, model: keras.Model) -> bool:
        """Tell whether this buffer was made for `model` as it is compiled now."""
        return (
            model is self._model
            and model.optimizer is self._optimizer
            and self._capacity >= BUFFERED + model.steps_per_execution
            and {id(variable) for variable in model.trainable_variables} == set(self._columns)
        )

    def recording(self, data: Any) -> AbstractContextManager[None]:  # noqa: ARG002
        """Record the norms of what the optimiser is given while this context is open."""
        return gradients_received(self._optimizer, self._record)

    def take(self) -> npt.NDArray[np.float32]:
        """Return the rows written since the last call, oldest first, of shape `(training steps, weights)`."""
        written = int(self._written.numpy())
        indices = np.arange(max(self._read, written - self._capacity), written) % self._capacity
        self._read = written
        rows: npt.NDArray[np.float32] = self._rows.numpy()[indices]
        return rows

    def discard(self) -> None:
        """Forget what was written while nobody looked."""
        self._read = int(self._written.numpy())

    def tagged(self, row: npt.NDArray[np.float32]) -> dict[str, float]:
        """Return one training step's norms by tag; weights that receive no gradient have none."""
        norms = {
            f"gradient_norm/{path}": float(norm)
            for path, norm in zip(self._paths, row, strict=True)
            if path not in self._without_gradient
        }
        # In float64: the squares of large float32 norms overflow float32.
        total = float(np.linalg.norm(np.fromiter(norms.values(), float)))
        return {"gradient_norm/global": total, **norms}

    def _record(self, grads: Sequence[Any], variables: Sequence[Any] | None) -> None:
        variables = self._model.trainable_variables if variables is None else variables
        received = {}
        for gradient, variable in zip(grads, variables, strict=True):
            if gradient is None:
                self._say_without_gradient(weight_path(variable, self._model))
            else:
                received[self._columns[id(variable)]] = _dense(gradient)
        norms = [tf.zeros(())] * len(self._paths)
        for column, gradient in zip(received, summed(list(received.values())), strict=True):
            norms[column] = tf.norm(gradient)
        meet(self._write, [tf.stack(norms) / _loss_scale(self._optimizer)])

    def _write(self, rows: list[tuple[Any, ...]]) -> None:
        ((row, *_),) = rows  # the same in every replica
        self._rows.scatter_nd_update([[self._written % self._capacity]], [row])
        self._written.assign_add(1)

    def _say_without_gradient(self, path: str) -> None:
        if path not in self._without_gradient:
            self._without_gradient.add(path)
            warnings.warn(
                f"The loss does not depend on '{path}': it receives no gradient, so no norm is logged for it.",
                KerasunrollWarning,
                stacklevel=2,
            )


def _dense(gradient: Any) -> Any:
    # An embedding's gradient lists a row once per use; its norm is that of their sum. float16 squares overflow.
    return tf.cast(tf.convert_to_tensor(gradient), tf.float32)


def _loss_scale(optimizer: Any) -> Any:
    """Return the factor by which the gradients that `optimizer` receives are too large."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        # Keras creates the variable while it traces the first training step; until then the scale is the initial one.
        scale = optimizer.dynamic_scale if optimizer.built else optimizer.initial_scale
        return tf.cast(scale, tf.float32) * _loss_scale(optimizer.inner_optimizer)
    return optimizer.loss_scale_factor or 1.0
