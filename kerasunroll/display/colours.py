"""The colours that mean the same in every picture."""

from typing import Final

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Told apart by colour-blind readers too: Okabe & Ito, *Color Universal Design*, 2008."""

MASKED_COLOUR: Final = "#d9d9d9"
"""Time steps that are masked."""

NOT_FINITE_COLOUR: Final = "#e6007e"
"""What is NaN or infinite."""
