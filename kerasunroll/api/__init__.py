"""What the commands do, as Python functions: `compare` and `measure`, and the `Comparison` that they return.

`request` checks what was passed and ships it, `running` carries a plan out (the command line uses it as well),
`comparison` is the result, `frame`, `short`, `notebook` and `plots` are how it is shown. Others import the public names
from `kerasunroll`.
"""

from typing import TYPE_CHECKING

from kerasunroll.lazy import lazy_exports

if TYPE_CHECKING:
    from kerasunroll.api.comparison import Comparison
    from kerasunroll.api.deploying import deploy
    from kerasunroll.api.functions import compare, measure
    from kerasunroll.deployment.result import Deployment

__all__ = ["Comparison", "Deployment", "compare", "deploy", "measure"]

_HOMES = {
    "Comparison": "kerasunroll.api.comparison",
    "Deployment": "kerasunroll.deployment.result",
    "compare": "kerasunroll.api.functions",
    "deploy": "kerasunroll.api.deploying",
    "measure": "kerasunroll.api.functions",
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, __all__, on_tensorflow={"compare", "deploy", "measure"})
