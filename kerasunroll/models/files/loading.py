"""Load a model that someone else may have made, without running their code, and save one whole or not at all.

A long module: what is let in and what is refused stands in one place, to be audited.
"""

import contextlib
import json
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeAlias

import keras
import psutil

from kerasunroll import layers as _registers_our_layers  # noqa: F401
from kerasunroll.compatibility import trained_variables
from kerasunroll.errors import InputError
from kerasunroll.files import written_whole
from kerasunroll.models.files.legacy import converted, is_hdf5
from kerasunroll.models.keras_errors import in_one_sentence
from kerasunroll.units import format_bytes

FLAG: Final = "--custom-objects"
"""The flag of the command line that admits a class or function."""

CustomObject: TypeAlias = str | type | Callable[..., Any]
"""A class or function, or where it is: `"module:name"`."""

_ZIP: Final = b"PK\x03\x04"
_CONFIG: Final = "config.json"
_WEIGHTS: Final = ("model.weights.h5", "model.weights.npz")

# While a model is loaded, its file and its variables are in memory.
_COPIES: Final = 2


def load_model(path: str | Path, *, custom_objects: Sequence[CustomObject] = ()) -> keras.Model:
    """Load a model from a `.keras` file, or from an HDF5 file of Keras 2. Nothing in the file is run as code.

    Args:
        path: Path of the file.
        custom_objects: List of the classes and functions beside Keras's and kerasunroll's that the model may use; each
            may be given as text, `"module:name"`, and is then imported, which runs that module. Defaults to `()`.

    Returns:
        A `keras.Model`, compiled if it was compiled when it was saved.

    Raises:
        InputError: If the file is missing, unreadable, damaged, of another format, or too large for the memory that is
            available; if the model has Lambda layers or other code in it, or classes and functions that are not
            known; or if Keras cannot load it. The message names the file.

    Example:
    >>> model = load_model("mine.keras", custom_objects=["my_package.layers:Attention"])
    """
    path = as_keras_file(path, custom_objects=custom_objects)
    _check_format(path)
    written_by = _check_archive(path)
    admitted = _by_name(custom_objects)
    _check_objects(path, _config(path), admitted, written_by)
    try:
        model = keras.models.load_model(path, custom_objects=admitted, safe_mode=True)
    except Exception as error:
        raise InputError(
            f"'{path}' cannot be loaded: {in_one_sentence(error)} It was written by Keras {written_by}, this is Keras "
            f"{keras.__version__}. If it needs classes or functions of your own, name them: {FLAG} module:name."
        ) from error
    if not isinstance(model, keras.Model):
        raise InputError(f"'{path}' holds no model, but a {type(model).__name__}. Save a keras.Model.")
    return model


def as_keras_file(path: str | Path, *, custom_objects: Sequence[CustomObject] = ()) -> Path:
    """Return the path of a `.keras` file, or that of one into which an HDF5 file was converted.

    Args:
        path: Path of the file.
        custom_objects: As for `load_model`.

    Raises:
        InputError: If an HDF5 file is damaged, holds weights alone, has code in it, or Keras cannot load it.
    """
    path = Path(path)
    if not is_hdf5(path):
        return path
    admitted = _by_name(custom_objects)

    def load(copy: Path) -> keras.Model:
        try:
            return _with_slots(keras.models.load_model(copy, custom_objects=admitted, safe_mode=True))
        except Exception as error:
            raise InputError(
                f"'{path}', an HDF5 file, cannot be loaded: {in_one_sentence(error)} If it needs classes or functions "
                f"of your own, name them: {FLAG} module:name. Else save it anew where it was made: "
                "model.save('x.keras')."
            ) from error

    return converted(path, load, save_model, lambda config: _refuse_lambdas(path, config))


