"""Time cut into chunks, and going through them: one after the other in a loop that XLA compiles, or laid out."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log
from typing import Any, Final

import tensorflow as tf

from kerasunroll.layers.kernels.cell import Tensor, Tensors
from kerasunroll.layers.kernels.rows import Rows, put_rows

Body = Callable[[Tensor | int, Any, Any], tuple[Any, Tensors]]

ROWS: Final = 192
"""Rows, time steps of all sequences of half a batch, in the matrix products of a chunk, about: with fewer, products are
slow; with more, what a chunk holds does not stay in a processor's cache."""

USUAL_BATCH: Final = 32
"""Taken for a batch size that is not known."""

UNKNOWN_CHUNK: Final = 16
"""Time steps of a chunk where their number is not known."""


def chunk_length(batch: int | None, steps: int | None, segment: int | None, together: int) -> int:
    """Return how many time steps a chunk has.

    Args:
        batch: Integer or `None`. The number of sequences.
        steps: Integer or `None`. How many time steps these have.
        segment: Integer or `None`. What is asked for.
        together: Integer. Time steps per iteration, of which a chunk should hold whole ones.
    """
    if segment:
        return segment if steps is None else min(segment, steps)
    wanted = UNKNOWN_CHUNK if steps is None else ceil(2 * ROWS / (batch or USUAL_BATCH))
    wanted = together * max(1, round(wanted / together))
    if steps is None:
        return wanted
    # What divides T leaves no time steps over, which would cost a chunk of their own.
    near = [n for n in range(together, wanted * 3 // 2 + 1, together) if steps % n == 0 and n >= wanted * 2 / 3]
    return min(near, key=lambda n: max(n / wanted, wanted / n), default=min(wanted, steps))


def filled_up(sequences: Tensor, length: int) -> Tensor:
    """Return sequences of unknown length with rows of zeros behind, so that there are `length` times a power of two.

    Args:
        sequences: Tensor of shape `(batch, timesteps, n)`.
        length: Integer. The rows of a chunk.
    """
    steps = tf.shape(sequences)[1]
    chunks = tf.cast(-(-steps // length), tf.float64)
    doublings = tf.math.ceil(tf.math.log(chunks) / log(2) - 1e-9)  # a power of two itself may come out above
    rows = length * tf.cast(2**doublings, tf.int32)
    return tf.pad(sequences, [[0, 0], [0, rows - steps], [0, 0]])


@dataclass(frozen=True)
class Span:
    """Some time steps that follow each other.

    Args:
        start: Integer or scalar tensor. The first.
        count: Integer or scalar tensor. How many there are.
    """

    start: Tensor | int
    count: Tensor | int


@dataclass(frozen=True)
class ChunkedTime:
    """T time steps as chunks of one length, of which the first holds what T leaves over, and rows of the next.

    Args:
        steps: Integer or scalar tensor. T.
        length: Integer. The rows of a chunk; sequences have at least as many.
    """

    steps: Tensor | int
    length: int

    @property
    def chunks(self) -> Tensor | int:
        """How many there are."""
        return -(-self.steps // self.length)

    @property
    def even(self) -> bool:
        """Whether the first is full, as far as is known."""
        return isinstance(self.steps, int) and self.steps % self.length == 0

    def span(self, number: Tensor | int) -> "Span":
        """Return where a chunk is."""
        if self.even:
            return Span(number * self.length, self.length)
        start = self.steps - (self.chunks - number) * self.length
        if isinstance(start, int):
            return Span(max(0, start), self.length + min(0, start))
        return Span(tf.maximum(0, start), self.length + tf.minimum(0, start))

    def put(self, here: Tensor, everywhere: Tensor | None, number: Tensor | int) -> Tensor:
        """Put a chunk's rows among those of all chunks; where it is the only one so far, return its own.

        Args:
            here: Tensor of shape `(batch, length, n)`, zeros in rows that are not the chunk's own.
            everywhere: Tensor of shape `(batch, timesteps, n)` or `None`.
            number: Integer or scalar tensor. The chunk's.
        """
        if everywhere is None:
            return here
        start = self.span(number).start
        if not self.even:  # the rows of the next chunk are to stay
            here += Rows(everywhere, start).chunk(self.length)
        return put_rows(here, everywhere, start)

    def put_one(self, here: Tensor, everywhere: Tensor | None, number: Tensor | int) -> Tensor:
        """Put a chunk's only row, of shape `(batch, n)`, among those of all chunks; see `put`."""
        return here[:, None] if everywhere is None else put_rows(here[:, None], everywhere, number)

    def in_loop(self, body: Body, carried: Any, results: Tensors, *, reverse: bool = False) -> tuple[Any, Tensors]:
        """Take nested tensors through all chunks, in a loop that XLA is to compile.

        Args:
            body: Function from the number of a chunk, what is carried, and the results so far to what is carried on
                and the results with the chunk's.
            carried: Nested tensors.
            results: Tuple of tensors of zeros.
            reverse: Boolean. From the last chunk to the first.

        Returns:
            What is carried from the last one, and the results.
        """
        if isinstance(self.chunks, int) and self.chunks == 1:
            return body(0, carried, results)

        def iterate(done: Tensor, carried: Any, results: Tensors) -> tuple[Tensor, Any, Tensors]:
            return done + 1, *body(self.chunks - 1 - done if reverse else done, carried, results)

        _, *last = tf.while_loop(lambda done, *_: done < self.chunks, iterate, (tf.constant(0), carried, results))
        return last[0], last[1]

    def laid_out(self, body: Body, carried: Any, results: Tensors, *, reverse: bool = False) -> tuple[Any, Tensors]:
        """Take nested tensors through all chunks, side by side in the graph.

        As `in_loop`, but that a chunk returns its own results only; rows that are not its own are left out.
        """
        parts = []
        for number in reversed(range(self.chunks)) if reverse else range(self.chunks):
            carried, here = body(number, carried, (None,) * len(results))
            parts.append([each[:, : self.span(number).count] for each in here])
        ordered = reversed(parts) if reverse else parts
        return carried, tuple(tf.concat(each, axis=1) for each in zip(*ordered, strict=True))
