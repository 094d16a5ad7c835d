"""What the commands show: text, and how to go on after an interruption."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kerasunroll.errors import KerasunrollError, RunError

if TYPE_CHECKING:
    from rich.console import Console


class InterruptedRunError(KerasunrollError):
    """The user pressed Ctrl-C; the message says what is kept and how to go on."""


def make_console() -> "Console":
    """Return the console that everything is printed on."""
    from rich.console import Console

    # Paths go out as they are: a bracket in one is no markup, and a long one is not cut into lines.
    return Console(highlight=False, markup=False, soft_wrap=True)


@contextmanager
def resumable(go_on: str) -> Iterator[None]:
    """Say how to go on when what is in the block is interrupted, or cannot write what it measured.

    Args:
        go_on: String. What `how_to_go_on` returned.

    Raises:
        InterruptedRunError: After Ctrl-C.
        RunError: Where the block raised one.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedRunError(f"Interrupted. What was measured so far is kept; go on with: {go_on}") from None
    except RunError as error:
        raise RunError(f"{error} What was measured so far is kept; go on with: {go_on}") from error


@contextmanager
def interruptible(folder: Path) -> Iterator[None]:
    """Say what is left when what is in the block is interrupted.

    Raises:
        InterruptedRunError: After Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedRunError(f"Interrupted. What was logged so far is in {folder}") from None


def how_to_go_on(command: str, folder: Path, options: Sequence[str] = ()) -> str:
    """Return the command line that measures what is still missing in a folder, with some options."""
    return shlex.join(["kerasunroll", command, "--resume", str(folder), *options])
