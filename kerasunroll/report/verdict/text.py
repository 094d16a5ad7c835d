"""A verdict in words."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import humanize

from kerasunroll.measurement.statistics.intervals import Interval
from kerasunroll.report.verdict.costs import (
    Cost,
    break_even,
    extra_bytes,
    extra_ready,
    takes_less,
    time_ratio,
)
from kerasunroll.report.verdict.verdict import Verdict, called
from kerasunroll.training.threads import split_name, threads_in_words
from kerasunroll.units import format_count, format_seconds

NARROW: Final = math.log(1.1)
"""Up to this half-width, in logarithms, "no difference" means that there is none to speak of."""

WIDEST: Final = 10.0
"""An interval that reaches beyond this factor says nothing, so its ends are not said."""


def verdict_text(verdict: Verdict) -> str:
    """Return a verdict as a paragraph, such as `"Take k8. It trains 1.6× faster than the loop (1.5 to 1.7) …"`."""
    return " ".join(verdict_sentences(verdict))


def verdict_sentences(verdict: Verdict) -> list[str]:
    """Return a verdict as sentences: which setting to take, then why, then what remains open."""
    return [*_take(verdict), *_same(verdict), *_out(verdict), *_open(verdict)]


def small_print(verdict: Verdict) -> list[str]:
    """Return what makes the times of a verdict less certain, and what to do, as sentences; none for steady times."""
    return list(_care(verdict))


def _take(verdict: Verdict) -> Iterator[str]:
    baseline = verdict.cost(verdict.baseline)
    if len(verdict.costs) == 1 and baseline.step_seconds is not None and not (verdict.out or verdict.unfinished):
        yield f"Only {called(baseline.setting)} was measured: there is nothing to compare it with."
        yield f"It {join_words([_pace(baseline, baseline, verdict), *_compile(baseline)])}."
        return
    if verdict.take is None:
        yet = " yet" if verdict.unfinished else ""
        yield f"No setting can be recommended{yet}."
        return
    taken = verdict.cost(verdict.take)
    others = [each for each in verdict.candidates if each is not taken]
    if not others:
        yield f"Take {called(taken.setting)}: it is the only setting left."
        yield f"It {join_words([_pace(taken, baseline, verdict), *_compile(taken)])}."
        return
    slower = _on_other_threads(taken, verdict)  # they have a sentence of their own
    beside = taken if baseline in slower else baseline
    faster = _is_faster(taken, beside)
    clauses = [
        _clause(each, taken, verdict) for each in others if each not in slower and not (faster and each is baseline)
    ]
    against = beside if faster else taken  # what is not slower has a clause of its own, with the ratio
    about = f"It {join_words([_pace(taken, against, verdict), *_costs_of(taken, beside)])};"
    if verdict.tie:
        wide = any("may be" in clause for clause in clauses)
        about = "It cannot be told which is faster:" if wide else "It is a tie:"
    yield f"Take {called(taken.setting)}."
    yield f"{about} {'; '.join(clauses)}".rstrip("; ") + "."
    if faster:
        yield from _paid(taken, baseline, verdict)
    if slower:
        yield _threads(taken, slower, verdict)


def _on_other_threads(taken: Cost, verdict: Verdict) -> list[Cost]:
    """Return the costs of the same setting on other threads, as far as it is slower there by the whole interval."""
    setting, _ = split_name(taken.setting)
    return [each for each in verdict.candidates if split_name(each.setting)[0] == setting and _is_faster(taken, each)]


def _threads(taken: Cost, slower: Sequence[Cost], verdict: Verdict) -> str:
    """Say what the number of threads is worth."""
    factors = [
        f"{_factor(factor)} as fast as on {threads_in_words(split_name(each.setting)[1])} ({_ends(factor)})"
        for each in slower
        if (factor := time_ratio(each, taken))
    ]
    on = threads_in_words(split_name(taken.setting)[1])
    return f"On {on} this network {_verb(verdict)} {join_words(factors)}."


def _clause(cost: Cost, taken: Cost, verdict: Verdict) -> str:
    """Say of a setting that is not taken what it costs beside the one that is."""
    ratio, extra, memory = time_ratio(cost, taken), extra_ready(cost, taken), extra_bytes(cost, taken)
    parts = [_comparison(ratio, verdict)] if ratio else []
    longer = extra if extra and not cost.at_most else None
    if longer and longer.low > 0:
        parts.append(f"compiles {_seconds(longer.value)} longer")
    elif longer and longer.high < 0:
        parts.append(f"compiles {_seconds(-longer.value)} sooner")
    if memory:
        parts.append(f"{'adds' if memory > 0 else 'saves'} {_bytes(abs(memory))}")
    if len(parts) == 1 and verdict.tie:
        parts.append("otherwise costs the same")
    return f"{called(cost.setting)} {join_words(parts)}{_too_late(cost, taken, verdict)}"


def _comparison(ratio: Interval, verdict: Verdict, than: str = "") -> str:
    verb = _verb(verdict)
    if ratio.high < 1:
        return f"{verb} {_times(_inverse(ratio), 'faster', than)}"
    if ratio.low > 1:
        return f"{verb} {_times(ratio, 'slower', than)}"
    if ratio.high <= math.exp(2 * NARROW) * ratio.low:
        return f"is no faster{than}"
    faster, slower = _inverse(ratio).high, ratio.high
    if not max(faster, slower) <= WIDEST:
        return f"may be faster or slower{than} (cannot be told from these rounds)"
    return f"may be up to {_up_to(faster)} faster or {_up_to(slower)} slower{than}"


def _too_late(cost: Cost, taken: Cost, verdict: Verdict) -> str:
    """Say of a setting that is faster why it is not taken all the same."""
    steps, even = verdict.constraints.training_steps, break_even(cost, taken)
    if even is None or steps is None or takes_less(cost, taken, steps):
        return ""
    unit = unit_of(verdict)
    if even.low > steps:
        return (
            f": over {count_text(steps)} {unit} that does not pay, from about {count_text(even.value)} on it does "
            f"({_range(even, cost)})"
        )
    return (
        f": whether it pays for itself within {count_text(steps)} {unit} cannot be told (it takes {_range(even, cost)})"
    )


def _paid(taken: Cost, baseline: Cost, verdict: Verdict) -> Iterator[str]:
    """Say when a longer compile has paid for itself."""
    even, steps = break_even(taken, baseline), verdict.constraints.training_steps
    if even is None or even.high == 0 or (even.low == 0 and not taken.at_most) or baseline.setting in verdict.out:
        return
    unit = f"of {count_text(steps)} {unit_of(verdict)}" if steps is not None else unit_of(verdict)
    if taken.at_most:
        yield f"A longer compile has paid for itself after {_range(even, taken)} {unit}."
    else:
        yield f"Its longer compile has paid for itself after {count_text(even.value)} {unit} ({_range(even, taken)})."


def _range(even: Interval, cost: Cost) -> str:
    return f"at most {count_text(even.high)}" if cost.at_most else f"{count_text(even.low)} to {count_text(even.high)}"


def _pace(cost: Cost, beside: Cost, verdict: Verdict) -> str:
    """Say how fast a setting is: beside another one, or by itself."""
    ratio = time_ratio(cost, beside)
    if ratio is not None and cost is not beside:
        return _comparison(ratio, verdict, than=f" than {called(beside.setting)}")
    if cost.step_seconds is None:
        return "was not timed"
    return (
        f"takes {format_seconds(cost.step_seconds)} {'a batch' if verdict.constraints.inference else 'a training step'}"
    )


def _costs_of(taken: Cost, baseline: Cost) -> list[str]:
    """Return how soon the setting compiles, and what it adds to the baseline's."""
    parts = _compile(taken)
    extra, memory = extra_ready(taken, baseline), extra_bytes(taken, baseline)
    if parts and extra and taken is not baseline and extra.low > 0:
        parts = [f"{parts[0]} ({_seconds(extra.value)} longer)"]
    if memory:
        parts.append(f"{'adds' if memory > 0 else 'saves'} {_bytes(abs(memory))}")
    return parts


