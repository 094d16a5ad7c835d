"""Mappings inside pydantic models that nobody can change afterwards."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

Value = TypeVar("Value")


def freeze(value: Any) -> Any:
    """Return `value` with every mapping in it a read-only view and every list a tuple."""
    if isinstance(value, Mapping):
        return MappingProxyType({name: freeze(inner) for name, inner in value.items()})
    if isinstance(value, list | tuple):
        return tuple(freeze(inner) for inner in value)
    return value


def thaw(value: Any) -> Any:
    """Return what `freeze` froze as plain dicts and lists, as pydantic and JSON know them."""
    if isinstance(value, Mapping):
        return {name: thaw(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return [thaw(inner) for inner in value]
    return value


Frozen = Annotated[Mapping[str, Value], BeforeValidator(thaw), AfterValidator(freeze), PlainSerializer(thaw)]
"""`Frozen[float]` is the type of a field that maps strings to floats and is read-only, however deep."""
