"""What goes with `resume=`: an earlier run has its own model, data and settings."""

from collections.abc import Callable, Collection, Mapping
from inspect import signature
from typing import Any

from kerasunroll.errors import InputError


def refuse_beside_resume(function: Callable[..., Any], passed: Mapping[str, Any], allowed: Collection[str]) -> None:
    """Refuse what was passed beside `resume` and would change what is measured.

    Args:
        function: `compare` or the like.
        passed: Mapping from its arguments to what was passed.
        allowed: Strings. The arguments that may be given.

    Raises:
        InputError: If another one was.
    """
    for name, parameter in signature(function).parameters.items():
        value = passed[name]
        if name not in allowed and value is not parameter.default and not _equal(value, parameter.default):
            raise InputError(
                f"resume= goes on with the model, the data and the settings of the earlier run, so that {name}= cannot "
                "be given with it. Leave these out."
            )


def _equal(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)
