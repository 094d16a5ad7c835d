"""Time cut into chunks: how many, which time steps are in each, and going through them one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

import tensorflow as tf

from kerasunroll.layers.kernels.cell import Tensor, Tensors

CHUNKS: Final = 4
"""The most chunks that known time steps are cut into: the more, the less memory, and the more calls."""

CHUNK_VALUES: Final = 2**20
"""Values of the pre-activations below which a chunk is not cut further: there, calls cost more than memory is worth."""

CHUNK: Final = 16
"""Time steps of a chunk where their number is not known."""

USUAL_BATCH: Final = 32
"""Taken for a batch size that is not known."""


@dataclass(frozen=True)
class ChunkedTime:
    """T time steps as chunks of one length, of which the last may be filled up.

    A chunk is `(length, batch, n)`, time first; sequences are `(batch, timesteps, n)`, as the layers have them.
    """

    steps: Tensor | int
    length: int
    chunks: Tensor | int

    @classmethod
    def of(cls, x: Tensor, width: int, segment: int | None) -> "ChunkedTime":
        """Return the chunks for sequences whose pre-activations are so wide."""
        batch, steps, _ = x.shape
        if steps is None:
            steps, length = tf.shape(x)[1], segment or CHUNK
        else:
            values = steps * (batch or USUAL_BATCH) * width
            chunks = ceil(steps / segment) if segment else min(CHUNKS, ceil(values / CHUNK_VALUES))
            length = ceil(steps / chunks)
        return cls(steps, length, -(-steps // length))

    @property
    def even(self) -> bool:
        """Whether no chunk needs to be filled up, as far as is known."""
        return isinstance(self.steps, int) and self.steps % self.length == 0

    def chunk(self, sequences: Tensor, number: Tensor | int) -> Tensor:
        """Return a chunk of sequences; what the last one is filled up with is their last time step."""
        first = number * self.length
        if self.even:
            return _turn(tf.slice(sequences, [0, first, 0], [-1, self.length, -1]))
        t = tf.minimum(first + tf.range(self.length), self.steps - 1)
        return _turn(tf.gather(sequences, t, axis=1))

    def join(self, chunks: Sequence[Tensor] | Tensor) -> Tensor:
        """Return sequences of chunks, without what fills the last one."""
        rows = tf.transpose(tf.stack(chunks) if isinstance(chunks, list) else chunks, [2, 0, 1, 3])
        sequences = tf.reshape(rows, (tf.shape(rows)[0], self.chunks * self.length, rows.shape[3]))
        return sequences if self.even else sequences[:, : self.steps]

    def count(self, number: Tensor | int) -> Tensor | None:
        """Return the time steps in a chunk that are not filled up; `None` for all, and not as an integer.

        A compiled function would be compiled again for another integer.
        """
        return None if self.even else tf.minimum(self.length, self.steps - number * self.length)

    def each(
        self,
        body: Callable[[Tensor | int, Tensors], tuple[Tensors, Tensors]],
        carried: Tensors,
        *,
        laid_out: bool,
        reverse: bool = False,
    ) -> tuple[Tensors, Tensors]:
        """Take tensors through all chunks; return them, and what each chunk gave, indexed by its number."""
        if laid_out:
            results = []
            for number in reversed(range(self.chunks)) if reverse else range(self.chunks):
                carried, result = body(number, carried)
                results.append(result)
            return carried, tuple(list(each[::-1] if reverse else each) for each in zip(*results, strict=True))
        # Run by nothing: it tells the shapes of the results.
        _, like = body(tf.constant(0), carried)
        arrays = tuple(tf.TensorArray(each.dtype, self.chunks, element_shape=each.shape) for each in like)

        def iterate(done: Tensor, carried: Tensors, arrays: Any) -> tuple[Any, ...]:
            number = self.chunks - 1 - done if reverse else done
            carried, results = body(number, carried)
            return done + 1, carried, tuple(a.write(number, each) for a, each in zip(arrays, results, strict=True))

        # One at a time: else the intermediates of many chunks are held at once.
        _, carried, arrays = tf.while_loop(
            lambda done, *_: done < self.chunks, iterate, (tf.constant(0), carried, arrays), parallel_iterations=1
        )
        return carried, tuple(array.stack() for array in arrays)


def _turn(x: Tensor) -> Tensor:
    """Exchange batch and time."""
    return tf.transpose(x, [1, 0, 2])
