"""Norms of gradients, written by the compiled training step and read by a callback."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasunroll.callbacks.logger import Guard
from kerasunroll.callbacks.training_step.optimizers import optimizers_of
from kerasunroll.callbacks.training_step.replicas import gradients_received, meet, summed
from kerasunroll.callbacks.training_step.variables import variable_beside_tracing
from kerasunroll.errors import InputError, KerasunrollWarning
from kerasunroll.inspection.model.layers import weight_path

BUFFERED: Final = 64
"""Training steps whose norms wait in a variable until they are fetched together: a fetch costs more than a norm."""

_NOT_WRITTEN: Final = -1.0


class NormBuffer:
    """A ring of rows, one per training step, for each set of weights that an optimiser of the model updates.

    An ordinary model has one such set. A custom `train_step` may have several: those that an optimiser is not given in
    a training step (in a branch of `tf.cond`, say) have no norms for it. What an optimiser is given twice in a training
    step counts the last time.

    Args:
        model: A compiled Keras model. Its weights need not exist yet.
        guard: A `Guard` around all that this class adds to the training step.
    """

    def __init__(self, model: keras.Model, guard: Guard) -> None:
        self._model = model
        self._guard = guard
        self._capacity = BUFFERED + model.steps_per_execution
        self._sets: dict[tuple[str, ...], _UpdatedWeights] = {}
        self._written = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._read = 0
        self._without_gradient: set[str] = set()

    def fits(self, model: keras.Model) -> bool:
        """Tell whether this buffer was made for `model` as it is compiled now."""
        return model is self._model and self._capacity >= BUFFERED + model.steps_per_execution

    @contextmanager
    def recording(self, data: Any) -> Iterator[None]:  # noqa: ARG002
        """Record the norms of what the model's optimisers are given while this context is open."""
        record = self._guard(self._record)
        with ExitStack() as stack:
            for optimizer in optimizers_of(self._model):
                stack.enter_context(gradients_received(optimizer, record))
            yield
        self._guard(self._end_training_step)()

    def take(self) -> list[dict[str, float]]:
        """Return the norms of the training steps since the last call, oldest first, by the paths of the weights."""
        written = int(self._written.numpy())
        indices = np.arange(max(self._read, written - self._capacity), written) % self._capacity
        self._read = written
        training_steps: list[dict[str, float]] = [{} for _ in indices]
        for updated in self._sets.values():
            for norms, row in zip(training_steps, updated.take(indices), strict=True):
                if row[0] != _NOT_WRITTEN:
                    norms.update(zip(updated.paths, map(float, row), strict=True))
        return training_steps

    def discard(self) -> None:
        """Forget what was written while nobody looked."""
        self.take()

    def _record(
        self, optimizer: keras.optimizers.Optimizer, gradients: Sequence[Any], variables: Sequence[Any]
    ) -> None:
        paths = [weight_path(variable, self._model) for variable in variables]
        by_path = dict(zip(paths, gradients, strict=True))
        received = {path: _dense(gradient) for path, gradient in by_path.items() if gradient is not None}
        self._say_without_gradient([path for path in by_path if path not in received])
        norms = [tf.norm(gradient) for gradient in summed(list(received.values()))]
        if norms:
            meet(lambda rows: self._write(tuple(received), rows), [tf.stack(norms) / _loss_scale(optimizer)])

    def _write(self, paths: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        ((row, *_),) = rows  # the same in every replica
        if paths not in self._sets:
            self._sets[paths] = _UpdatedWeights(paths, self._capacity)
        self._sets[paths].rows.scatter_nd_update([[self._written % self._capacity]], [row])

    def _end_training_step(self) -> None:
        if not self._sets:
            raise InputError(
                f"The train_step of model '{self._model.name}' gives no gradients to a Keras optimiser that is an "
                "attribute of the model, so their norms cannot be seen. Have it call optimizer.apply(gradients, "
                "weights) or optimizer.apply_gradients."
            )
        meet(lambda _: self._written.assign_add(1), [])

    def _say_without_gradient(self, paths: list[str]) -> None:
        if new := [path for path in paths if path not in self._without_gradient]:
            self._without_gradient.update(new)
            warnings.warn(
                f"The loss does not depend on {', '.join(map(repr, new))}: no gradient arrives, so no norm is logged.",
                KerasunrollWarning,
                stacklevel=2,
            )


class _UpdatedWeights:
    """The ring of rows for weights that an optimiser is given together."""

    def __init__(self, paths: tuple[str, ...], capacity: int) -> None:
        self.paths = paths
        self.rows = variable_beside_tracing(np.full((capacity, len(paths)), _NOT_WRITTEN, np.float32))

    def take(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return rows, of shape `(training steps, weights)`, and mark all as not written."""
        taken: npt.NDArray[np.float32] = self.rows.numpy()[indices]
        self.rows.assign(tf.fill(self.rows.shape, _NOT_WRITTEN))
        return taken


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
