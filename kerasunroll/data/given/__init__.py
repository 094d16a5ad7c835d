"""Data that were given in Python: kept in files, so that every worker trains on the same batches.

`keep_arrays` and `keep_batches` write them, `open_given` reads them. Whoever trains on them uses `GivenData`, which has
the methods of a `Source`.
"""

from kerasunroll.data.given.keeping import keep_arrays, keep_batches
from kerasunroll.data.given.opening import GivenData, open_given

__all__ = ["GivenData", "keep_arrays", "keep_batches", "open_given"]
