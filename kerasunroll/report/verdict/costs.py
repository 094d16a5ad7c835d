"""What a setting costs once and with every training step, and when a longer compile has paid for itself.

With two settings a and b, the time over N training steps is `ready + N × step`, where *ready* is the time until the
first training step (build, trace and compile). a takes less than b from the break-even on:

    N = (ready_a - ready_b) / (step_b × (1 - ratio)),    ratio = step_a / step_b

Its interval covers the uncertainty of both: of the ratio, from the interleaved rounds, and of the difference in the
numerator, from several processes. It holds every N at which nobody can tell which of the two has taken less (E. C.
Fieller, *Some problems in interval estimation*, JRSS B 16, 1954).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from kerasunroll.measurement.statistics.intervals import Interval, difference_interval
from kerasunroll.measurement.statistics.rounds import TimeRatio
from kerasunroll.report.rows import FORWARD, PREDICT, READY, READY_PARTS, STEP, Row

_WIDEST: Final = 100.0  # in logarithms: beyond, there is no limit
_LEAST_BYTES: Final = 10_000_000
_LEAST_SHARE: Final = 0.1

Timed = Literal["step_seconds", "forward_seconds", "predict_seconds"]


_BASELINE: Final = Interval(1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Cost:
    """What one setting costs.

    Args:
        setting: String.
        ready_seconds: Float or `None`. Build, trace and compile: the time until the first training step.
        step_seconds: Float or `None`. A training step, or in inference a batch: the baseline's, times the ratio.
        ratio: `Interval` or `None`. That time over the baseline's; 1 for the baseline, `None` where they were not
            timed in turns.
        process_growth_bytes: Float or `None`. What the process took beyond its start.
        process_peak_bytes: Float or `None`. What the process took in all.
        tensor_peak_bytes: Float or `None`. What its tensors took in all. On a GPU, that is another memory.
        at_most: Boolean. Whether `ready_seconds` is more than what is asked for: in inference, where only the training
            step's trace and compile were timed.
        ready_each: Tuple of floats. `ready_seconds` of each process, of which it is the mean.
    """

    setting: str
    ready_seconds: float | None
    step_seconds: float | None
    ratio: Interval | None
    process_growth_bytes: float | None
    process_peak_bytes: float | None
    tensor_peak_bytes: float | None
    at_most: bool = False
    ready_each: tuple[float, ...] = ()


def costs(rows: Sequence[Row], *, inference: bool = False) -> tuple[Cost, ...]:
    """Return what each setting of a group costs, in the order of the rows.

    Args:
        rows: The rows of one group.
        inference: Boolean. Whether forward passes are counted instead of training steps. Defaults to `False`.
    """
    figure = timed_figure(rows, inference=inference)
    names = {row.baseline for row in rows if row.baseline} or {rows[0].setting}
    baseline = next((row for row in rows if row.setting in names and row.baseline is None), None)
    return tuple(_cost(row, baseline, figure, inference=inference) for row in rows)


def timed_figure(rows: Sequence[Row], *, inference: bool = False) -> Timed:
    """Return which figure is compared: training steps; in inference forward passes, or else `predict`."""
    if not inference:
        return STEP
    return FORWARD if any(FORWARD in row.figures for row in rows) else PREDICT


def ready_seconds(row: Row) -> float | None:
    """Return the time until the first training step in seconds; `None` if a part of it was not measured."""
    parts = [row.figures.get(part) for part in READY_PARTS]
    return None if None in parts else sum(part for part in parts if part is not None)


def time_ratio(a: Cost, b: Cost) -> Interval | None:
    """Return the time of a over that of b; `None` if one of them was not timed in turns with the baseline.

    If both were compared with the baseline, their intervals add up as if they were independent. They are not: both hold
    the scatter of the baseline, which cancels. So the interval is rather too wide than too narrow.
    """
    if a.ratio is None or b.ratio is None:
        return None
    value = a.ratio.value / b.ratio.value
    if a is b:
        return Interval(value, value, value)
    width = math.hypot(_half_width(a.ratio), _half_width(b.ratio))
    if width > _WIDEST:
        return Interval(value, 0.0, math.inf)
    return Interval(value, value * math.exp(-width), value * math.exp(width))


def extra_ready(a: Cost, b: Cost) -> Interval | None:
    """Return how much longer a takes than b until the first training step, in seconds; `None` if not measured."""
    if a.ready_seconds is None or b.ready_seconds is None:
        return None
    extra = difference_interval(a.ready_each or (a.ready_seconds,), b.ready_each or (b.ready_seconds,))
    if a.at_most or b.at_most:  # somewhere between nothing and this
        return Interval(extra.value, min(0.0, extra.low), max(0.0, extra.high))
    return extra


def extra_step(a: Cost, b: Cost) -> Interval | None:
    """Return how much longer a takes than b for each training step, in seconds; `None` if they cannot be compared."""
    ratio = time_ratio(a, b)
    if ratio is None or not a.step_seconds or not b.step_seconds:
        return None
    if a.ratio == _BASELINE != b.ratio:  # the intervals are those of the others' times, the baseline's being what it is
        other = extra_step(b, a)
        return Interval(-other.value, -other.high, -other.low) if other else None
    return Interval(*(b.step_seconds * (end - 1) for end in (ratio.value, ratio.low, ratio.high)))


def break_even(a: Cost, b: Cost) -> Interval | None:
    """Return after how many training steps a has taken less time than b.

    Args:
        a: `Cost` of the setting that takes longer until the first training step.
        b: `Cost` of the other.

    Returns:
        `Interval` in training steps, 0 where a is ahead from the start; `None` for never: a is not faster, or not by
        more than can be measured, or was not measured.

    Example:
    >>> break_even(full, loop)  # doctest: +SKIP
    Interval(value=411.3, low=380.2, high=447.9)
    """
    each, extra = extra_step(a, b), extra_ready(a, b)
    if each is None or extra is None or each.high >= 0:
        return None
    gain = -each.value
    return Interval(
        max(0.0, extra.value) / gain,
        _crossings(extra.value, gain, extra.value - extra.low, each.value - each.low)[0] if extra.low > 0 else 0.0,
        _crossings(extra.value, gain, extra.high - extra.value, each.high - each.value)[1] if extra.high > 0 else 0.0,
    )


def _crossings(extra: float, gain: float, extra_margin: float, gain_margin: float) -> tuple[float, float]:
    """Return the two N at which `extra - N × gain` is as large as its margin, `hypot(extra_margin, N × gain_margin)`.

    Squared, that is a quadratic equation, solved such that nothing cancels. `gain_margin` is less than `gain` where the
    second one is asked for.
    """
    a, c = gain**2 - gain_margin**2, extra**2 - extra_margin**2
    q = extra * gain + math.sqrt(max(0.0, (extra * gain) ** 2 - a * c))
    return c / q if q else 0.0, q / a if a else math.inf


def takes_less(a: Cost, b: Cost, training_steps: int | None) -> bool:
    """Tell whether a takes less time than b over so many training steps, by the whole of the interval.

    Args:
        a: `Cost`.
        b: `Cost`.
        training_steps: Integer; `None` for so many that the time until the first one does not count.
    """
    each, extra = extra_step(a, b), extra_ready(a, b)
    if each is None:
        return False
    if training_steps is None or extra is None:
        return each.high < 0
    margin = math.hypot(extra.high - extra.value, training_steps * (each.high - each.value))
    return extra.value + training_steps * each.value + margin < 0


def total_seconds(cost: Cost, training_steps: int) -> float | None:
    """Return the time over so many training steps, with what comes before the first; `None` if not measured."""
    if cost.ready_seconds is None or cost.step_seconds is None:
        return None
    return cost.ready_seconds + training_steps * cost.step_seconds


def extra_bytes(a: Cost, b: Cost) -> float | None:
    """Return how much more memory a takes than b: of the process, or, if that is not known, of the tensors.

    Returns:
        Bytes; 0 if the difference is below 10 MB or a tenth of what b takes, which processes differ by anyway; `None`
        if it was not measured.
    """
    for ours, theirs in (
        (a.process_growth_bytes, b.process_growth_bytes),
        (a.tensor_peak_bytes, b.tensor_peak_bytes),
    ):
        if ours is not None and theirs is not None:
            extra = ours - theirs
            return extra if abs(extra) > max(_LEAST_BYTES, _LEAST_SHARE * theirs) else 0.0
    return None


def _cost(row: Row, baseline: Row | None, figure: Timed, *, inference: bool) -> Cost:
    ratio = _BASELINE if row is baseline else _interval(row.comparisons.get(figure))
    if figure not in row.figures:
        ratio = None
    theirs = baseline.figures.get(figure) if baseline else None
    return Cost(
        setting=row.setting,
        ready_seconds=ready_seconds(row),
        ready_each=row.each_process.get(READY, ()),
        # Not its own: the baseline's and its own were taken while the machine changed its speed.
        step_seconds=theirs * ratio.value if ratio and theirs is not None else row.figures.get(figure),
        ratio=ratio,
        process_growth_bytes=row.figures.get("process_growth_bytes"),
        process_peak_bytes=row.figures.get("process_peak_bytes"),
        tensor_peak_bytes=row.figures.get("tensor_inference_peak_bytes" if inference else "tensor_peak_bytes"),
        at_most=inference,
    )


def _interval(comparison: TimeRatio | None) -> Interval | None:
    return Interval(comparison.ratio, comparison.low, comparison.high) if comparison else None


def _half_width(ratio: Interval) -> float:
    """Return the half-width in logarithms."""
    if ratio.low <= 0 or not math.isfinite(ratio.high):
        return math.inf
    return math.log(ratio.high / ratio.low) / 2
