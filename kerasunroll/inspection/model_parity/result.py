"""What a comparison of two models found, and what follows from it. Loads without TensorFlow."""

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from kerasunroll.display.tables import TextTable

Verdict: TypeAlias = Literal["identical", "equal to rounding", "different"]

IDENTICAL: Final[Verdict] = "identical"
ROUNDING: Final[Verdict] = "equal to rounding"
DIFFERENT: Final[Verdict] = "different"

OUTPUT: Final = "output"
LOSS: Final = "loss"
LAYER_OUTPUT: Final = "layer output"
STATE: Final = "state"
GRADIENT: Final = "gradient"
INPUT_GRADIENT: Final = "input gradient"
WEIGHT: Final = "weight"

KINDS: Final = (OUTPUT, LOSS, LAYER_OUTPUT, STATE, GRADIENT, INPUT_GRADIENT, WEIGHT)
"""What is compared: `layer output` is what a recurrent layer returns, `weight` the value of a weight."""

_CONSPICUOUS: Final = 0.01
"""A relative difference that would be much, even for rounding in single precision."""


@dataclass(frozen=True)
class Difference:
    """How much one array of the first model differs from the same array of the second, and where most.

    Args:
        kind: String, one of `KINDS`.
        name: String. The output's name, the weight's path, `<layer>/<state>`, ...
        layer: String. The layer that it belongs to; empty for outputs and the loss.
        training_steps: Integer. How many training steps were taken before.
        training: Boolean. Whether the layers behaved as in training.
        dtype: String. The precision in which the models computed.
        largest: Float. The largest absolute difference; infinity where one is NaN or infinite and the other is not.
        scale: Float. The largest absolute value of the two arrays.
        allowed: Float. The largest absolute difference that rounding explains.
        at: Tuple of integers, the index of the largest difference; empty for a scalar and where there is none.
        sample: Integer or `None`. The sample with the largest difference.
        time_step: Integer or `None`. The time step t of it, in sequence order.
        values: The values of the two models there.
        not_finite: Integer. How many values are NaN or infinite in both, at the same places.
        same_bits: Boolean. Whether the arrays are the same bit for bit.
    """

    kind: str
    name: str
    layer: str
    training_steps: int
    training: bool
    dtype: str
    largest: float
    scale: float
    allowed: float
    at: tuple[int, ...]
    sample: int | None
    time_step: int | None
    values: tuple[float, float]
    not_finite: int
    same_bits: bool

    @property
    def relative(self) -> float:
        """The largest difference over the largest value; NaN where one of them is not finite."""
        if not math.isfinite(self.largest):
            return math.nan
        return self.largest / self.scale if self.scale > 0 else 0.0

    @property
    def is_rounding(self) -> bool:
        """Whether rounding explains the difference."""
        return self.largest <= self.allowed

    @property
    def excess(self) -> float:
        """The largest difference over what rounding explains."""
        if self.largest == 0:
            return 0.0
        return self.largest / self.allowed if self.allowed > 0 else math.inf

    def __str__(self) -> str:
        where = [f"sample {self.sample}"] if self.sample is not None else []
        where += [f"time step {self.time_step}"] if self.time_step is not None else []
        where += [f"index {list(self.at)}"] if self.at else []
        relative = "" if math.isnan(self.relative) else f" ({self.relative:.1e} relative)"
        values = f"{self.values[0]:.9g} against {self.values[1]:.9g}"
        place = f" at {', '.join(where)}" if where else ""
        largest = f"{self.largest:.1e}{relative}" if math.isfinite(self.largest) else "not finite in one of the two"
        return f"{self.subject} {self.moment}, {self.dtype}: {largest}{place}: {values}"

    @property
    def subject(self) -> str:
        """What differs, such as `gradient of lstm/lstm_cell/kernel`."""
        if self.kind == LOSS:
            return "loss"
        return f"{self.kind} of {self.name}" if self.kind in (LAYER_OUTPUT, GRADIENT) else f"{self.kind} {self.name}"

    @property
    def moment(self) -> str:
        """When, and in which mode."""
        when = "before training" if self.training_steps == 0 else f"after {_training_steps(self.training_steps)}"
        return f"{when}, in training mode" if self.training else when


