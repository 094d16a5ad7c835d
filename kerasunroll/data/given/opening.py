"""Reading data that were given in Python: for a worker, what a `Source` is for the named sources."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasunroll.data.batching import batches_in_order, shuffled_batches
from kerasunroll.data.checks import whole_number
from kerasunroll.data.given.facts import GivenFacts
from kerasunroll.data.given.nests import rebuilt
from kerasunroll.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class GivenData:
    """Arrays, or batches, in a folder. Nothing is read before it is needed.

    Args:
        folder: Path.
        facts: `GivenFacts`.
        seed: Integer, at least 0. Fixes the order of batches that are made of arrays.
    """

    folder: Path
    facts: GivenFacts
    seed: int

    @property
    def name(self) -> str:
        """What it is called in a message."""
        return "the data given in Python"

    @property
    def training_sequences(self) -> int:
        """The sequences of an epoch."""
        return self.facts.training_sequences

    @property
    def validation_sequences(self) -> int:
        """The number of sequences for validation; 0 where none were given."""
        return self.facts.validation_sequences

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """The shape of one sequence; of several inputs, that of the first."""
        return self.facts.input_shape

    def describe(self) -> str:
        """Return shapes and sizes in one line."""
        return self.facts.description

    def check_files(self) -> None:
        """See whether the data are still what they were when the comparison was begun.

        Raises:
            DataError: If a file has changed, or is missing.
        """
        self.facts.check_files(self.folder)

    def check_batch_size(self, batch_size: int) -> int:
        """Return `batch_size` if there are batches of that size.

        Raises:
            DataError: If there are none.
        """
        batch_size = whole_number("batch_size", batch_size, at_least=1)
        if self.facts.batch_size not in (None, batch_size):
            raise DataError(
                f"The dataset has batches of {self.facts.batch_size} sequences, got batch_size={batch_size}. Leave out "
                "batch_size, or give arrays."
            )
        if self.facts.batch_size is None and batch_size > self.training_sequences:
            raise DataError(
                f"batch_size={batch_size:,} is more than the {self.training_sequences:,} training sequences. Take at "
                f"most {self.training_sequences:,}."
            )
        return batch_size

    def train(self, batch_size: int, *, looks: int = 0) -> "tf.data.Dataset":
        """Return the training batches: of arrays, shuffled anew in every epoch; else as they were given."""
        if self.facts.kind == "batches":
            return self._batches("train")
        return shuffled_batches(self._arrays("train"), self.training_sequences, batch_size, seed=self.seed, looks=looks)

    def validation(self, batch_size: int) -> "tf.data.Dataset":
        """Return the validation batches, in order."""
        if self.facts.kind == "batches":
            return self._batches("validation")
        return batches_in_order(self._arrays("validation"), batch_size)

    def batch(self, batch_size: int) -> Any:
        """Return the first `batch_size` training sequences as nested arrays `(x, y, sample_weight)`."""
        return self._first("train", batch_size)

    def probed(self, count: int) -> Any:
        """Return the inputs of the first `count` sequences, those for validation where there are some."""
        return self._first("validation" if self.validation_sequences else "train", count)[0]

    def _first(self, part: str, count: int) -> Any:
        import tensorflow as tf

        if self.facts.kind == "batches":
            return tf.nest.map_structure(
                lambda leaf: leaf[:count], next(self._batches(part).take(1).as_numpy_iterator())
            )
        return tf.nest.map_structure(lambda leaf: leaf[:count], self._arrays(part))

    def _arrays(self, part: str) -> Any:
        with np.load(self.folder / f"{part}.npz") as file:
            return rebuilt(self.facts.structure[part], [file[f"arr_{place}"] for place in range(len(file.files))])

    def _batches(self, part: str) -> "tf.data.Dataset":
        import tensorflow as tf

        return tf.data.Dataset.load(str(self.folder / part))


def open_given(folder: Path, *, seed: int = 0) -> GivenData:
    """Open data that were given in Python.

    Raises:
        DataError: If they are no longer there.
    """
    return GivenData(folder, GivenFacts.read(folder), seed)