def _with_slots(model: keras.Model) -> keras.Model:
    """Give an optimizer the slots that Keras leaves out of an HDF5 file: it would say so at every loading."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not trained_variables(optimizer):
        model.optimizer = type(optimizer).from_config(optimizer.get_config())
        model.optimizer.build(model.trainable_variables)
    return model


def save_model(model: keras.Model, path: str | Path) -> None:
    """Save a model to a `.keras` file, so that a reader, a crash or a power cut never sees half of it.

    The model goes to a temporary file in the same folder, which is flushed to the disk and then takes the place of
    `path` in one move. The folder is made if needed.

    Args:
        model: A built `keras.Model`.
        path: Path of the file; its name ends in `.keras`.

    Raises:
        InputError: If the name does not end in `.keras`, the folder cannot be written to, or Keras cannot save the
            model.
        RunError: If writing failed, such as on a full disk. Nothing half-written is left behind.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise InputError(f"Expected a file name that ends in .keras, got '{path}'. Use '{path.with_suffix('.keras')}'.")
    if path.is_dir():
        raise InputError(f"'{path}' is a directory, expected a file to write. Choose another name.")
    with written_whole(path) as temporary:
        try:
            model.save(temporary)
        except (TypeError, ValueError, NotImplementedError) as error:
            raise InputError(f"Keras cannot save model '{model.name}': {in_one_sentence(error)}") from error


def import_object(reference: str) -> Any:
    """Return the class or function that a text names. This imports its module, which runs it.

    Args:
        reference: String, `"module:name"`; the module may also lie in the working directory.

    Raises:
        InputError: If the text is of another form, the module cannot be imported, or has no class or function of
            that name.

    Example:
    >>> import_object("keras.layers:Dense").__name__
    'Dense'
    """
    module_name, colon, name = reference.partition(":")
    if not (colon and module_name and name):
        raise InputError(
            f"Invalid custom object: expected module:name, such as my_package.layers:Attention, got '{reference}'."
        )
    with _working_directory_importable():
        try:
            module = import_module(module_name)
        except Exception as error:
            raise InputError(
                f"Cannot import module '{module_name}' of the custom object '{reference}': {in_one_sentence(error)}"
            ) from error
    found = getattr(module, name, None)
    if not callable(found):
        what = "has no such name" if found is None else f"has a {type(found).__name__} there"
        raise InputError(f"Expected a class or function at '{reference}', but module '{module_name}' {what}.")
    return found


def _check_format(path: Path) -> None:
    """Refuse whatever is not a zip archive that is called `.keras`."""
    try:
        if path.is_dir():
            saved_model = (path / "saved_model.pb").exists()
            raise InputError(
                f"'{path}' is a directory{' (a TensorFlow SavedModel)' if saved_model else ''}, expected a .keras "
                "file. Save the Keras model itself: model.save('x.keras')."
            )
        with path.open("rb") as file:
            start = file.read(len(_ZIP))
    except InputError:  # it is a ValueError as well
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"No such file: '{path}' (looked for {path.absolute()}).") from None
    except PermissionError:
        raise InputError(f"'{path}' cannot be read: permission denied. Make it readable for you.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"'{path}' cannot be read: {error}.") from error
    if not start:
        raise InputError(f"'{path}' is empty (0 bytes).")
    if not zipfile.is_zipfile(path):
        if start.startswith(_ZIP):
            raise InputError(
                f"'{path}' is truncated: the end of the archive is missing. Copy it again, or save it again."
            )
        raise InputError(f"'{path}' is no .keras file: expected a zip archive. Save the model: model.save('x.keras').")
    if path.suffix != ".keras":
        raise InputError(f"Expected a file name that ends in .keras, got '{path}'. If it is a Keras model, rename it.")


def _check_archive(path: Path) -> str:
    """Refuse an archive that is incomplete, too large or damaged; return the version of Keras that wrote it."""
    with _damage_told(path), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if _CONFIG not in names or not any(name in names for name in _WEIGHTS):
            missing = _CONFIG if _CONFIG not in names else " or ".join(_WEIGHTS)
            raise InputError(f"'{path}' is a zip archive, but no Keras model: {missing} is missing in it.")
        needed = _COPIES * sum(member.file_size for member in archive.infolist())
        available = psutil.virtual_memory().available
        if needed > available:
            raise InputError(
                f"'{path}' needs about {format_bytes(needed)} of memory to be loaded, but {format_bytes(available)} "
                "are available. Close other programs, or use a machine with more memory."
            )
        bad = archive.testzip()
        if bad is not None:
            raise InputError(f"'{path}' is damaged: {bad} in it does not match its checksum. Copy or save it again.")
        metadata = json.loads(archive.read("metadata.json")) if "metadata.json" in names else {}
        return str(metadata.get("keras_version", "of an unknown version"))


def _config(path: Path) -> Any:
    with _damage_told(path), zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(_CONFIG))