def _compile(cost: Cost) -> list[str]:
    # In inference nobody has timed it: what is known is the training step's.
    return [] if cost.ready_seconds is None or cost.at_most else [f"compiles in {_seconds(cost.ready_seconds)}"]


def _same(verdict: Verdict) -> Iterator[str]:
    """Say how far the settings that are in question compute the same."""
    differences = {name: value for name, value in verdict.differences.items() if name not in verdict.out}
    if not differences or verdict.tolerance is None:
        return
    if len(differences) + 1 == len(verdict.costs):
        who = "Both settings" if len(differences) == 1 else "All settings"
    else:
        who = _capital(join_words([called(verdict.baseline), *differences]))
    largest = max(differences.values())
    how = ", to the last bit" if largest == 0 else f" (largest difference {_scientific(largest)})"
    yield f"{who} compute the same{how}."


def _out(verdict: Verdict) -> Iterator[str]:
    for setting, why in verdict.out.items():
        yield f"{_capital(called(setting))} is out: {why}."


def _open(verdict: Verdict) -> Iterator[str]:
    for setting, what in verdict.unfinished.items():
        yield f"{_capital(called(setting))} {what}."
    if verdict.undecided:
        yield f"Not decided: {'; '.join(verdict.undecided)}."


def _care(verdict: Verdict) -> Iterator[str]:
    if verdict.cares:
        seen = [
            f"{reason.partition(' (')[0]} ({', '.join(settings)})" for reason, (settings, _) in verdict.cares.items()
        ]
        advice = dict.fromkeys(each for _, text in verdict.cares.values() for each in text.rstrip(".").split(". "))
        yield f"Take the times with care: {'; '.join(seen)}. {'. '.join(advice)}."


