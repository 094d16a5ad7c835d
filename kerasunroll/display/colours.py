"""The colours that mean the same in every picture."""

from collections.abc import Iterable
from typing import Final

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Told apart by colour-blind readers too: Okabe & Ito, *Color Universal Design*, 2008."""

COLOUR_OF: Final = {"loop": COLOURS[0], "full": COLOURS[1], "own-loop": COLOURS[2], "own-full": COLOURS[3]}
"""The settings that are compared most have the same colour in every comparison."""

SPARE: Final = ("#6649f5", "#b83737", "#4983f5", "#6b6b6b", "#8c6d31", "#9676d6", "#637939", "#a55194")
"""For the other settings, in the order in which they come. All stand out on white and on near black."""

MASKED_COLOUR: Final = "#d9d9d9"
"""Time steps that are masked."""

NOT_FINITE_COLOUR: Final = "#e6007e"
"""What is NaN or infinite."""


def setting_colours(settings: Iterable[str]) -> dict[str, str]:
    """Return the colour of each setting of a comparison, the same in every picture of it.

    Args:
        settings: The short names of all settings of the comparison, in its order; a name may come more than once.

    Returns:
        Dict from setting to a hexadecimal colour. With more than eight settings that have no colour of their own,
        colours come again.

    Example:
    >>> setting_colours(["loop", "k8", "full"])
    {'loop': '#0072b2', 'k8': '#6649f5', 'full': '#d55e00'}
    """
    names = list(dict.fromkeys(settings))
    others = [name for name in names if name not in COLOUR_OF]
    spare = {name: SPARE[place % len(SPARE)] for place, name in enumerate(others)}
    return {name: COLOUR_OF.get(name) or spare[name] for name in names}