@contextlib.contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    # zipfile, zlib and json have errors of many kinds for bytes that make no sense.
    except Exception as error:
        raise InputError(f"'{path}' is damaged: {in_one_sentence(error)} Copy it again, or save it again.") from error


def _by_name(custom_objects: Sequence[CustomObject]) -> dict[str, Any]:
    objects = [import_object(each) if isinstance(each, str) else each for each in custom_objects]
    return {name: each for each in objects for name in (each.__name__, keras.saving.get_registered_name(each))}


def _check_objects(path: Path, config: Any, admitted: dict[str, Any], written_by: str) -> None:
    """Refuse code in a configuration, and classes and functions that are not known, before Keras sees them."""
    for node, owner in _nodes(config, "the model"):
        kind, module = node["class_name"], str(node.get("module"))
        name = node["config"] if kind == "function" else kind
        _refuse_lambda(path, kind, owner)
        if _is_plain(kind, module) or _is_admitted(node, name, admitted):
            continue
        if module.split(".")[0] != "keras":
            where = "module" if module == "None" else module
            raise InputError(
                f"'{path}' uses {'the function' if kind == 'function' else 'the class'} '{name}' in {owner}, which is "
                f"not Keras's. If you trust it, say where it is: {FLAG} {where}:{name} (this imports the module)."
            )
        if not module.startswith("keras.src") and not hasattr(_keras_module(module), name):
            raise InputError(
                f"'{path}' uses {module}.{name} in {owner}, which Keras {keras.__version__} does not have. The file "
                f"was written by Keras {written_by}: install that version, or one that has it."
            )


def _refuse_lambdas(path: Path, config: Any) -> None:
    for node, owner in _nodes(config, "the model"):
        _refuse_lambda(path, node["class_name"], owner)


def _refuse_lambda(path: Path, kind: str, owner: str) -> None:
    if kind == "__lambda__":
        raise InputError(
            f"'{path}' has code in it: a lambda in {owner}, which could do anything on this machine. Replace it by "
            f"a layer or function of your own and admit that: {FLAG} module:name. (Or, if you trust the file: "
            "keras.models.load_model(..., safe_mode=False) in Python, then kerasunroll.with_unroll.)"
        )


def _is_plain(kind: str, module: str) -> bool:
    """Tell whether an object is a value such as a tensor or a tuple, or one that Keras finds by its mere name."""
    return kind.startswith("__") or module == "builtins"


def _is_admitted(node: dict[str, Any], name: str, admitted: dict[str, Any]) -> bool:
    registered = node.get("registered_name")
    return name in admitted or registered in admitted or keras.saving.get_registered_object(registered) is not None


def _nodes(config: Any, owner: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield every serialised object in a configuration, and in words the layer that it belongs to."""
    if isinstance(config, list):
        for each in config:
            yield from _nodes(each, owner)
    elif isinstance(config, dict):
        inner = config.get("config")
        if isinstance(config.get("class_name"), str) and "config" in config:
            if isinstance(inner, dict) and isinstance(inner.get("name"), str):
                owner = f"{config['class_name']} '{inner['name']}'"
            yield config, owner
        for each in config.values():
            yield from _nodes(each, owner)


def _keras_module(name: str) -> Any:
    module: Any = keras
    for part in name.split(".")[1:]:
        module = getattr(module, part, None)
    return module


@contextlib.contextmanager
def _working_directory_importable() -> Iterator[None]:
    # An installed command does not look there, where `python script.py` beside the model would.
    folder = str(Path.cwd())
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
