"""Which changes are too much: conditions such as `training_step > 10%`, for a gate in continuous integration."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from kerasunroll.errors import InputError
from kerasunroll.report.diff.changes import FIGURES, Change

_CONDITION: Final = re.compile(r"\s*(\w+)\s*([<>])\s*(\d+(?:\.\d+)?)\s*%\s*")


@dataclass(frozen=True)
class Condition:
    """A change that must not be.

    Args:
        name: String. What is looked at: a key of `FIGURES`.
        sign: `">"` for more than, `"<"` for less.
        share: Float. By how much: 0.1 is 10 %.
    """

    name: str
    sign: Literal["<", ">"]
    share: float

    def __str__(self) -> str:
        return f"{self.name} {self.sign} {100 * self.share:g}%"

    def is_met_by(self, change: Change) -> bool:
        """Return whether a change is so large, by the whole of its interval."""
        if change.name != self.name:
            return False
        return change.ratio.low > 1 + self.share if self.sign == ">" else change.ratio.high < 1 - self.share


def parse_conditions(texts: Iterable[str]) -> list[Condition]:
    """Return conditions from texts such as `"training_step > 10%"`; a text may hold several, with commas.

    Raises:
        InputError: If one is none, or names no figure.
    """
    return [_parse(text) for texts_of_one in texts for text in texts_of_one.split(",")]


def broken(conditions: Sequence[Condition], changes: Iterable[Change]) -> list[tuple[Condition, Change]]:
    """Return each change that a condition forbids, with the condition."""
    return [(condition, change) for change in changes for condition in conditions if condition.is_met_by(change)]


def _parse(text: str) -> Condition:
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise InputError(
            f"Invalid --fail-if: expected a figure, < or >, and percent, such as 'training_step > 10%', got '{text}'."
        )
    if found[1] not in FIGURES:
        raise InputError(f"Invalid --fail-if: expected one of {', '.join(FIGURES)}, got '{found[1]}'.")
    return Condition(found[1], "<" if found[2] == "<" else ">", float(found[3]) / 100)
