"""The usual names of arrays: `x`, `X_train`, `y_test`, `train_labels` and their like."""

import re
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

Part = Literal["train", "validation", "test"]

_INPUTS: Final = frozenset({"x", "data", "inputs", "features", "images", "sequences"})
_TARGETS: Final = frozenset({"y", "labels", "label", "targets", "target"})
_PARTS: Final[dict[str, Part]] = {
    "train": "train",
    "training": "train",
    "tr": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "te": "test",
}
USUAL_NAMES: Final = "x and y, or x_train, y_train and, for validation, x_val and y_val or x_test and y_test"


class Role(NamedTuple):
    """What an array is for."""

    inputs: bool
    part: Part


def role_of(name: str) -> Role | None:
    """Return what an array of that name is for, or `None` if the name does not say.

    Example:
    >>> role_of("X_train"), role_of("val_labels"), role_of("weights")
    (Role(inputs=True, part='train'), Role(inputs=False, part='validation'), None)
    """
    words = [word for word in re.split(r"[\W_]+", name.lower()) if word]
    if len(words) == 1 and (
        glued := re.fullmatch("([xy])(train|val|valid|test)|(train|val|valid|test)([xy])", words[0])
    ):
        words = [group for group in glued.groups() if group]
    kinds = [word in _INPUTS for word in words if word in _INPUTS | _TARGETS]
    parts = [_PARTS[word] for word in words if word in _PARTS]
    if len(kinds) != 1 or len(parts) > 1 or len(kinds) + len(parts) != len(words):
        return None
    return Role(kinds[0], parts[0] if parts else "train")


def roles_of(names: Iterable[str]) -> dict[Role, list[str]]:
    """Return which arrays do what; more than one name for one role is for the caller to refuse."""
    found: dict[Role, list[str]] = {}
    for name in names:
        if role := role_of(name):
            found.setdefault(role, []).append(name)
    return found
