"""Keras on TensorFlow: what most of kerasunroll needs, and what `pip install kerasunroll` does not bring.

Both functions look without importing TensorFlow or Keras, so that a message comes before seconds of imports.
"""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from kerasunroll.errors import BackendError

BACKEND: Final = "tensorflow"
INSTALL: Final = "pip install 'kerasunroll[tensorflow]'"


def require_backend(what: str) -> None:
    """See that Keras runs on TensorFlow, or will once it is imported.

    Args:
        what: String. What needs it; the message begins with it.

    Raises:
        BackendError: If Keras has another backend, or TensorFlow is not installed.
    """
    backend, reason = _backend()
    if backend != BACKEND:
        raise BackendError(
            f"{what} needs Keras on TensorFlow, but {reason}: run KERAS_BACKEND={BACKEND} kerasunroll ..., or in "
            f'Python set os.environ["KERAS_BACKEND"] = "{BACKEND}" before the first import of keras.'
        )
    require_tensorflow(what)


def require_tensorflow(what: str) -> None:
    """See that TensorFlow is installed, whatever Keras runs on.

    Args:
        what: String. What needs it; the message begins with it.

    Raises:
        BackendError: If it is not.
    """
    if not _is_installed("tensorflow"):
        raise BackendError(
            f"{what} needs TensorFlow, which is not installed: {INSTALL}, or install the build that you want, such as "
            "tensorflow-cpu, tensorflow[and-cuda] or tf-nightly."
        )


def _backend() -> tuple[str, str]:
    """Return Keras's backend, found as Keras itself finds it, and the reason in words."""
    if (keras := sys.modules.get("keras")) is not None:
        backend = str(keras.config.backend())
        return backend, f"keras was imported with the backend {backend}"
    if backend := os.environ.get("KERAS_BACKEND", ""):
        return backend, f"KERAS_BACKEND={backend} is set"
    path = _settings_file()
    try:
        backend = str(json.loads(path.read_text(encoding="utf-8"))["backend"])
    except (OSError, ValueError, KeyError, TypeError):  # none, or one that Keras itself passes over
        return BACKEND, "it is the default"
    return backend, f"'{path}' says {backend}"


def _settings_file() -> Path:
    if home := os.environ.get("KERAS_HOME"):
        return Path(home).expanduser() / "keras.json"
    base = Path("~").expanduser()
    return (base if os.access(base, os.W_OK) else Path("/tmp")) / ".keras" / "keras.json"  # noqa: S108 - as Keras does


def _is_installed(module: str) -> bool:
    if module in sys.modules:
        return sys.modules[module] is not None
    try:
        return find_spec(module) is not None
    except ImportError:
        return False
