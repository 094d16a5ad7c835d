"""Whether a notebook looks on, and showing it a picture that `pyplot` does not know of."""

import io
import sys
from typing import Any

from matplotlib.figure import Figure


def in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook."""
    shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell is not None and "IPKernelApp" in shell.config


def show_in_notebook(figure: Figure) -> None:
    """Show a figure below the cell of a notebook; elsewhere, nothing is shown."""
    if in_notebook():
        from IPython import display

        file = io.BytesIO()
        figure.savefig(file, format="png")
        display.display(display.Image(file.getvalue()))
