"""Folders for results: each run has one of its own, and none is ever written over."""

from itertools import count
from pathlib import Path

from kerasunroll.errors import InputError


def claim(folder: Path) -> Path:
    """Make `folder`, or where it exists already `folder-2`, `folder-3`, and so on; return the one that was made.

    Two processes that claim the same folder at once get different ones.

    Raises:
        InputError: If no folder can be made there.
    """
    for number in count(1):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        try:
            candidate.mkdir(parents=True)
        except FileExistsError:
            if candidate.parent.is_dir():
                continue
            raise InputError(f"Cannot make folder '{folder}': '{candidate.parent}' is a file.") from None
        except OSError as error:
            raise InputError(f"Cannot make folder '{folder}': {error.strerror}. Choose another folder.") from error
        return candidate
    raise AssertionError("count never ends")
