"""Which setting to take, from intervals only. No TensorFlow.

A setting is a candidate if it was timed to its end, computes the same as the baseline, can be trained, and fits into
the memory. A candidate is ruled out if another one takes less time over the whole training, by the whole of an
interval. The rest cannot be told apart: of these the verdict takes the one that compiles soonest, then the one that
takes the least memory, then the baseline.

A long module: every rule that takes or rules out a setting stands here, so that you can read them together.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import Any, Final

from kerasunroll.inspection.model_parity.differences import rounding
from kerasunroll.measurement.planning.variant import LOOP
from kerasunroll.measurement.records.record import Outcome
from kerasunroll.report.rows import STEP, Row
from kerasunroll.report.verdict.costs import (
    Cost,
    break_even,
    costs,
    extra_bytes,
    extra_ready,
    takes_less,
    time_ratio,
    timed_figure,
    total_seconds,
)
from kerasunroll.training.threads import split_name, threads_in_words
from kerasunroll.units import format_bytes

EPS: Final[Mapping[str, float]] = {"float32": 2.0**-23, "float64": 2.0**-52}
"""The distance of 1 to the next number. With fewer digits, rounding explains any difference: nothing is proven."""

DIFFERENCE: Final = "largest_difference_before"
ENDINGS: Final[Mapping[str, str]] = {
    Outcome.TIMEOUT: "took too long",
    Outcome.OUT_OF_MEMORY: "ran out of memory",
    Outcome.CRASHED: "crashed",
    Outcome.FAILED: "failed",
    Outcome.DIVERGED: "diverged",
}
"""What is said of a measurement that ended so. (One that was interrupted has not ended.)"""

_LONGEST_CAUSE: Final = 160


@dataclass(frozen=True)
class Constraints:
    """What the setting is for.

    Args:
        memory_limit: Integer or `None`. The bytes that a process may take in all, including TensorFlow itself.
        training_steps: Integer or `None`. How many there will be (in inference: batches); `None` for so many that the
            time until the first one does not matter.
        inference: Boolean. Whether the network is only applied, and not trained. Defaults to `False`.
    """

    memory_limit: int | None = None
    training_steps: int | None = None
    inference: bool = False


@dataclass(frozen=True)
class Verdict:
    """Which setting of a group to take; `kerasunroll.report.verdict.text` puts it into words.

    Args:
        group: String.
        take: String or `None`. The setting to take; `None` if none can be recommended.
        baseline: String. The setting that the others are compared with.
        tie: Boolean. Whether no setting is faster or slower than the one to take.
        costs: Tuple of `Cost`, one per setting, the baseline first.
        out: Dict from setting to the reason why it is ruled out.
        unfinished: Dict from setting to what was not measured to its end.
        undecided: Tuple of strings: what could not be decided.
        differences: Dict from setting to the largest difference of its outputs from the baseline's.
        tolerance: Float or `None`. The difference that rounding explains; `None` where that cannot be told.
        cares: Dict from a reason to trust the times less, to the settings concerned and what to do.
        constraints: `Constraints`.
    """

    group: str
    take: str | None
    baseline: str
    tie: bool
    costs: tuple[Cost, ...]
    out: Mapping[str, str] = field(default_factory=dict)
    unfinished: Mapping[str, str] = field(default_factory=dict)
    undecided: tuple[str, ...] = ()
    differences: Mapping[str, float] = field(default_factory=dict)
    tolerance: float | None = None
    cares: Mapping[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    constraints: Constraints = field(default_factory=Constraints)

    def cost(self, setting: str) -> Cost:
        """Return what a setting costs."""
        return next(cost for cost in self.costs if cost.setting == setting)

    @property
    def candidates(self) -> tuple[Cost, ...]:
        """The costs of the settings that can be taken."""
        return tuple(_comparable(self.costs, self.out, self.unfinished))

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as JSON values."""
        return {
            "group": self.group,
            "take": self.take,
            "tie": self.tie,
            "constraints": asdict(self.constraints),
            "settings": [self._setting_json(cost) for cost in self.costs],
            "undecided": self.undecided,
            "tolerance": self.tolerance,
        }

    def _setting_json(self, cost: Cost) -> dict[str, Any]:
        baseline = self.cost(self.baseline)
        extra, even = extra_ready(cost, baseline), break_even(cost, baseline)
        steps = self.constraints.training_steps
        return {
            "setting": cost.setting,
            "out": self.out.get(cost.setting) or self.unfinished.get(cost.setting),
            "ready_seconds": cost.ready_seconds,
            "time_ratio": asdict(cost.ratio) if cost.ratio else None,
            "extra_ready_seconds": asdict(extra) if extra else None,
            "break_even_training_steps": asdict(even) if even else None,
            "total_seconds": None if steps is None else total_seconds(cost, steps),
            "extra_bytes": extra_bytes(cost, baseline),
            "largest_difference": self.differences.get(cost.setting),
        }


