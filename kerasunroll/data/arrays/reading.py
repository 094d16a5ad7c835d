"""Files of NumPy: `.npz` archives, and `.npy` files side by side or in a folder."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from kerasunroll.data.files import read_bytes
from kerasunroll.data.splits import Array
from kerasunroll.errors import DataError

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "x": ("x", "X", "x_train", "X_train", "train_x", "train_X", "inputs", "data"),
    "y": ("y", "Y", "y_train", "Y_train", "train_y", "train_Y", "targets", "labels", "target", "label"),
    "x_validation": (
        *("x_validation", "X_validation", "x_val", "X_val", "x_valid", "X_valid", "val_x", "val_X"),
        *("x_test", "X_test", "test_x", "test_X"),
    ),
    "y_validation": (
        *("y_validation", "Y_validation", "y_val", "Y_val", "y_valid", "Y_valid", "val_y", "val_Y"),
        *("y_test", "Y_test", "test_y", "test_Y"),
    ),
}
"""The names by which arrays are known, the first that is there counts. Those for a test stand in for validation."""

_ZIP: Final = b"PK\x03\x04"
_BROKEN: Final = (ValueError, EOFError, OSError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


def read_npz(path: Path) -> dict[str, Array]:
    """Return the arrays of a file by what they are for: those of `PARTS` that are there.

    Raises:
        DataError: If the file cannot be read, or lacks inputs or targets.
    """
    content = io.BytesIO(read_bytes(path))
    try:
        archive = np.load(content, allow_pickle=False)
    except _BROKEN:
        archive = None
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise DataError(f"'{path}' is not an .npz file. Write one with numpy.savez(path, x=..., y=...).")
    with archive:
        names = _names(path, archive.files)
        return {part: _member(path, archive, name) for part, name in names.items()}


def read_npy(paths: tuple[Path, ...]) -> dict[str, Array]:
    """Return the arrays of two `.npy` files, inputs and targets, or of those in a folder that have the usual names.

    Raises:
        DataError: If there are not two files, or one cannot be read.
    """
    if len(paths) == 1 and paths[0].is_dir():
        found = {file.stem: file for file in sorted(paths[0].glob("*.npy"))}
        return {part: _array(found[name]) for part, name in _names(paths[0], list(found)).items()}
    if len(paths) != 2:
        named = ", ".join(f"'{path}'" for path in paths)
        raise DataError(
            f"npy takes a file of inputs and one of targets, got {named}. Write npy:X.npy,Y.npy, or npy:FOLDER for a "
            "folder with x.npy and y.npy."
        )
    return dict(zip(("x", "y"), map(_array, paths), strict=True))


def _names(path: Path, there: list[str]) -> dict[str, str]:
    found = {part: next((name for name in names if name in there), None) for part, names in PARTS.items()}
    missing = [part for part in ("x", "y") if found[part] is None]
    if missing:
        raise DataError(
            f"'{path}' lacks {' and '.join(missing)}: expected the arrays x and y (or x_train and y_train, X and Y, "
            f"inputs and targets), found {', '.join(there) or 'none'}."
        )
    if (found["x_validation"] is None) != (found["y_validation"] is None):
        lone = found["x_validation"] or found["y_validation"]
        raise DataError(f"'{path}' has {lone} without its counterpart. Add it, or take {lone} out.")
    return {part: name for part, name in found.items() if name}


def _array(path: Path) -> Array:
    content = read_bytes(path)
    if content.startswith(_ZIP):
        raise DataError(f"'{path}' is not an .npy file but an archive of several arrays. Write npz:{path}.")
    if not content.startswith(np.lib.format.MAGIC_PREFIX):
        raise DataError(f"'{path}' is not an .npy file. Write one with numpy.save(path, array).")
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except _BROKEN as error:
        _refuse_objects(path, path.name, error)
        raise DataError(f"'{path}' cannot be read: {error}. The file may be damaged.") from error
    return _numbers_or_strings(path, path.name, array)


def _member(path: Path, archive: "np.lib.npyio.NpzFile", name: str) -> Array:
    try:
        array = archive[name]
    except _BROKEN as error:
        _refuse_objects(path, name, error)
        raise DataError(f"'{path}': {name} cannot be read: {error}. The file may be damaged.") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"'{path}': {name} is not a NumPy array. Write the file with numpy.savez.")
    return _numbers_or_strings(path, name, array)


def _refuse_objects(path: Path, name: str, error: BaseException) -> None:
    if "pickle" in str(error) or "Object arrays" in str(error):
        raise DataError(
            f"'{path}': {name} is an array of Python objects, which could run code when loaded. "
            "Save it as numbers, with sequences of one length."
        ) from None


def _numbers_or_strings(path: Path, name: str, array: Array) -> Array:
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind not in "biufU":
        raise DataError(f"'{path}': {name} must hold numbers, got an array of {array.dtype}.")
    return array
