"""Where kerasunroll keeps what it has found out, or converted, for the next time."""

import os
from pathlib import Path
from typing import Final

CACHE_VARIABLE: Final = "KERASUNROLL_CACHE"
"""The environment variable that names the folder."""


def cache_folder() -> Path:
    """Return the folder: that of `KERASUNROLL_CACHE`, else `~/.cache/kerasunroll` (`XDG_CACHE_HOME` is respected)."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get(CACHE_VARIABLE) or home / "kerasunroll")
