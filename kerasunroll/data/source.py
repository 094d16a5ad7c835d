"""A data source: sequences to train on, their task, and the batches made of them."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kerasunroll.data.batching import batches_in_order, shuffled_batches
from kerasunroll.data.checks import whole_number
from kerasunroll.data.splits import Array
from kerasunroll.errors import DataError
from kerasunroll.tasks import Classification, Task
from kerasunroll.units import format_count

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """Sequences for training and validation, and what is to be learned from them.

    `open_source` makes one. Inputs are numbers, float32 of shape `(N, timesteps, features)`, or tokens, int32
    of shape `(N, timesteps)`, which a network reads through an embedding.

    | task | target per sequence | target per time step |
    |---|---|---|
    | `Classification` | int32 `(N,)` | int32 `(N, timesteps)` |
    | `Regression` | float32 `(N, outputs)` | float32 `(N, timesteps, outputs)` |

    Args:
        name: String, such as `"digits"` or `"text:shakespeare.txt"`.
        task: `Classification` or `Regression`.
        seed: Integer, at least 0. Fixes the order of the training batches.
        vocabulary: Integer or `None`. How many tokens there are; `None` for inputs that are numbers.
        x_train: Array. The inputs to train on.
        y_train: Array. Their targets.
        x_validation: Array. The inputs kept for validation.
        y_validation: Array. Their targets.
        notes: Tuple of strings. How the data were read, such as columns that were left out. Defaults to none.
    """

    name: str
    task: Task
    seed: int
    vocabulary: int | None = None
    x_train: Array = field(repr=False)
    y_train: Array = field(repr=False)
    x_validation: Array = field(repr=False)
    y_validation: Array = field(repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def training_sequences(self) -> int:
        """The number of sequences to train on."""
        return len(self.x_train)

    @property
    def validation_sequences(self) -> int:
        """The number of sequences kept for validation."""
        return len(self.x_validation)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sequence: `(timesteps, features)`, or `(timesteps,)` for tokens."""
        return self.x_train.shape[1:]

    @property
    def timesteps(self) -> int:
        """The length of a sequence."""
        return self.input_shape[0]

    @property
    def features(self) -> int | None:
        """The numbers in a time step; `None` for tokens."""
        return None if self.vocabulary else self.input_shape[1]

    @property
    def return_sequences(self) -> bool:
        """Whether there is a target at every time step, rather than one per sequence."""
        per_sequence = 1 if isinstance(self.task, Classification) else 2
        return self.y_train.ndim > per_sequence

    def describe(self) -> str:
        """Return the source, its shapes and its notes in one line.

        Example:
        >>> open_source("digits").describe()
        'digits: 1,437 training and 360 validation sequences, T=64, F=1, 10 classes'
        """
        training, validation = format_count(len(self.x_train)), format_count(len(self.x_validation))
        width = f"vocabulary of {format_count(self.vocabulary)}" if self.vocabulary else f"F={self.features}"
        shapes = (
            f"{self.name}: {training} training and {validation} validation sequences, "
            f"T={self.timesteps}, {width}, {self._target()}"
        )
        return "; ".join((shapes, *self.notes))

    def train(self, batch_size: int, *, looks: int = 0) -> "tf.data.Dataset":
        """Return the training batches, shuffled anew in every epoch.

        The order depends on `seed` alone, not on TensorFlow's global one: each call starts the same series
        of epochs, in any process. All batches have one shape; the sequences left over at the end of an
        epoch are dropped from it.

        Args:
            batch_size: Integer, from 1 to the number of training sequences.
            looks: Integer. How many passes are begun that are no epochs, before the first epoch: under a
                `tf.distribute` strategy, `fit` looks at a batch before it begins. Defaults to 0.

        Returns:
            A `tf.data.Dataset` of `(x, y)`; one pass over it is one epoch.

        Raises:
            DataError: If `batch_size` is not in that range.
        """
        batch_size = self.check_batch_size(batch_size)
        arrays = (self.x_train, self.y_train)
        return shuffled_batches(arrays, self.training_sequences, batch_size, seed=self.seed, looks=looks)

    def check_batch_size(self, batch_size: int) -> int:
        """Return `batch_size` if `train` can make batches of that size.

        Raises:
            DataError: If it is less than 1 or more than the number of training sequences.
        """
        batch_size = whole_number("batch_size", batch_size, at_least=1)
        sequences = len(self.x_train)
        if batch_size > sequences:
            raise DataError(
                f"batch_size={batch_size:,} is more than the {sequences:,} training sequences of {self.name}. "
                f"Take at most {sequences:,}, or a source with more data."
            )
        return batch_size

    def validation(self, batch_size: int) -> "tf.data.Dataset":
        """Return the validation batches, in order and complete; the last one may be smaller.

        Args:
            batch_size: Integer, at least 1.

        Returns:
            A `tf.data.Dataset` of `(x, y)`.

        Raises:
            DataError: If `batch_size` is less than 1.
        """
        batch_size = whole_number("batch_size", batch_size, at_least=1)
        return batches_in_order((self.x_validation, self.y_validation), batch_size)

    def batch(self, batch_size: int) -> tuple[Array, Array]:
        """Return the first `batch_size` training sequences as arrays `(x, y)`."""
        return self.x_train[:batch_size], self.y_train[:batch_size]

    def probed(self, count: int) -> Array:
        """Return the inputs of the first `count` validation sequences."""
        return self.x_validation[:count]

    def _target(self) -> str:
        if isinstance(self.task, Classification):
            target = f"{format_count(self.task.classes)} classes"
        else:
            outputs = self.task.outputs
            target = f"{format_count(outputs)} output{'' if outputs == 1 else 's'}"
        return f"{target} at each time step" if self.return_sequences else target
