"""Keras's own TensorBoard callback, made to go on where an earlier `fit` ended."""

from typing import Any

import keras


class MetricsLogger(keras.callbacks.TensorBoard):
    """`keras.callbacks.TensorBoard`, except that a second `fit` does not write over what the first one logged.

    Keras counts batches and epochs from 0 in every `fit`; here they go on. Everything else is Keras's: the tags
    `epoch_*` and `batch_*`, and all arguments.
    """

    _batches_done = 0
    _epochs_done = 0
    _first_epoch: int | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Count batches on from the `fit` before."""
        super().on_train_begin(logs)
        self._global_train_batch = self._batches_done
        self._first_epoch = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the epoch under its number over all calls of `fit`; with `initial_epoch`, the caller's number."""
        if self._first_epoch is None:
            self._first_epoch = max(0, self._epochs_done - epoch)
        super().on_epoch_end(epoch + self._first_epoch, logs)
        self._epochs_done = epoch + self._first_epoch + 1

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Remember where this `fit` ended."""
        self._batches_done = self._global_train_batch
        super().on_train_end(logs)
