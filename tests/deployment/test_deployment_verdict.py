"""Which file to take, on records that nobody measured: every rule once."""

from datetime import UTC, datetime

import numpy as np
import pytest

from kerasunroll import Classification
from kerasunroll.deployment.contender import Contender
from kerasunroll.deployment.known import with_flex
from kerasunroll.deployment.rows import deployment_rows
from kerasunroll.deployment.table import deployment_table, operation_lines
from kerasunroll.deployment.verdict import DeviceLimits, deployment_verdict
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.record import Outcome, Record
from kerasunroll.models import StackConfig


def found(unroll, seconds, *, size=100_000, form="fixed", operations=("ADD", "WHILE"), **changes):
    """Return a contender and its record: two processes that each take 12 rounds, a percent apart."""
    stack = StackConfig(cell="lstm", input_shape=(8, 3), units=(4,), head=Classification(3), unroll=unroll)
    options = {name: changes.pop(name) for name in ("quantization", "threads") if name in changes}
    contender = Contender(stack=stack, form=form, **options)
    figures = {"file_bytes": size, "largest_difference": 1e-8, "largest_output": 1.0, "noise_db": 140.0}
    figures |= changes.pop("figures", {})
    rng = np.random.default_rng(len(contender.name))
    rounds = [[[seconds * float(np.exp(rng.normal(0, 0.01)))] * 3 for _ in range(12)] for _ in range(2)]
    record = Record(
        configuration=contender.question(),
        variant=contender.name,
        outcome=changes.pop("outcome", Outcome.DONE),
        figures={"inference_seconds": seconds, **figures} if seconds else {},
        samples={"inference_seconds": rounds} if seconds else {},
        operations=dict.fromkeys(operations, 2),
        session=changes.pop("session", "one"),
        environment=environment(),
        started=datetime.now(UTC),
        **changes,
    )
    return contender, record


def verdict(*contenders, **limits):
    return deployment_verdict(deployment_rows(contenders), DeviceLimits(**limits))


def refused(unroll=False):
    cause = "ConverterError: 'tf.TensorListReserve' op requires element_shape to be static"
    return found(unroll, 0, form="dynamic", outcome=Outcome.FAILED, cause=cause, phase="convert", operations=())


def test_the_fastest_is_taken_and_the_text_says_what_the_others_cost():
    said = verdict(found(False, 270e-6, size=74_000), refused(), found(True, 133e-6, size=224_000))
    assert said.take == "full fixed"
    ratio = said.ratios["loop fixed"]
    assert said.text == (
        "Take full with a fixed batch. It takes 133 μs an inference, and its file 224.0 kB. The loop with a fixed "
        f"batch takes 2.0× as long ({ratio.low:.1f} to {ratio.high:.1f}), its file 0.33× the size. All compute what "
        "the model does (largest difference 1e-08). The loop with a batch of any size: cannot be made (its loop needs "
        "operations of TensorFlow's own: TensorListReserve)."
    )


def test_of_those_that_cannot_be_told_apart_the_smallest_is_taken():
    assert verdict(found(False, 100e-6, size=90), found(True, 100e-6, size=200)).take == "loop fixed"
    assert verdict(found(False, 100e-6, size=200), found(True, 100e-6, size=90)).take == "full fixed"


def test_why_a_smaller_file_is_not_taken_that_cannot_be_told_from_the_one_that_is():
    """The two processes of the one to take are so far apart that nothing can be told from it."""
    contender, record = found(True, 100e-6, size=200)
    wide = [[[seconds] * 3] * 12 for seconds in (50e-6, 200e-6)]
    taken = contender, record.model_copy(update={"samples": {"inference_seconds": wide}})
    said = verdict(found(False, 200e-6, size=90), taken, found(True, 100e-6, size=300, form="dynamic"))
    assert said.take == "full fixed"
    assert "0.45× the size, but full with a batch of any size is faster than it." in said.text


@pytest.mark.parametrize(
    ("limits", "take", "why"),
    [
        ({"flash_bytes": 100_000}, "loop fixed", "takes 224.0 kB of flash, and the limit is 100.0 kB"),
        ({"latency_seconds": 100e-6}, None, "takes 133 μs, and the limit is 100 μs"),
        ({"micro": True}, "loop fixed", "needs EXOTIC, which TensorFlow Lite Micro lacks"),
    ],
)
def test_limits_put_files_out(limits, take, why):
    full = found(True, 133e-6, size=224_000, operations=("ADD", "EXOTIC"))
    said = verdict(found(False, 270e-6, size=74_000), full, **limits)
    assert said.take == take
    assert said.out["full fixed"] == why


