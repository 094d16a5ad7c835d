"""Where values over time first become NaN or infinite."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from kerasunroll.inspection.over_time.quantities import quantity_name

_CALLED: Final = {"x": "input x", "h": "state h", "c": "state c"}


@dataclass(frozen=True)
class NotFinite:
    """Where a model first becomes NaN or infinite; `str()` of it says so.

    Args:
        layer: String. The layer's name.
        time_step: Integer. The time step t, in sequence order.
        what: String. What is not finite there: `x` (what the layer receives), a state (`h`, `c`, ...) or a gate
            (`forget_gate`, ...). If several are not finite, it is the one that the others are computed from.
        kind: String: `"NaN"` or `"Inf"`.
        sample: Integer or `None`. The first sample of the batch with it; `None` if samples were not kept.
        gradient: Boolean. Whether it is the gradient with respect to `what`. Defaults to `False`.

    Example:
    >>> str(NotFinite("lstm_2", 17, "forget_gate", "NaN", sample=3))
    'NaN first in lstm_2, time step 17, forget gate (sample 3)'
    """

    layer: str
    time_step: int
    what: str
    kind: Literal["NaN", "Inf"]
    sample: int | None = None
    gradient: bool = False

    def __str__(self) -> str:
        name = _CALLED.get(self.what, quantity_name(self.what))
        what = f"gradient with respect to {name}" if self.gradient else name
        sample = "" if self.sample is None else f" (sample {self.sample})"
        return f"{self.kind} first in {self.layer}, time step {self.time_step}, {what}{sample}"


def first_not_finite(
    layer: str,
    values: Mapping[str, npt.NDArray[Any]],
    unmasked: npt.NDArray[np.bool_],
    time_steps: Iterable[int],
    *,
    gradient: bool = False,
) -> NotFinite | None:
    """Return the first value of a layer that is not finite, or `None` where all are.

    Args:
        layer: String. The layer's name.
        values: Mapping from quantity to an array (B, T, ...), in the order in which they are computed at a time step.
        unmasked: Boolean array (B, T): where it is `False`, nothing is looked at.
        time_steps: The time steps in the order in which they are computed.
        gradient: Boolean. Whether the values are gradients. Defaults to `False`.
    """
    broken = {what: _broken(array) & unmasked for what, array in values.items()}
    some = np.logical_or.reduce([each.any(axis=0) for each in broken.values()])
    for t in time_steps:
        if some[t]:
            what = next(what for what, each in broken.items() if each[:, t].any())
            sample = int(np.argmax(broken[what][:, t]))
            kind: Literal["NaN", "Inf"] = "NaN" if np.isnan(values[what][sample, t]).any() else "Inf"
            return NotFinite(layer, int(t), what, kind, sample, gradient)
    return None


def _broken(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    broken: npt.NDArray[np.bool_] = ~np.isfinite(values).reshape(*values.shape[:2], -1).all(axis=2)
    return broken
