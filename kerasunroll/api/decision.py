"""A verdict that can be asked for its words and its break-even."""

from dataclasses import dataclass, fields
from typing import Self

from kerasunroll.errors import InputError
from kerasunroll.measurement.statistics.intervals import Interval
from kerasunroll.report.verdict.costs import break_even
from kerasunroll.report.verdict.text import small_print, verdict_text
from kerasunroll.report.verdict.verdict import Verdict


@dataclass(frozen=True)
class Decision(Verdict):
    """Which setting to take: a `Verdict` with its text and its break-even."""

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """Return the decision of a verdict."""
        return cls(**{each.name: getattr(verdict, each.name) for each in fields(verdict)})

    @property
    def text(self) -> str:
        """The verdict in a paragraph: what to take, what it costs, what is ruled out."""
        return verdict_text(self)

    @property
    def small_print(self) -> list[str]:
        """What makes the times less certain, and what to do; empty if nothing does."""
        return small_print(self)

    def break_even(self, setting: str) -> Interval | None:
        """Return after how many training steps a setting has taken less than the baseline, with its 95 % interval.

        Args:
            setting: String, such as `"full"`.

        Returns:
            `Interval`, or `None` if it never does, or if that is unknown.

        Raises:
            InputError: If there is no such setting.
        """
        known = [cost.setting for cost in self.costs]
        if setting not in known:
            raise InputError(f"There is no setting {setting!r} in this comparison, only {', '.join(known)}.")
        return break_even(self.cost(setting), self.cost(self.baseline))
