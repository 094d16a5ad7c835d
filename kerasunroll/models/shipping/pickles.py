"""Python objects in a file, functions and classes of a notebook or script included (cloudpickle)."""

import functools
import io
import pickle
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, Final

import cloudpickle
import keras

from kerasunroll.errors import InputError, RunError
from kerasunroll.files import write_whole
from kerasunroll.models.keras_errors import in_one_sentence

_DEEPEST: Final = 3


@dataclass(frozen=True)
class _Parcel:
    """What is in a file.

    Args:
        path: The folders in which Python looked for modules, where it was pickled.
        content: Bytes. The pickled object.
    """

    path: tuple[str, ...]
    content: bytes


def pickled(name: str, value: Any) -> bytes:
    """Return a Python object as bytes that another process can read.

    Functions and classes of `__main__` go along with what they use; those of modules go by name, and their folders
    with them.

    Args:
        name: String. What it is called, for the error.
        value: Anything.

    Raises:
        InputError: If something in it cannot be pickled. The message names it.
    """
    try:
        content = _dumps(value)
    except Exception as error:  # pickle's, and whatever the code of the user's classes raises
        where = " of ".join(_culprit(name, value))
        raise InputError(
            f"{where} cannot be sent to another process: {in_one_sentence(error)} Make it there instead: pass a "
            "function build(unroll) that makes and compiles the model, or put it into a module that is imported."
        ) from error
    return pickle.dumps(_Parcel(tuple(sys.path), content))


def write_pickled(path: Path, content: bytes) -> None:
    """Write what `pickled` returned.

    Raises:
        InputError: If the folder cannot be written to.
        RunError: If writing failed.
    """
    write_whole(path, content)


def read_pickled(path: Path) -> Any:
    """Return the object in a file that `write_pickled` wrote. This runs code: read the files of your own runs only.

    Raises:
        RunError: If it cannot be read.
    """
    try:
        parcel = pickle.loads(path.read_bytes())  # noqa: S301 - a file that this user's own run has made
        # At the end: a folder of the user's must not shadow a module.
        sys.path += [folder for folder in parcel.path if folder not in sys.path]
        return pickle.loads(parcel.content)  # noqa: S301
    except Exception as error:
        raise RunError(f"What was given in Python cannot be read from '{path}': {in_one_sentence(error)}") from error


class _Pickler(cloudpickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        # Keras would save a loss as its configuration, without the functions in it, and look for its class by name.
        if isinstance(obj, keras.losses.Loss):
            return object.__new__, (type(obj),), vars(obj)
        return super().reducer_override(obj)


def _dumps(value: Any) -> bytes:
    file = io.BytesIO()
    _Pickler(file).dump(value)
    return file.getvalue()


def _culprit(name: str, value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the name of what cannot be pickled, then those of what it is part of."""
    if depth < _DEEPEST:
        for part, inner in _parts(value):
            if not _can_be_pickled(inner):
                yield from _culprit(part, inner, depth + 1)
                break
    yield name


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((f"'{key}' ({_called(inner)})", inner) for key, inner in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"number {place} ({_called(inner)})", inner) for place, inner in enumerate(value, start=1))
    elif isinstance(value, functools.partial):
        yield from (("its function", value.func), ("its arguments", value.args), ("its arguments", value.keywords))
    elif isinstance(value, FunctionType):
        names = value.__code__.co_freevars
        yield from ((f"'{key}'", cell.cell_contents) for key, cell in zip(names, value.__closure__ or (), strict=True))
        used = (key for key in value.__code__.co_names if key in value.__globals__)
        yield from ((f"'{key}'", value.__globals__[key]) for key in used)
    elif isinstance(value, type):
        yield from ((f"'{key}'", inner) for key, inner in vars(value).items() if isinstance(inner, FunctionType))
    elif type(value).__module__.startswith("kerasunroll."):  # the inside of other objects tells a user nothing
        yield from ((f"'{key}'", inner) for key, inner in vars(value).items())


def _called(value: Any) -> str:
    return str(getattr(value, "__name__", type(value).__name__))


def _can_be_pickled(value: Any) -> bool:
    try:
        _dumps(value)
    except Exception:  # noqa: BLE001 - any error means that it cannot
        return False
    return True