def _verb(verdict: Verdict) -> str:
    return "predicts" if verdict.constraints.inference else "trains"


def _is_faster(a: Cost, b: Cost) -> bool:
    ratio = time_ratio(a, b)
    return a is not b and ratio is not None and ratio.high < 1


def _times(factor: Interval, word: str, than: str) -> str:
    return f"{_factor(factor)} {word}{than} ({_ends(factor)})"


def _factor(factor: Interval) -> str:
    return f"{factor.value:.{_digits(factor)}f}×"


def _up_to(factor: float) -> str:
    return f"{factor:.2f}×" if factor < 1.1 else f"{factor:.2g}×"


def _ends(factor: Interval) -> str:
    return f"{factor.low:.{_digits(factor)}f} to {factor.high:.{_digits(factor)}f}"


def _digits(factor: Interval) -> int:
    """One digit where it shows that the interval excludes 1, and has two ends."""
    return 1 if factor.low >= 1.05 and factor.high - factor.low >= 0.1 else 2


def _inverse(ratio: Interval) -> Interval:
    return Interval(1 / ratio.value, 1 / ratio.high, 1 / ratio.low if ratio.low > 0 else math.inf)


def unit_of(verdict: Verdict) -> str:
    """Return what is counted: training steps, or in inference batches."""
    return "batches" if verdict.constraints.inference else "training steps"


def count_text(number: float) -> str:
    """Return e.g. `"1,500"`: from 100 on to two digits, but whole numbers that were given as they are."""
    if isinstance(number, int):
        return format_count(number)
    digits = max(0, math.floor(math.log10(number)) - 1) if number >= 1 else 0
    return format_count(round(number, -digits))


def _seconds(seconds: float) -> str:
    return format_seconds(seconds) if seconds >= 99.5 else str(humanize.metric(seconds, "s", precision=2))


def _bytes(size: float) -> str:
    number, unit = str(humanize.naturalsize(size, format="%.1f")).split()
    return f"{float(number):.{0 if float(number) >= 9.95 else 1}f} {unit}"


def _scientific(value: float) -> str:
    """Return e.g. `"3e-7"`."""
    if not math.isfinite(value):
        return str(value)
    digits, _, exponent = f"{value:.0e}".partition("e")
    return f"{digits}e{int(exponent)}"


def join_words(parts: Sequence[str]) -> str:
    """Return e.g. `"a, b and c"`."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _capital(text: str) -> str:
    return f"T{text[1:]}" if text.startswith("the ") else text
