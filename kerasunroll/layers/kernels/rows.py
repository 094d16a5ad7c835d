"""Rows of sequences, which are tensors of shape `(batch, timesteps, n)`: reading and writing them, one or a chunk."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.compiler.tf2xla.ops.gen_xla_ops import xla_dynamic_update_slice

from kerasunroll.layers.kernels.cell import Tensor


@dataclass(frozen=True)
class Rows:
    """The rows of sequences from one of them on."""

    sequences: Tensor
    start: Tensor | int = 0
    plus: Tensor | None = None
    """What is to be added to each, of shape `(n,)`."""

    def row(self, t: Tensor | int) -> Tensor:
        """Return a row, of shape `(batch, n)`, counted from the first."""
        row = self.sequences[:, self.start + t]
        return row if self.plus is None else row + self.plus

    def chunk(self, length: int) -> Tensor:
        """Return so many of them."""
        rows = self.sequences
        if rows.shape[1] != length:
            # A size of -1 would have XLA make a copy of all, with room for whatever may be behind.
            rows = tf.slice(rows, [0, self.start, 0], [_batch(rows), length, rows.shape[2]])
        return rows if self.plus is None else rows + self.plus


@dataclass(frozen=True)
class RowsBefore:
    """The rows of sequences before those from one of them on: what entered a time step, where they are what left it."""

    sequences: Tensor
    start: Tensor | int
    first: Tensor
    """What stands before all rows, of shape `(batch, n)`."""

    def row(self, t: Tensor | int) -> Tensor:
        """Return a row, of shape `(batch, n)`, counted from the first."""
        number = self.start + t
        if isinstance(number, int):
            return self.sequences[:, number - 1] if number else self.first
        return tf.where(number > 0, self.sequences[:, tf.maximum(0, number - 1)], self.first)

    def chunk(self, length: int) -> Tensor:
        """Return so many of them."""
        rest = Rows(self.sequences, self.start).chunk(length)[:, :-1]
        return tf.concat([self.row(0)[:, None], rest], axis=1)


def count_rows(sequences: Tensor) -> Tensor | int:
    """Return the number of rows, as an integer where it is known."""
    known: int | None = sequences.shape[1]
    return tf.shape(sequences)[1] if known is None else known


def empty(like: Tensor, count: Tensor | int, width: int | None = None) -> Tensor:
    """Return rows of zeros.

    Args:
        like: Tensor of shape `(batch, n)`: one row.
        count: Integer or scalar tensor. How many.
        width: Integer or `None`. The n they are to have instead.
    """
    return tf.zeros((_batch(like), count, width or like.shape[1]), like.dtype)


def put_rows(rows: Tensor, sequences: Tensor, start: Tensor | int) -> Tensor:
    """Return sequences with these rows in place of those that begin at `start`. For XLA, which does so in place."""
    replaced: Any = xla_dynamic_update_slice(sequences, rows, tf.stack([0, start, 0]))
    replaced.set_shape(sequences.shape)
    return replaced


def _batch(tensor: Tensor) -> Tensor | int:
    known: int | None = tensor.shape[0]
    return tf.shape(tensor)[0] if known is None else known
