"""Names of a package that are imported when they are first used, so that importing the package stays quick."""

from collections.abc import Callable, Collection, Iterable, Mapping
from importlib import import_module
from typing import Any

from kerasunroll.backend import require_backend


def lazy_exports(
    package: str, homes: Mapping[str, str], names: Iterable[str], *, on_tensorflow: Collection[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the functions `__getattr__` and `__dir__` of a package (PEP 562).

    Args:
        package: String. The package's name.
        homes: Mapping from each name that is imported late to the module that has it.
        names: All names of the package.
        on_tensorflow: Those that need Keras on TensorFlow. Where that is not to be had, using one raises a
            `BackendError` before anything is imported. Defaults to none.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        if name in on_tensorflow:
            require_backend(f"{package}.{name}")
        return getattr(import_module(homes[name]), name)

    return get, lambda: sorted(names)
