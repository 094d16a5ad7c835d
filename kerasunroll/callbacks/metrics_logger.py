"""Keras's own TensorBoard callback, made to go on where an earlier `fit` ended."""

from typing import Any

import keras
import tensorflow as tf


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

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Leave Keras's work out of batches that are not logged: its summaries cost time also where nothing is written.

        With a number of batches as `update_freq`, that is.
        """
        if self._is_logged(self._global_train_batch + 1):
            super().on_train_batch_begin(batch, logs)
        else:
            self._global_train_batch += 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the batch, if it is one of those to be logged."""
        if self._is_logged(self._global_train_batch):
            super().on_train_batch_end(batch, logs)

    def _is_logged(self, batch: int) -> bool:
        # profile_batch and write_steps_per_second are at work in every batch.
        always = self.update_freq == "epoch" or self._should_trace or self.write_steps_per_second
        return bool(always) or batch % self.update_freq == 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the epoch under its number over all calls of `fit`; with `initial_epoch`, the caller's number."""
        if self._first_epoch is None:
            self._first_epoch = max(0, self._epochs_done - epoch)
        # With an integer update_freq, Keras 3.15 leaves its filter for single batches in place at the end of an epoch,
        # and loses the epoch's metrics unless the last batch happened to be due.
        with tf.summary.record_if(True):
            super().on_epoch_end(epoch + self._first_epoch, logs)
        self._epochs_done = epoch + self._first_epoch + 1

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Log the validation's metrics, after every validation."""
        with tf.summary.record_if(True):
            super().on_test_end(logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Remember where this `fit` ended."""
        self._batches_done = self._global_train_batch
        super().on_train_end(logs)
