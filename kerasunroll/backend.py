"""Keras on TensorFlow: what most of kerasunroll needs, and what `pip install kerasunroll` does not bring.

All functions look without importing TensorFlow or Keras, so that a message comes before seconds of imports.
"""

import json
import os
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kerasunroll.errors import BackendError

if TYPE_CHECKING:
    from packaging.specifiers import Specifier

BACKEND: Final = "tensorflow"
INSTALL: Final = "pip install 'kerasunroll[tensorflow]'"
BUILDS: Final = {
    "keras": ("keras", "keras-nightly"),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-rocm", "tf-nightly", "tf-nightly-cpu"),
}
"""Under which names the packages are published."""


def require_backend(what: str) -> None:
    """See that Keras runs on TensorFlow, or will once it is imported.

    Args:
        what: String. What needs it; the message begins with it.

    Raises:
        BackendError: If Keras has another backend, or TensorFlow is not installed, or one of the two is too old.
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
        BackendError: If it is not, or what is installed of it, or of Keras, is too old.
    """
    if not _is_installed("tensorflow"):
        raise BackendError(
            f"{what} needs TensorFlow, which is not installed: {INSTALL}, or install the build that you want, such as "
            "tensorflow-cpu, tensorflow[and-cuda] or tf-nightly."
        )
    for package, bound in _lower_bounds().items():
        found = installed_version(package)
        if found is not None and not bound.contains(found, prereleases=True):
            raise BackendError(
                f"{what} needs {package} {bound.version} or later, but {found} is installed: {INSTALL}, or install a "
                "newer build by hand."
            )


def installed_version(package: str) -> str | None:
    """Return the version of a package, whichever build of it is installed.

    Args:
        package: String, such as `"tensorflow"`, which is also to be had as `tensorflow-cpu`.

    Returns:
        String, or `None` if there is none.
    """
    for build in BUILDS.get(package, (package,)):
        with suppress(PackageNotFoundError):
            return version(build)
    return None


def _lower_bounds() -> "dict[str, Specifier]":
    """Return those of the extra `tensorflow`; pip does not hold an environment with a TensorFlow of its own to them."""
    from packaging.requirements import Requirement

    asked = [Requirement(each) for each in requires("kerasunroll") or ()]
    return {
        each.name: bound
        for each in asked
        if each.name in BUILDS and each.marker is not None and each.marker.evaluate({"extra": "tensorflow"})
        for bound in each.specifier
        if bound.operator == ">="
    }


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
