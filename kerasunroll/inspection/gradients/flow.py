"""What the norms of the gradients through time say: vanishing, exploding, or neither. Loads without TensorFlow."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kerasunroll.errors import InputError

if TYPE_CHECKING:
    from kerasunroll.inspection.gradients.norms import Array, GradientsThroughTime, LayerGradients, NormsOverTime

_FIT_IS_POOR = 0.8
_VANISHED_BELOW = 1e-6
_EXPLODED_ABOVE = 1e3


@dataclass(frozen=True)
class LayerFlow:
    """How far the gradient reaches on its way back through one recurrent layer.

    "Last" is meant in the order of processing: the time step from which the way back begins. That is t = T-1, or t = 0
    for a layer that goes backwards. If the loss does not depend on the last time steps, so that their gradient is 0, it
    is the last one with a gradient. The time steps from there back to the first are counted, without those at which all
    samples are masked.

    Args:
        layer: String. The layer's name.
        go_backwards: Boolean. Whether the layer processes time steps from the last to the first.
        time_steps: Integer. How many time steps count; 0 when no gradient arrives at all.
        last: Integer or `None`. The time step from which the way back begins; `None` when no gradient arrives.
        early_to_late: Float. Mean norm over the first tenth of the time steps (at least one), divided by that over the
            last tenth; NaN when unknown.
        vanished: Integer. Time steps whose norm is below `vanished_below` times the last one's.
        exploded: Integer. Time steps whose norm is above `exploded_above` times the last one's.
        vanished_below: Float. The threshold for `vanished`.
        exploded_above: Float. The threshold for `exploded`.
        doublings_per_time_step: Float. The slope of a straight line fitted to log2(norm) over the number of time steps
            gone back; least squares over the time steps with a finite norm above 0. Negative: it shrinks on its way
            back. NaN with fewer than two such time steps.
        r_squared: Float. The share of the variance of log2(norm) that the line explains; NaN when unknown.
        nan: Tuple of the time steps at which a gradient (dL/dx_t or of any state) is NaN.
        inf: Tuple of the time steps at which a gradient is infinite.
    """

    layer: str
    go_backwards: bool
    time_steps: int
    last: int | None
    early_to_late: float
    vanished: int
    exploded: int
    vanished_below: float
    exploded_above: float
    doublings_per_time_step: float
    r_squared: float
    nan: tuple[int, ...]
    inf: tuple[int, ...]

    @property
    def half_life(self) -> float:
        """Time steps in which the gradient halves on its way back; infinite when it does not shrink."""
        slope = self.doublings_per_time_step
        return math.inf if slope >= 0 else -1.0 / slope

    @property
    def doubling_time(self) -> float:
        """Time steps in which the gradient doubles on its way back; infinite when it does not grow."""
        slope = self.doublings_per_time_step
        return math.inf if slope <= 0 else 1.0 / slope

    @property
    def vanished_share(self) -> float:
        """The share of the time steps that have `vanished`, 0 to 1; NaN when no gradient arrives."""
        return self.vanished / self.time_steps if self.time_steps else math.nan

    @property
    def exploded_share(self) -> float:
        """The share of the time steps that have `exploded`, 0 to 1; NaN when no gradient arrives."""
        return self.exploded / self.time_steps if self.time_steps else math.nan

    def describe(self) -> str:
        """Return one sentence.

        Example:
        >>> flow.describe()
        'lstm_2: gradient halves every 6.3 time steps; 41 of 64 time steps receive less than 1e-06 of the last'
        """
        parts = [self._trend()] if self.time_steps else []
        if not self.time_steps and not (self.nan or self.inf):
            parts.append("no gradient arrives: it is exactly 0 at every time step")
        last = f"the last processed (t = {self.last})" if self.go_backwards else "the last"
        of_all = f"of {self.time_steps} time steps receive"
        if self.vanished:
            parts.append(f"{self.vanished} {of_all} less than {self.vanished_below:g} of {last}")
        if self.exploded:
            parts.append(f"{self.exploded} {of_all} more than {self.exploded_above:g} times {last}")
        parts += [f"NaN at {_spans(self.nan)}"] if self.nan else []
        parts += [f"infinite at {_spans(self.inf)}"] if self.inf else []
        return f"{self.layer}: " + "; ".join(parts)

    def _trend(self) -> str:
        slope = self.doublings_per_time_step
        if math.isnan(slope):
            return "gradient arrives at too few time steps for a trend"
        poor = f" (a rough fit, R² {self.r_squared:.2f})" if self.r_squared < _FIT_IS_POOR else ""
        if abs(slope) * (self.time_steps - 1) < 1:
            return f"gradient neither halves nor doubles over {self.time_steps} time steps"
        if slope < 0:
            return f"gradient halves every {self.half_life:.1f} time steps{poor}"
        return f"gradient doubles every {self.doubling_time:.1f} time steps on its way back{poor}"


@dataclass(frozen=True)
class GradientFlow:
    """How far the gradient reaches on its way back through each recurrent layer of a model.

    Args:
        layers: Tuple of `LayerFlow`, in the order in which the layers ran.
        without_gradient: Tuple of the names of recurrent layers that the loss does not depend on.
    """

    layers: tuple[LayerFlow, ...]
    without_gradient: tuple[str, ...] = ()

    def __getitem__(self, layer: str) -> LayerFlow:
        """Return the entry of the layer of that name."""
        for entry in self.layers:
            if entry.layer == layer:
                return entry
        names = ", ".join(f"'{entry.layer}'" for entry in self.layers)
        raise InputError(f"No recurrent layer '{layer}' with a gradient: expected one of {names}.")

    def describe(self) -> str:
        """Return one line per layer."""
        lines = [layer.describe() for layer in self.layers]
        lines += [f"{name}: the loss does not depend on this layer" for name in self.without_gradient]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.describe()


def gradient_flow_summary(
    result: "GradientsThroughTime",
    *,
    quantity: str = "h",
    vanished_below: float = _VANISHED_BELOW,
    exploded_above: float = _EXPLODED_ABOVE,
) -> GradientFlow:
    """Sum up the gradients through time of each recurrent layer.

    It sums up the norm averaged over the batch, `NormsOverTime.mean`.

    A layer that returns sequences receives gradient from above at every time step, not only at the last. So a gradient
    that grows on the way back need not explode: the backward half of a `Bidirectional` below another layer receives
    most where the sequence ends, which is where its own way back ends, and next to nothing at t = 0, where it begins.

    Args:
        result: What `gradients_through_time` returned.
        quantity: String. `"h"`, dL/dh_t (for cells that are not Keras's, their first state); `"x"`, dL/dx_t; or another
            state's name, as `"c"`: then layers without it are left out. Defaults to `"h"`.
        vanished_below: Float. A time step whose norm is below this times the last one's counts as vanished. Defaults to
            1e-6.
        exploded_above: Float. A time step whose norm is above this times the last one's counts as exploded. Defaults to
            1e3.

    Returns:
        A `GradientFlow`; `str()` of it is one line per layer.

    Raises:
        InputError: If no layer has the quantity, or if the thresholds are not 0 < `vanished_below` < `exploded_above`.

    Example:
    >>> print(gradient_flow_summary(gradients_through_time(model, x, y)))
    lstm_1: gradient halves every 6.3 time steps; 41 of 64 time steps receive less than 1e-06 of the last
    """
    if not 0 < vanished_below < exploded_above:
        raise InputError(
            f"Expected 0 < vanished_below < exploded_above, got vanished_below={vanished_below} and "
            f"exploded_above={exploded_above}."
        )
    found = [(layer, norms) for layer in result.layers if (norms := _norms_of(layer, quantity)) is not None]
    if not found:
        known = sorted({name for layer in result.layers for name in ("h", "x", *layer.states)})
        raise InputError(f"No layer has the quantity '{quantity}': expected one of {', '.join(known)}.")
    return GradientFlow(
        layers=tuple(layer_flow(layer, norms.mean, vanished_below, exploded_above) for layer, norms in found),
        without_gradient=result.without_gradient,
    )


def _norms_of(layer: "LayerGradients", quantity: str) -> "NormsOverTime | None":
    if quantity == "h":
        return layer.main
    return layer.x if quantity == "x" else layer.states.get(quantity)


def layer_flow(
    layer: "LayerGradients",
    norms: "Array",
    vanished_below: float = _VANISHED_BELOW,
    exploded_above: float = _EXPLODED_ABOVE,
) -> LayerFlow:
    """Sum up `norms`, (T,), of one layer, as `gradient_flow_summary` does."""
    time_steps, counted = _counted(norms, layer.masked, go_backwards=layer.go_backwards)
    last = int(counted[-1]) if counted.size else None
    relative = norms[counted] / norms[last] if last is not None else norms[counted]
    slope, r_squared = _fit(norms[counted], np.abs(counted - last) if last is not None else counted)
    every = np.stack([layer.x.mean, *(state.mean for state in layer.states.values())])[:, time_steps]
    return LayerFlow(
        layer=layer.layer,
        go_backwards=layer.go_backwards,
        time_steps=counted.size,
        last=last,
        early_to_late=_early_to_late(norms[counted]),
        vanished=int((relative < vanished_below).sum()),
        exploded=int((relative > exploded_above).sum()),
        vanished_below=vanished_below,
        exploded_above=exploded_above,
        doublings_per_time_step=slope,
        r_squared=r_squared,
        nan=_sorted(time_steps[np.isnan(every).any(axis=0)]),
        inf=_sorted(time_steps[np.isinf(every).any(axis=0)]),
    )


def vanishing_point(norms: "Array", masked: "Array", *, go_backwards: bool = False) -> int | None:
    """Return the first time step on the way back whose norm is below 1e-6 of the last one's; `None` if there is none.

    Args:
        norms: Array (T,). The norms of one layer.
        masked: Array (T,). The share of samples that are masked.
        go_backwards: Boolean. Whether the layer processes time steps from the last to the first. Defaults to `False`.
    """
    _, counted = _counted(norms, masked, go_backwards=go_backwards)
    if not counted.size:
        return None
    way_back = counted[::-1]
    below = np.flatnonzero(norms[way_back] < _VANISHED_BELOW * norms[way_back[0]])
    return int(way_back[below[0]]) if below.size else None


def _counted(norms: "Array", masked: "Array", *, go_backwards: bool) -> tuple["Array", "Array"]:
    """Return the time steps in the order of processing, and those that count: up to the last with a gradient."""
    time_steps = np.flatnonzero(masked < 1)
    if go_backwards:
        time_steps = time_steps[::-1]
    arriving = np.flatnonzero(np.isfinite(norms[time_steps]) & (norms[time_steps] > 0))
    return time_steps, time_steps[: arriving[-1] + 1] if arriving.size else time_steps[:0]


def _early_to_late(norms: "Array") -> float:
    if not norms.size:
        return math.nan
    tenth = max(1, norms.size // 10)
    return float(norms[:tenth].mean() / norms[-tenth:].mean())


def _fit(norms: "Array", gone_back: "Array") -> tuple[float, float]:
    """Return slope and R² of the line through log2(norms)."""
    fittable = np.isfinite(norms) & (norms > 0)
    if fittable.sum() < 2:
        return math.nan, math.nan
    distance, logarithm = gone_back[fittable], np.log2(norms[fittable])
    distance, logarithm = distance - distance.mean(), logarithm - logarithm.mean()
    slope = (distance @ logarithm) / (distance @ distance)
    total = logarithm @ logarithm
    unexplained = ((logarithm - slope * distance) ** 2).sum()
    return float(slope), float(1 - unexplained / total) if total > 0 else 1.0


def _sorted(time_steps: "Array") -> tuple[int, ...]:
    return tuple(sorted(int(t) for t in time_steps))


def _spans(time_steps: tuple[int, ...]) -> str:
    """Return e.g. `time steps 0-3, 7`."""
    spans: list[list[int]] = []
    for t in time_steps:
        if spans and spans[-1][-1] == t - 1:
            spans[-1][1:] = [t]
        else:
            spans.append([t])
    words = ", ".join("-".join(str(t) for t in span) for span in spans)
    return f"time step{'s' if len(time_steps) > 1 else ''} {words}"
