"""Arrays that a user has prepared."""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from kerasunroll.data.files import read_bytes
from kerasunroll.data.source import Source
from kerasunroll.data.splits import Array, random_split
from kerasunroll.errors import DataError
from kerasunroll.tasks import Classification, Regression, Task

_BROKEN = (ValueError, EOFError, OSError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
_X_FORMS = "numbers of shape (N, T, F) or integer tokens of shape (N, T)"
_Y_FORMS = "integer classes of shape (N,) or (N, T), or floats of shape (N,), (N, outputs) or (N, T, outputs)"


def load_npz(path: Path, timesteps: int | None, seed: int) -> Source:
    """Read the arrays `x` and `y` of a NumPy `.npz` file, as `numpy.savez` writes it.

    | `x` | the network reads |
    |---|---|
    | `(N, T, F)`, any kind of number | F features at each time step |
    | `(N, T)`, integers from 0 | tokens, through an embedding |

    | `y` | task |
    |---|---|
    | `(N,)` integers from 0 | classification of the sequence |
    | `(N, T)` integers from 0 | classification at each time step |
    | `(N,)` or `(N, outputs)` floats | regression |
    | `(N, T, outputs)` floats | regression at each time step |

    Args:
        path: Path of the file.
        timesteps: Integer or `None`. Must be the file's T, if given.
        seed: Integer. Draws the validation sequences, a fifth of all.

    Returns:
        A `Source`; the numbers of classes and tokens are the largest that occur, plus one.

    Raises:
        DataError: If the file cannot be read, lacks `x` or `y`, or they are not as above; the message names
            the shape, or the index of the first bad value.
    """
    x, y = _read_arrays(path)
    _check_shapes(path, x, y, timesteps)
    tokens = x.ndim == 2
    classes = y.dtype.kind in "biu"
    x = _whole(path, "x", x) if tokens else _real(path, "x", x)
    y = _whole(path, "y", y) if classes else _real(path, "y", y)
    if y.ndim == 1 and not classes:
        y = y[:, np.newaxis]
    return Source(
        name=f"npz:{path.name}",
        task=_classification(path, y) if classes else Regression(y.shape[-1]),
        seed=seed,
        vocabulary=int(x.max()) + 1 if tokens else None,
        **random_split(x, y, seed)._asdict(),
    )


def _read_arrays(path: Path) -> tuple[Array, Array]:
    content = io.BytesIO(read_bytes(path))
    try:
        archive = np.load(content, allow_pickle=False)
    except _BROKEN:
        archive = None
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise DataError(f"'{path}' is not an .npz file. Write one with numpy.savez(path, x=..., y=...).")
    with archive:
        missing = [key for key in ("x", "y") if key not in archive.files]
        if missing:
            raise DataError(
                f"'{path}' lacks {' and '.join(missing)}: expected the arrays x and y, "
                f"found {', '.join(archive.files) or 'none'}."
            )
        return _member(path, archive, "x"), _member(path, archive, "y")


def _member(path: Path, archive: "np.lib.npyio.NpzFile", key: str) -> Array:
    try:
        array = archive[key]
    except _BROKEN as error:
        if "pickle" in str(error):
            raise DataError(
                f"'{path}': {key} is an array of Python objects, which could run code when loaded. "
                "Save it as numbers, with sequences of one length."
            ) from None
        raise DataError(f"'{path}': {key} cannot be read: {error}. The file may be damaged.") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"'{path}': {key} is not a NumPy array. Write the file with numpy.savez.")
    if array.dtype.kind not in "biuf":
        raise DataError(f"'{path}': {key} must hold numbers, got an array of {array.dtype}.")
    return array


def _check_shapes(path: Path, x: Array, y: Array, timesteps: int | None) -> None:
    if not (x.ndim == 3 or (x.ndim == 2 and x.dtype.kind in "biu")):
        raise DataError(
            f"'{path}': x must be {_X_FORMS}, got {x.dtype} of shape {x.shape}."
            + (" For one feature, save x[..., numpy.newaxis]." if x.ndim == 2 else "")
        )
    if 0 in x.shape or 0 in y.shape:
        raise DataError(f"'{path}': x of shape {x.shape} and y of shape {y.shape} must not be empty.")
    if not _fits(x, y):
        raise DataError(f"'{path}': y must be {_Y_FORMS}, got {y.dtype} of shape {y.shape} for x of shape {x.shape}.")
    if len(x) != len(y):
        raise DataError(
            f"'{path}': x and y must have the same length, got {len(x):,} sequences in x of shape {x.shape} "
            f"and {len(y):,} targets in y of shape {y.shape}."
        )
    if len(x) < 2:
        raise DataError(f"'{path}' has {len(x)} sequence, but training and validation need at least 2.")
    if timesteps not in (None, x.shape[1]):
        raise DataError(
            f"'{path}' has sequences of {x.shape[1]} time steps (x of shape {x.shape}), "
            f"got timesteps={timesteps}. Leave timesteps out, or save other sequences."
        )


def _fits(x: Array, y: Array) -> bool:
    """Return whether `y` has one of the accepted forms, whatever its length."""
    if y.dtype.kind in "biu":
        return y.ndim == 1 or (y.ndim == 2 and y.shape[1] == x.shape[1])
    return y.ndim in (1, 2) or (y.ndim == 3 and y.shape[1] == x.shape[1])


def _whole(path: Path, key: str, array: Array) -> Array:
    """Return tokens or classes as int32."""
    if array.dtype.kind == "b":
        return array.astype(np.int32)
    # The largest int32 is left out: one more than the largest is the number of classes or tokens.
    bad = (array < 0) | (array >= np.iinfo(np.int32).max)
    _refuse(path, key, array, bad, "integers from 0 to 2,147,483,646")
    return array.astype(np.int32)


def _real(path: Path, key: str, array: Array) -> Array:
    """Return numbers as float32."""
    with np.errstate(over="ignore"):
        real = array.astype(np.float32)
    _refuse(path, key, array, ~np.isfinite(real), "finite numbers that float32 can hold")
    return real


def _refuse(path: Path, key: str, array: Array, bad: Array, expected: str) -> None:
    if bad.any():
        index = np.unravel_index(int(np.argmax(bad)), bad.shape)
        place = ", ".join(str(int(position)) for position in index)
        raise DataError(
            f"'{path}': {key} must hold {expected}, got {array[index]} at {key}[{place}] (shape {array.shape})."
        )


def _classification(path: Path, y: Array) -> Task:
    classes = int(y.max()) + 1
    if classes < 2:
        raise DataError(f"'{path}': y holds the class 0 only; classification needs at least 2 classes.")
    return Classification(classes)
