"""Arrays from `.npz` and `.npy` files, without running code that a file may hold."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from kerasunroll.data.arrays.names import USUAL_NAMES, Role, role_of, roles_of
from kerasunroll.data.files import read_bytes
from kerasunroll.data.splits import Array
from kerasunroll.errors import DataError

_BROKEN: Final = (ValueError, EOFError, OSError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Named:
    """An array with its name.

    Args:
        file: Path. Where it was read.
        key: String. What it is called there.
        array: The array.
    """

    file: Path
    key: str
    array: Array

    def __str__(self) -> str:
        return f"'{self.file}': {self.key}"


def read_npz(path: Path) -> dict[Role, Named]:
    """Return the arrays of an `.npz` file that have one of the usual names, by what they are for.

    Raises:
        DataError: If it is no such file, or one of these arrays is damaged or holds neither numbers nor strings.
    """
    content = io.BytesIO(read_bytes(path))
    try:
        archive = np.load(content, allow_pickle=False)
    except _BROKEN:
        archive = None
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise DataError(f"'{path}' is not an .npz file. Write one with numpy.savez(path, x=..., y=...).")
    with archive:
        return {
            role: _checked(path, key, lambda key=key: archive[key])
            for role, key in _only_one(f"'{path}'", archive.files).items()
        }


def read_npy(paths: Sequence[Path]) -> dict[Role, Named]:
    """Return the arrays of `.npy` files by what they are for: their names say so, or their order, inputs first.

    Raises:
        DataError: If one is no such file, is damaged, or holds neither numbers nor strings.
    """
    places = {path.stem: path for path in paths}
    words = ", ".join(f"'{path}'" for path in paths) or "no .npy file"
    if len(paths) == 2 and not all(map(role_of, places)):
        places = dict(zip("xy", paths, strict=True))
    elif len(places) < len(paths):
        raise DataError(f"{words}: two of the files have one name. Give each a name of its own.")
    return {
        role: _checked(places[key], key, lambda key=key: _load_npy(places[key]))
        for role, key in _only_one(words, places).items()
    }


def _only_one(where: str, names: Any) -> dict[Role, str]:
    """Return the name of each array that is used: the inputs and the targets, and those for validation."""
    roles = roles_of(names)
    for found in roles.values():
        if len(found) > 1:
            raise DataError(f"{where} has more than one array for the same: {' and '.join(found)}. Rename or drop one.")
    missing = [key for key, inputs in (("x", True), ("y", False)) if Role(inputs, "train") not in roles]
    if missing:
        raise DataError(
            f"{where} lacks {' and '.join(missing)}: expected the arrays {USUAL_NAMES}; "
            f"found {', '.join(names) or 'none'}."
        )
    return {role: found[0] for role, found in roles.items()}


def _load_npy(path: Path) -> Any:
    content = read_bytes(path)
    if not content.startswith(b"\x93NUMPY"):
        raise DataError(f"'{path}' is not an .npy file. Write one with numpy.save(path, array).")
    return np.load(io.BytesIO(content), allow_pickle=False)


def _checked(path: Path, key: str, load: Any) -> Named:
    try:
        array = load()
    except DataError:
        raise
    except _BROKEN as error:
        if "pickle" in str(error):
            raise DataError(
                f"'{path}': {key} is an array of Python objects, which could run code when loaded. "
                "Save it as numbers, with sequences of one length, or names of classes with y.astype(str)."
            ) from None
        raise DataError(f"'{path}': {key} cannot be read: {error}. The file may be damaged.") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"'{path}': {key} is not a NumPy array. Write the file with numpy.savez.")
    return Named(path, key, array)
