"""A progress bar, in a terminal and in a notebook."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from kerasunroll.display.kernel import in_notebook

if TYPE_CHECKING:
    from kerasunroll.measurement.progress import OnProgress, Progress

_FORMAT: Final = "{percentage:3.0f}%|{bar:30}| {elapsed} < {remaining}  {desc}"


@contextmanager
def progress_bar(*, shown: bool = True) -> Iterator["OnProgress"]:
    """Show a progress bar with the time left, and yield the function that moves it on.

    Nothing is shown where neither a terminal nor a notebook looks on.

    Args:
        shown: Boolean. Whether it is wanted. Defaults to `True`.
    """
    from tqdm.auto import tqdm

    looked_at = sys.stderr.isatty() or in_notebook()
    with tqdm(total=1.0, bar_format=_FORMAT, leave=False, disable=not (shown and looked_at)) as bar:

        def move(progress: "Progress") -> None:
            bar.set_description_str(progress.doing, refresh=False)
            bar.n = max(bar.n, min(1.0, progress.done))
            bar.refresh()

        yield move


@contextmanager
def beside_the_bar() -> Iterator[None]:
    """Let lines be printed while a progress bar is shown."""
    from tqdm import tqdm

    with tqdm.external_write_mode(file=sys.stdout):
        yield