def verdicts(
    rows: Sequence[Row], constraints: Constraints | None = None, training_steps: Mapping[str, int] | None = None
) -> list[Verdict]:
    """Return the verdict on each group.

    Args:
        rows: What `comparison_rows` returned.
        constraints: `Constraints`, the same for all groups. None by default.
        training_steps: Dict from group to how many training steps its runs have, if the constraints do not say.
    """
    constraints = constraints or Constraints()
    found = []
    for group, members in groupby(rows, key=lambda row: row.group):
        own = constraints
        if own.training_steps is None and not own.inference and training_steps:
            own = replace(own, training_steps=training_steps.get(group))
        found.append(verdict(list(members), own))
    return found


def verdict(rows: Sequence[Row], constraints: Constraints | None = None) -> Verdict:
    """Return which setting of one group to take, and the reasons for it.

    Args:
        rows: The rows of one group, as `comparison_rows` returned them.
        constraints: `Constraints`. None by default.

    Example:
    >>> verdict(rows).take  # doctest: +SKIP
    'k8'
    """
    constraints = constraints or Constraints()
    rows = sorted(rows, key=lambda row: row.baseline is not None)
    known = costs(rows, inference=constraints.inference)
    tolerance = _tolerance(rows[0])
    unfinished = {row.setting: why for row in rows if (why := _unfinished(row))}
    out = {
        row.setting: why
        for row, cost in zip(rows, known, strict=True)
        if row.setting not in unfinished and (why := _why_out(row, cost, rows, constraints, tolerance))
    }
    candidates = _comparable(known, out, unfinished)
    taken = _choose(candidates, constraints.training_steps)
    return Verdict(
        group=rows[0].group,
        take=taken.setting if taken else None,
        baseline=rows[0].setting,
        tie=len(candidates) > 1 and taken is not None and all(_alike(each, taken) for each in candidates),
        costs=known,
        out=out,
        unfinished=unfinished,
        undecided=tuple(_undecided(rows, known, out, unfinished, constraints)),
        differences={row.setting: row.figures[DIFFERENCE] for row in rows if DIFFERENCE in row.figures},
        tolerance=tolerance,
        cares=_cares([row for row in rows if row.setting not in out], constraints),
        constraints=constraints,
    )


def called(setting: str) -> str:
    """Return what a setting is called in a sentence: the loop is the loop, the others go by their names.

    Example:
    >>> called("loop-threads1")
    'the loop on one thread'
    """
    setting, threads = split_name(setting)
    words = "the loop" if setting == LOOP else setting
    return words if threads is None else f"{words} on {threads_in_words(threads)}"


def _comparable(known: Sequence[Cost], out: Mapping[str, str], unfinished: Mapping[str, str]) -> list[Cost]:
    """Return the costs of the settings in question; none where only one is known, of several."""
    left = [cost for cost in known if cost.setting not in out.keys() | unfinished]
    compared = [cost for cost in left if cost.ratio is not None]
    if len(left) == 1 and not unfinished and len(known) > 1:
        return left  # where all the others are out, there is no need to compare
    return compared if len(compared) > 1 else []


def _choose(candidates: Sequence[Cost], training_steps: int | None) -> Cost | None:
    """Return the simplest of those that no other one beats."""
    left = [
        each
        for each in candidates
        if not any(takes_less(other, each, training_steps) for other in candidates if other is not each)
    ]
    # One that compiles no later by more than chance: of those, the leanest; of those, the first.
    soonest = min((each.ready_seconds for each in left if each.ready_seconds is not None), default=None)
    if soonest is not None:
        first = next(each for each in left if each.ready_seconds == soonest)
        left = [each for each in left if (extra := extra_ready(each, first)) and extra.low <= 0]
    lean = [each for each in left if not any((extra_bytes(each, other) or 0) > 0 for other in left)]
    return next(iter(lean or left), None)


def _alike(a: Cost, b: Cost) -> bool:
    ratio = time_ratio(a, b)
    return ratio is not None and ratio.low <= 1 <= ratio.high