@dataclass(frozen=True, repr=False)
class Parity:
    """Whether two models compute the same.

    `str()` and `repr()` give a text to read, a notebook shows a table and a picture, and `as_json()` is for programs.

    Args:
        names: Tuple of two strings, the models' names.
        dtype: String. The models' own precision.
        own: Tuple of `Difference`, every one found in the models' own precision, in the order of computation.
        double: Tuple of `Difference`, every one found between copies in float64; empty where there could be none.
        training_steps: Integer. How many training steps were taken.
        loss: String. What was differentiated.
        tolerance: Float. The relative difference that rounding explains before training, in the precision that decides.
        notes: Tuple of strings: what could not be compared, and what you should know.
    """

    names: tuple[str, str]
    dtype: str
    own: tuple[Difference, ...]
    double: tuple[Difference, ...]
    training_steps: int
    loss: str
    tolerance: float
    notes: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """`"identical"`, `"equal to rounding"` or `"different"`.

        Models are identical if they compute the same bit for bit in their own precision. Otherwise float64 decides:
        rounding is so small there that any difference left is real. They are different, too, if one is NaN or infinite
        where the other is not.
        """
        if any(math.isinf(each.largest) for each in self.own) or not all(each.is_rounding for each in self.deciding):
            return DIFFERENT
        return IDENTICAL if all(each.same_bits for each in self.own) else ROUNDING

    @property
    def equal(self) -> bool:
        """Whether the verdict is not `"different"`."""
        return self.verdict != DIFFERENT

    @property
    def deciding(self) -> tuple[Difference, ...]:
        """The differences that decide: those in float64, if there are copies in float64."""
        return self.double or self.own

    @cached_property
    def worst(self) -> Difference:
        """The difference that exceeds rounding most, or comes nearest to it, in the precision that decides."""
        broken = [each for each in self.own if math.isinf(each.largest)]
        return max(broken or self.deciding, key=lambda each: each.excess)

    @cached_property
    def first(self) -> Difference | None:
        """The first recurrent layer whose output really differs, in the order in which they run; else `None`."""
        layers = (each for each in self.deciding if each.kind == LAYER_OUTPUT and not each.is_rounding)
        return next(layers, None)

    def worst_of(self, kind: str, dtype: str, training_steps: int) -> Difference | None:
        """Return the worst difference of a kind at a moment, or `None` where that was not compared.

        Args:
            kind: String, one of `KINDS`.
            dtype: String. The precision.
            training_steps: Integer. The number of training steps taken before.
        """
        found = [
            each
            for each in (*self.own, *self.double)
            if (each.kind, each.dtype, each.training_steps) == (kind, dtype, training_steps)
        ]
        return max(found, key=lambda each: each.excess, default=None)

    def __str__(self) -> str:
        return "\n".join([*self.sentences, "", self.title, *self.table.lines(), *self.remarks])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from kerasunroll.inspection.model_parity.notebook import parity_html

        return parity_html(self)

    def as_json(self) -> dict[str, Any]:
        """Return what was found as a dict that `json.dumps` takes; numbers that are not finite become `None`."""
        return {
            "verdict": self.verdict,
            "models": list(self.names),
            "dtype": self.dtype,
            "decided_in": self.worst.dtype,
            "training_steps": self.training_steps,
            "loss": self.loss,
            "tolerance": self.tolerance,
            "worst": _as_json(self.worst),
            "first_layer": None if self.first is None else self.first.layer,
            "worst_of_each_kind": [_as_json(each) for each in self.worst_of_each_kind],
            "notes": list(self.notes),
        }

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdict in words, and where most differs."""
        a, b = self.names
        if self.verdict == IDENTICAL:
            return (f"identical: '{b}' computes what '{a}' does, bit for bit.",)
        computes = f"'{b}' computes" if self.verdict == ROUNDING else f"'{b}' does not compute"
        verdict = f"{self.verdict}: {computes} what '{a}' does."
        if self.first is None:
            return verdict, f"Worst: {self.worst}."
        if self.first == self.worst:
            return verdict, f"First and worst: {self.worst}."
        return verdict, f"First: {self.first}.", f"Worst: {self.worst}."

    @property
    def worst_of_each_kind(self) -> list[Difference]:
        """The worst `Difference` of each of `KINDS` at each moment and in each precision."""
        found = [
            self.worst_of(kind, dtype, training_steps) for kind in KINDS for dtype, training_steps in self._columns()
        ]
        return [each for each in found if each is not None]

    def _columns(self) -> list[tuple[str, int]]:
        return list(dict.fromkeys((each.dtype, each.training_steps) for each in (*self.own, *self.double)))

    @property
    def title(self) -> str:
        """What stands above the table."""
        title = f"Largest relative difference, before training{_and_after(self.training_steps)}"
        return title + (":" if self.equal else " (! is more than rounding):")

    @property
    def table(self) -> TextTable:
        """The worst relative difference of each kind."""
        found = {kind: [self.worst_of(kind, *column) for column in self._columns()] for kind in KINDS}
        rows = [[kind, *map(_cell, cells)] for kind, cells in found.items() if any(cells)]
        return TextTable(["", *(_column(*column) for column in self._columns())], rows)

    @property
    def remarks(self) -> list[str]:
        """The notes, and what is to be known of the numbers."""
        kept = [f"Loss: {self.loss}.", *self.notes]
        hidden = sum(each.not_finite for each in self.own)
        if hidden:
            kept.append(
                f"{hidden} values are NaN or infinite in both models at the same places: they were not compared, and "
                "what is computed from them says nothing."
            )
        largest = max((each.relative for each in self.own if not math.isnan(each.relative)), default=0.0)
        if self.double and self.verdict == ROUNDING and largest > _CONSPICUOUS:
            kept.append(
                f"In {self.dtype} the relative difference is as large as {largest:.1e}: this computation amplifies "
                "rounding. In float64 the two agree."
            )
        return kept


def _column(dtype: str, training_steps: int) -> str:
    return f"{dtype} before" if training_steps == 0 else f"{dtype} after {training_steps}"


def _and_after(training_steps: int) -> str:
    return f" and after {_training_steps(training_steps)}" if training_steps else ""


def _cell(difference: Difference | None) -> str:
    if difference is None:
        return "–"
    if difference.same_bits:
        return "0"
    number = "not finite" if math.isnan(difference.relative) else f"{difference.relative:.1e}"
    return number if difference.is_rounding else f"{number} !"


def _training_steps(number: int) -> str:
    return "1 training step" if number == 1 else f"{number} training steps"


def _as_json(difference: Difference) -> dict[str, Any]:
    found = asdict(difference) | {"relative": difference.relative, "is_rounding": difference.is_rounding}
    return {name: _finite(value) for name, value in found.items()}


def _finite(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
