"""Several verdicts in one sentence. No TensorFlow."""

from collections.abc import Sequence

from kerasunroll.models.factories.fields import CELL_NAMES
from kerasunroll.report.verdict.costs import Cost, break_even
from kerasunroll.report.verdict.text import count_text, join_words, unit_of
from kerasunroll.report.verdict.verdict import Verdict, called


def summary(verdicts: Sequence[Verdict]) -> str | None:
    """Return one sentence that sums up the verdicts on several networks; `None` if there is only one.

    Example:
    >>> summary(verdicts)  # doctest: +SKIP
    'For 264 training steps take the loop everywhere; full pays from about 900 (LSTM) and 1,600 (GRU) on.'
    """
    if len(verdicts) < 2:
        return None
    names = _names([verdict.group for verdict in verdicts])
    clauses = [_takes(verdicts, names), *_later(verdicts, names)]
    return "; ".join(clause for clause in clauses if clause) + "."


def _takes(verdicts: Sequence[Verdict], names: Sequence[str]) -> str:
    taken: dict[str | None, list[str]] = {}
    for verdict, name in zip(verdicts, names, strict=True):
        taken.setdefault(verdict.take, []).append(name)
    steps = {verdict.constraints.training_steps for verdict in verdicts}
    (first, *others), unit = steps, unit_of(verdicts[0])
    lead = "Take" if others or first is None else f"For {count_text(first)} {unit} take"
    open_for = taken.pop(None, [])
    if not taken:
        return "No setting can be recommended for any of these networks"
    if len(taken) == 1 and not open_for:
        return f"{lead} {called(str(next(iter(taken))))} everywhere"
    chosen = join_words([f"{called(str(setting))} for {join_words(where)}" for setting, where in taken.items()])
    return f"{lead} {chosen}" + (f"; none can be recommended for {join_words(open_for)}" if open_for else "")


def _later(verdicts: Sequence[Verdict], names: Sequence[str]) -> list[str]:
    """Say from how many training steps on what else would pay."""
    pays: dict[str, list[str]] = {}
    for verdict, name in zip(verdicts, names, strict=True):
        found = [(even, cost) for cost in verdict.candidates if (even := _pays_from(cost, verdict)) is not None]
        if found:
            even, cost = min(found, key=lambda each: each[0])
            pays.setdefault(cost.setting, []).append(f"{count_text(even)} ({name})")
    return [f"{called(setting)} pays from about {join_words(where)} on" for setting, where in pays.items()]


def _pays_from(cost: Cost, verdict: Verdict) -> float | None:
    """Return from which number of training steps on a setting takes less than the one to take, if that comes later."""
    steps = verdict.constraints.training_steps
    if steps is None or verdict.take in (None, cost.setting):
        return None
    even = break_even(cost, verdict.cost(str(verdict.take)))
    return even.value if even and not cost.at_most and even.high > steps else None


def _names(groups: Sequence[str]) -> list[str]:
    """Return what tells the groups apart, such as the cell, or the number of time steps."""
    words = [group.split("-") for group in groups]
    if len({len(each) for each in words}) > 1:
        return list(groups)
    differ = [place for place, found in enumerate(zip(*words, strict=True)) if len(set(found)) > 1]
    return [" ".join(CELL_NAMES.get(each[place], each[place]) for place in differ) for each in words]