def _tolerance(row: Row) -> float | None:
    eps = EPS.get(row.config.stack.dtype or "float32")
    timesteps = row.config.stack.timesteps or row.config.timesteps
    return None if eps is None or timesteps is None else rounding(eps, timesteps)


def _ended(row: Row) -> dict[str, str]:
    """Return how each kind of measurement ended that did not end well, such as `{"timing": "timeout"}`."""
    return {kind: ending for kind, _, ending in (part.partition(": ") for part in row.outcome.split(", ")) if ending}


def _problem(row: Row, kind: str) -> str:
    """Return e.g. `"its timing took too long in phase compile (more than 600 s)"`."""
    found = next((problem for problem in row.problems if problem.startswith(f"{kind}: ")), f"{kind}: failed")
    _, ending, *cause = (found + ": ").split(": ", 2)
    ending, _, phase = ending.partition(" in phase ")
    why = cause[0].removesuffix(": ").partition("\n")[0].rstrip(".") if cause else ""
    why = f"{why[:_LONGEST_CAUSE]}…" if len(why) > _LONGEST_CAUSE else why
    where = f" in phase {phase}" if phase else ""
    return f"its {kind} {ENDINGS.get(ending, ending)}{where}" + (f" ({why})" if why else "")


def _unfinished(row: Row) -> str | None:
    if "not measured" in row.outcome:
        return "was not measured yet"
    return "was not measured to the end" if _ended(row).get("timing") == Outcome.INTERRUPTED else None


def _why_out(
    row: Row, cost: Cost, rows: Sequence[Row], constraints: Constraints, tolerance: float | None
) -> str | None:
    ended = _ended(row)
    if "timing" in ended:
        return _problem(row, "timing")
    everywhere = all(_ended(each).get("training") == ended.get("training") for each in rows)
    if not constraints.inference and ended.get("training") in ENDINGS and not everywhere:
        return _problem(row, "training")
    difference = row.figures.get(DIFFERENCE)
    if difference is not None and tolerance is not None and not difference <= tolerance:
        found = "are not finite" if math.isnan(difference) else f"differ by up to {difference:.1g}"
        return (
            f"it computes something else than {called(row.baseline or '')} (its outputs {found}, rounding explains "
            f"{tolerance:.1g})"
        )
    needed = max((size for size in (cost.process_peak_bytes, cost.tensor_peak_bytes) if size is not None), default=0)
    if constraints.memory_limit is not None and needed > constraints.memory_limit:
        return f"it takes {format_bytes(needed)}, and the limit is {format_bytes(constraints.memory_limit)}"
    return None


def _undecided(
    rows: Sequence[Row],
    known: Sequence[Cost],
    out: Mapping[str, str],
    unfinished: Mapping[str, str],
    constraints: Constraints,
) -> list[str]:
    baseline = rows[0]
    beside = called(baseline.setting)
    lacking: dict[tuple[str, str], list[str]] = {}

    def lacks(what: str, why: str, row: Row) -> None:
        lacking.setdefault((what, why), []).append(called(row.setting))

    for row, cost in zip(rows, known, strict=True):
        if row.setting in out or row.setting in unfinished:
            continue
        if constraints.memory_limit is not None and cost.process_peak_bytes is None:
            lacks("the memory of {}", "not measured", row)
        if cost.ready_seconds is None:
            lacks("the compile time of {}", "not measured", row)
        if "training" in _ended(row) and not constraints.inference:
            lacks("the training of {}", _problem(row, "training"), row)
        if row is baseline or baseline.setting in out:
            continue
        if cost.ratio is None:
            lacks(f"the speed of {{}} beside {beside}", "not timed in turns", row)
        if DIFFERENCE not in row.figures:
            lacks(f"whether {{}} and {beside} compute the same", "outputs not compared", row)
        elif _tolerance(row) is None:
            lacks(f"whether {{}} and {beside} compute the same", "not told apart from rounding in this precision", row)
    return [f"{what.format(' and '.join(settings))} ({why})" for (what, why), settings in lacking.items()]


def _cares(rows: Sequence[Row], constraints: Constraints) -> dict[str, tuple[tuple[str, ...], str]]:
    figure = timed_figure(rows, inference=constraints.inference) if rows else STEP
    found: dict[str, tuple[tuple[str, ...], str]] = {}
    for row in rows:
        for mark in row.marks.get(figure, ()):
            settings, _ = found.get(mark.reason, ((), ""))
            found[mark.reason] = ((*settings, row.setting), mark.advice)
    return found
