"""Which file to deploy, from intervals and hard facts. No TensorFlow.

A file is in question if it could be made, runs here, computes what the model does, and keeps to the limits. Of those,
none is taken that another one beats by the whole of an interval; of the rest, which cannot be told apart, the smallest,
and on the fewest threads.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from kerasunroll.deployment.contender import FORMS
from kerasunroll.deployment.rows import Row, compared
from kerasunroll.deployment.stages.timing import INFERENCE
from kerasunroll.measurement.records.record import Outcome
from kerasunroll.measurement.statistics.rounds import TimeRatio
from kerasunroll.report.verdict.text import join_words
from kerasunroll.units import format_bytes, format_ends, format_seconds

_LONGEST: Final = 160
_ALIKE: Final = 1.3
"""Two files are as fast as each other if the ends of their ratio are no further apart than this factor."""


@dataclass(frozen=True)
class DeviceLimits:
    """What the device allows.

    Args:
        flash_bytes: Integer or `None`. The bytes of the file.
        latency_seconds: Float or `None`. The time of one inference, on this machine.
        builtins_only: Boolean. Whether the plain LiteRT interpreter has to run it. Defaults to `False`.
        micro: Boolean. Whether TensorFlow Lite Micro has to know its operations. Defaults to `False`.
    """

    flash_bytes: int | None = None
    latency_seconds: float | None = None
    builtins_only: bool = False
    micro: bool = False


@dataclass(frozen=True)
class DeploymentVerdict:
    """Which file to take.

    Args:
        take: String or `None`. The name of the contender to take; `None` if there is none.
        out: Dict from a contender to why it is out of the question.
        ratios: Dict from the others in question to the time of an inference over that of the one to take.
        text: String. The verdict in words.
    """

    take: str | None
    out: Mapping[str, str]
    ratios: Mapping[str, TimeRatio]
    text: str = field(repr=False)


def deployment_verdict(rows: Sequence[Row], limits: DeviceLimits | None = None) -> DeploymentVerdict:
    """Return which file to take, and why.

    Args:
        rows: What `deployment_rows` returned.
        limits: `DeviceLimits`. None by default.
    """
    limits = limits or DeviceLimits()
    out = {row.name: why for row in rows if (why := _why_out(row, limits))}
    left = [row for row in rows if row.name not in out]
    fastest = [row for row in left if not any(_beats(other, row) for other in left if other is not row)]
    taken = min(fastest, key=lambda row: (row.figure("file_bytes") or math.inf, row.contender.threads), default=None)
    ratios = {} if taken is None else {row.name: compared(row.record, taken.record) for row in left if row is not taken}
    text = " ".join(_sentences(rows, taken, out, ratios))
    return DeploymentVerdict(taken.name if taken else None, out, ratios, text)


def _beats(a: Row, b: Row) -> bool:
    return compared(a.record, b.record).high < 1


def _why_out(row: Row, limits: DeviceLimits) -> str | None:
    if not row.is_made:
        if row.record.outcome is Outcome.INTERRUPTED:
            return "was not tried to the end"
        made = "cannot be made" if row.record.phase in ("import", "build", "convert", "start") else "does not run here"
        return f"{made} ({_cause(row)})"
    if INFERENCE not in row.record.samples:
        return "was not timed"
    if not row.computes_the_same:
        return f"computes something else ({_difference(row)})"
    if row.flex and (limits.builtins_only or limits.micro):
        return f"needs {join_words(row.flex[:3])}, which the plain interpreter lacks"
    if limits.micro and row.not_in_micro:
        return f"needs {join_words(row.not_in_micro[:3])}, which TensorFlow Lite Micro lacks"
    size, latency = row.figure("file_bytes") or 0.0, row.figure(INFERENCE) or 0.0
    if limits.flash_bytes is not None and size > limits.flash_bytes:
        return f"takes {format_bytes(size)} of flash, and the limit is {format_bytes(limits.flash_bytes)}"
    if limits.latency_seconds is not None and latency > limits.latency_seconds:
        time = format_seconds(latency) + (f" on {row.threads}" if row.tells_threads else "")
        return f"takes {time}, and the limit is {format_seconds(limits.latency_seconds)}"
    return None


def _cause(row: Row) -> str:
    cause = (
        (row.record.cause or row.record.outcome.value)
        .partition("\n")[0]
        .partition("; the last lines of")[0]
        .rstrip(". ")
    )
    for sign, said in (
        ("TensorListReserve", "its loop needs operations of TensorFlow's own: TensorListReserve"),
        ("Lowering tensor list ops is failed", "its loop needs operations of TensorFlow's own: tensor lists"),
        ("Select TensorFlow op", "the plain interpreter lacks operations of TensorFlow's own"),
    ):
        if sign in (row.record.cause or ""):
            return said
    return f"{cause[:_LONGEST]}…" if len(cause) > _LONGEST else cause


def _difference(row: Row) -> str:
    difference = row.figure("largest_difference")
    if difference is None or math.isnan(difference):
        return "its outputs are not finite, or of another shape"
    if row.tolerance is not None:
        return f"its outputs differ by up to {difference:.1g}, rounding explains {row.tolerance:.1g}"
    return f"its noise is {row.figure('noise_db'):.0f} dB below the signal, less than 10"


def _sentences(
    rows: Sequence[Row], taken: Row | None, out: Mapping[str, str], ratios: Mapping[str, TimeRatio]
) -> Iterator[str]:
    if taken is None:
        yield "No file can be recommended."
    else:
        size = taken.figure("file_bytes") or math.inf
        yield (
            f"Take {called(taken)}. It takes {format_seconds(taken.figure(INFERENCE))} an inference, and its file "
            f"{format_bytes(size)}."
        )
        for row in rows:
            if row.contender.label == taken.contender.label and row.name in ratios:
                yield f"On {row.threads} it {_time_against(ratios[row.name])}."
        beside = list(_best_of_each_setting(rows, taken, ratios))
        for row in beside:
            cost = f"{_against(row, ratios[row.name], size)}{_yet_beaten(row, taken, rows, out)}"
            yield f"{_capital(called(row))} {cost}."
        yield from _same([row for row in rows if row.name not in out and row.contender.quantization == "none"])
        yield from (_noise(row) for row in (taken, *beside) if row.contender.quantization != "none")
    for why in dict.fromkeys(out.values()):
        names = dict.fromkeys(_file_called(row) for row in rows if out.get(row.name) == why)
        yield f"{_capital(join_words(list(names)))}: {why}."


def _best_of_each_setting(rows: Sequence[Row], taken: Row, ratios: Mapping[str, TimeRatio]) -> Iterator[Row]:
    """Yield the fastest file of each other setting; streaming counts as one."""
    best: dict[tuple[str, bool], Row] = {}
    for row in rows:
        key = (row.contender.setting, row.contender.form == "streaming")
        if row.name in ratios and (key not in best or ratios[row.name].ratio < ratios[best[key].name].ratio):
            best[key] = row
    yield from (
        row for key, row in best.items() if key != (taken.contender.setting, taken.contender.form == "streaming")
    )


def _same(rows: Sequence[Row]) -> Iterator[str]:
    if rows:
        worst = max(row.figure("largest_difference") or 0.0 for row in rows)
        how = f"largest difference {worst:.0e}" if worst else "to the last bit"
        yield f"{'All' if len(rows) > 1 else 'It'} compute{'' if len(rows) > 1 else 's'} what the model does ({how})."


def _against(row: Row, ratio: TimeRatio, size: float) -> str:
    return f"{_time_against(ratio)}, its file {(row.figure('file_bytes') or 0.0) / size:.2g}× the size"


def _yet_beaten(row: Row, taken: Row, rows: Sequence[Row], out: Mapping[str, str]) -> str:
    """Say why a smaller file is not taken although it cannot be told from the one that is: another file is faster."""
    smaller = (row.figure("file_bytes") or 0.0) < (taken.figure("file_bytes") or 0.0)
    better = next((each for each in rows if each.name not in out and each is not row and _beats(each, row)), None)
    if not smaller or better is None or better is taken:
        return ""
    return f", but {called(better)} is faster than it"


def _time_against(ratio: TimeRatio) -> str:
    if ratio.low > 1:
        return f"takes {ratio.ratio:.1f}× as long ({ratio.low:.1f} to {ratio.high:.1f})"
    if ratio.high < 1:
        return f"takes {ratio.ratio:.2f}× as long ({format_ends(ratio.low, ratio.high)})"
    if ratio.high <= _ALIKE * ratio.low:
        return f"takes as long ({format_ends(ratio.low, ratio.high)}×)"
    return "may be faster or slower (cannot be told from these rounds)"


def _noise(row: Row) -> str:
    same = row.figure("same_class")
    classes = "" if same is None else f", and {same:.0%} of the classes are the same"
    return f"{_capital(called(row))}: its noise is {row.figure('noise_db'):.0f} dB below the signal{classes}."


def called(row: Row) -> str:
    """Return what a contender is called in a sentence: "full with a fixed batch, int8 on 2 threads"."""
    told = row.tells_threads or row.contender.threads != 1
    return _file_called(row) + (f" on {row.threads}" if told else "")


def _file_called(row: Row) -> str:
    contender = row.contender
    setting = "the loop" if contender.setting == "loop" else contender.setting
    words = "one time step at a time" if contender.form == "streaming" else f"{setting} {FORMS[contender.form]}"
    if contender.target != "litert":
        words = f"{setting} as {'ONNX' if contender.target == 'onnx' else 'a SavedModel'}"
    return words + (f", {contender.quantization}" if contender.quantization != "none" else "")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