def test_flex_is_for_those_who_have_it():
    flex = found(False, 50e-6, form="flex", operations=("ADD", "FlexTensorListReserve"))
    assert verdict(flex, found(True, 133e-6)).take == "loop flex"
    said = verdict(flex, found(True, 133e-6), builtins_only=True)
    assert said.take == "full fixed"
    assert "FlexTensorListReserve, which the plain interpreter lacks" in said.text


@pytest.mark.parametrize("difference", [1e-2, float("nan")])
def test_what_computes_something_else_is_out(difference):
    wrong = found(True, 10e-6, figures={"largest_difference": difference})
    said = verdict(found(False, 270e-6), wrong)
    assert said.take == "loop fixed"
    assert "computes something else" in said.out["full fixed"]


def test_int8_is_judged_by_its_noise():
    good = found(
        True, 50e-6, quantization="int8", figures={"largest_difference": 0.1, "noise_db": 25.0, "same_class": 0.98}
    )
    bad = found(2, 20e-6, quantization="int8", figures={"largest_difference": 0.9, "noise_db": 4.0})
    said = verdict(found(False, 270e-6), good, bad)
    assert said.take == "full fixed int8"
    assert "its noise is 25 dB below the signal, and 98% of the classes are the same" in said.text
    assert "its noise is 4 dB below the signal, less than 10" in said.out["k2 fixed int8"]


def test_a_crash_is_said_without_its_log():
    crashed = found(
        True,
        0,
        outcome=Outcome.CRASHED,
        phase="convert",
        operations=(),
        cause="it was killed by SIGSEGV; the last lines of 'logs/full.log':\nstack\nstack",
    )
    assert (
        "Full with a fixed batch: cannot be made (it was killed by SIGSEGV)."
        in verdict(found(False, 1e-4), crashed).text
    )


def test_flex_is_tried_only_where_nothing_else_can_be_made():
    failed = found(False, 0, outcome=Outcome.FAILED, cause="no", phase="convert", operations=())
    (flex,) = with_flex([failed, refused(), found(True, 1e-4), refused(True)])
    assert (flex.setting, flex.form, flex.quantization) == ("loop", "flex", "none")
    assert with_flex([found(False, 1e-4), refused()]) == []


class TestThreads:
    """One file, timed with several numbers of threads."""

    def test_the_verdict_says_which_number_to_take(self):
        said = verdict(found(False, 270e-6), found(True, 133e-6), found(True, 100e-6, threads=2))
        assert said.take == "full fixed 2 threads"
        ratio = said.ratios["full fixed"]
        assert said.text.startswith("Take full with a fixed batch on 2 threads. It takes 100 μs an inference")
        assert f"On one thread it takes 1.3× as long ({ratio.low:.1f} to {ratio.high:.1f})." in said.text

    def test_where_more_are_no_faster_the_fewest_are_taken(self):
        said = verdict(found(True, 100e-6, threads=2), found(True, 100e-6))
        assert said.take == "full fixed"
        assert "On 2 threads it takes as long" in said.text

    def test_a_limit_of_latency_names_the_number_and_others_name_the_file_once(self):
        both = [found(True, 133e-6, size=300), found(True, 100e-6, size=300, threads=2)]
        assert verdict(*both, latency_seconds=120e-6).take == "full fixed 2 threads"
        assert "takes 133 μs on one thread, and the limit is 120 μs" in verdict(*both, latency_seconds=120e-6).text
        assert verdict(*both, flash_bytes=200).text == (
            "No file can be recommended. Full with a fixed batch: takes 300 Bytes of flash, and the limit is 200 Bytes."
        )

    def test_the_table_has_a_column_and_what_cannot_be_made_is_one_row(self):
        failed = {"form": "dynamic", "outcome": Outcome.FAILED, "cause": "no", "phase": "convert", "operations": ()}
        rows = deployment_rows(
            [
                found(False, 270e-6),
                found(False, 200e-6, threads=2),
                found(False, 0, session=None, **failed),
                found(False, 0, session=None, threads=2, **failed),
            ]
        )
        table = deployment_table(rows)
        assert [row[:2] for row in table.rows] == [
            ["loop fixed", "1"],
            ["loop fixed", "2"],
            ["loop dynamic (failed)", "–"],
        ]
        assert "× loop fixed, one thread" in table.columns
        assert operation_lines(rows) == ["loop fixed: 2 ADD, 2 WHILE."]


def test_nothing_at_all():
    said = verdict(refused())
    assert said.take is None
    assert said.text.startswith("No file can be recommended. ")
