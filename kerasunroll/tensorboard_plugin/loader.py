"""What TensorBoard loads when it starts, before anybody looks at the tab: so it imports next to nothing."""

from argparse import Namespace
from typing import Any, Final

from tensorboard.plugins.base_plugin import TBLoader

SAMPLES: Final = 500
"""How many entries of one curve over time TensorBoard keeps; its own default is 10."""


class KerasunrollLoader(TBLoader):
    """Makes the plugin; the entry point `tensorboard_plugins` names it."""

    def fix_flags(self, flags: Namespace) -> None:
        """Have TensorBoard keep more entries, unless the user has said how many with `--samples_per_plugin`."""
        flags.samples_per_plugin = {"kerasunroll": SAMPLES, **(flags.samples_per_plugin or {})}

    def load(self, context: Any) -> Any:
        """Return the plugin."""
        from kerasunroll.tensorboard_plugin.plugin import KerasunrollPlugin

        return KerasunrollPlugin(context)
