"""Models in HDF5 files, the format of Keras 2: converted to a `.keras` file on their way in. Nothing in them is run."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from kerasunroll.cache import cache_folder
from kerasunroll.errors import InputError

HDF5: Final = b"\x89HDF\r\n\x1a\n"
"""How an HDF5 file begins."""

_CONFIGS: Final = ("model_config", "training_config")
_DROPPED: Final = {"time_major": False}
"""Arguments of Keras 2's recurrent layers that Keras 3 does not know, with the only value that means nothing."""

_FULL_NAMES: Final = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
}
"""Keras 3 does not find losses and metrics of an HDF5 file by their short names (Keras 3.15)."""

Load = Callable[[Path], Any]
Save = Callable[[Any, Path], None]


def is_hdf5(path: Path) -> bool:
    """Tell whether a file is an HDF5 file, whatever its name is; no, if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(HDF5)) == HDF5
    except OSError:
        return False


def converted(path: Path, load: Load, save: Save, check: Callable[[Any], None]) -> Path:
    """Return a `.keras` file of the model in an HDF5 file; it lies in the cache, and is made once.

    Args:
        path: Path of the HDF5 file.
        load: Returns the model of an HDF5 file whose name ends in `.h5`, in Keras's safe mode.
        save: Writes a model to a `.keras` file.
        check: Refuses a configuration with code or unknown classes in it.

    Raises:
        InputError: If the file is damaged, holds weights alone, or has code in it.
    """
    with path.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    target = cache_folder() / "converted" / checksum[:16] / f"{path.stem}.keras"
    if not target.exists():
        with tempfile.TemporaryDirectory(prefix="kerasunroll-") as scratch:
            copy = Path(scratch) / "model.h5"
            shutil.copyfile(path, copy)
            _prepare(path, copy, check)
            save(load(copy), target)
    return target


def _prepare(path: Path, copy: Path, check: Callable[[Any], None]) -> None:
    """Check the configurations in a file, and take out of them what Keras 3 would stumble over."""
    import h5py

    try:
        with h5py.File(copy, "r+") as file:
            configs = {name: json.loads(file.attrs[name]) for name in _CONFIGS if name in file.attrs}
            if "model_config" not in configs:
                raise InputError(
                    f"'{path}' holds weights and no model. Build the model in Python, load them with "
                    "model.load_weights(...), and save all of it: model.save('x.keras')."
                )
            for name, config in configs.items():
                _refuse_code(path, config)
                check(config)
                file.attrs[name] = json.dumps(_understood(config))
    except (OSError, KeyError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"'{path}' is damaged: {error}. Copy it again, or save it again.") from error


def _refuse_code(path: Path, config: Any) -> None:
    if isinstance(config, list):
        for each in config:
            _refuse_code(path, each)
    elif isinstance(config, dict):
        if config.get("class_name") == "Lambda":
            raise InputError(
                f"'{path}' has code in it: a Lambda layer, which could do anything on this machine. If you trust the "
                "file, load it in Python (keras.models.load_model), replace that layer and save: model.save('x.keras')."
            )
        for each in config.values():
            _refuse_code(path, each)


def _understood(config: Any) -> Any:
    """Return a configuration as Keras 3 understands it."""
    if isinstance(config, list):
        return [_understood(each) for each in config]
    if isinstance(config, str):
        return _FULL_NAMES.get(config.lower(), config)
    if not isinstance(config, dict):
        return config
    return {
        name: value if name == "name" else _understood(value)
        for name, value in config.items()
        if not (name in _DROPPED and value == _DROPPED[name])
    }
