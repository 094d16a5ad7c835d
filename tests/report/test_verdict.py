"""Verdicts on costs that can be worked out by hand: which setting to take, and every word that is said of it."""

import math
from dataclasses import replace

import pytest
from fixed_verdicts import FULL, K8, LOOP, STEP_SECONDS, compared, inferred, row
from scipy import optimize, stats

from kerasunroll.measurement.statistics.instabilities import Instability
from kerasunroll.report.rows import PREDICT
from kerasunroll.report.verdict.costs import break_even, costs, takes_less, time_ratio
from kerasunroll.report.verdict.summary import summary
from kerasunroll.report.verdict.text import small_print, verdict_text
from kerasunroll.report.verdict.verdict import Constraints, verdict, verdicts

SLOW_TO_COMPILE = row("full", compiles=13.0, grows=320e6, ratio=0.625)
SAME = " Both settings compute the same (largest difference 3e-7)."
TIMED_OUT = replace(
    row("full"),
    outcome="timing: timeout",
    problems=("timing: timeout in phase compile: it took more than 600 s",),
    comparisons={},
    figures={"build_seconds": 0.1},
)
DIVERGED = {
    "outcome": "training: diverged",
    "problems": ("training: diverged in phase fit: the loss became NaN in epoch 2",),
}


def text(*rows, **constraints) -> str:
    return verdict_text(verdict(rows, Constraints(**constraints)))


def test_the_winner_is_the_fastest_that_compiles_soonest():
    assert verdict([LOOP, K8, FULL]).take == "k8"
    assert text(LOOP, K8, FULL) == (
        "Take k8. It trains 1.6× faster than the loop (1.5 to 1.7) and compiles in 2.1 s; full is no faster, compiles "
        "11 s longer and adds 220 MB. All settings compute the same (largest difference 3e-7)."
    )


def test_the_order_of_the_rows_does_not_matter():
    assert text(FULL, K8, LOOP) == text(LOOP, K8, FULL).replace("k8 and full", "full and k8")


def test_a_winner_that_costs_more_says_when_that_has_paid_for_itself():
    assert text(LOOP, SLOW_TO_COMPILE) == (
        "Take full. It trains 1.6× faster than the loop (1.5 to 1.7), compiles in 13 s (11 s longer) and adds 220 MB. "
        f"Its longer compile has paid for itself after 1,500 training steps (1,000 to 1,900).{SAME}"
    )


@pytest.mark.parametrize(
    ("training_steps", "expected"),
    [
        (
            448,
            "Take the loop. It takes 20.0 ms a training step and compiles in 2.0 s; full trains 1.6× faster (1.5 to "
            "1.7), compiles 11 s longer and adds 220 MB: over 448 training steps that does not pay, from about 1,500 "
            "on it does (1,000 to 1,900).",
        ),
        (
            1600,
            "Take the loop. It takes 20.0 ms a training step and compiles in 2.0 s; full trains 1.6× faster (1.5 to "
            "1.7), compiles 11 s longer and adds 220 MB: whether it pays for itself within 1,600 training steps "
            "cannot be told (it takes 1,000 to 1,900).",
        ),
        (
            20_000,
            "Take full. It trains 1.6× faster than the loop (1.5 to 1.7), compiles in 13 s (11 s longer) and adds "
            "220 MB. Its longer compile has paid for itself after 1,500 of 20,000 training steps (1,000 to 1,900).",
        ),
    ],
)
def test_the_number_of_training_steps_decides(training_steps, expected):
    assert text(LOOP, SLOW_TO_COMPILE, training_steps=training_steps) == expected + SAME


def test_the_break_even_is_that_of_a_hand_computation():
    loop, full = costs([LOOP, SLOW_TO_COMPILE])
    even = break_even(full, loop)
    assert even.value == pytest.approx(11 / (STEP_SECONDS * 0.375))
    # 13 s and 2 s, each from three processes a tenth apart, and each training step saves 7.5 ms: both uncertain.
    of_three = stats.ttest_ind([11.7, 13, 14.3], [1.8, 2, 2.2], equal_var=False).confidence_interval()
    slow, fast = (STEP_SECONDS * 0.625 * abs(factor - 1) for factor in (1 / 1.06, 1.06))

    def surplus(n: float, sign: int, gain_margin: float) -> float:
        return 11 - n * 0.0075 + sign * math.hypot(of_three.high - 11, n * gain_margin)

    assert even.low == pytest.approx(optimize.brentq(surplus, 0, 1e6, args=(-1, slow)))
    assert even.high == pytest.approx(optimize.brentq(surplus, 0, 1e6, args=(1, fast)))
    assert takes_less(full, loop, math.ceil(even.high))
    assert not takes_less(full, loop, math.floor(even.high))
    assert takes_less(loop, full, math.floor(even.low))
    assert not takes_less(loop, full, math.ceil(even.low))


@pytest.mark.parametrize("ratio", [0.98, 1.4])
def test_what_is_not_faster_never_breaks_even(ratio):
    loop, full = costs([LOOP, row("full", compiles=1.0, ratio=ratio)])
    assert break_even(full, loop) is None


def test_what_is_faster_and_compiles_sooner_is_ahead_from_the_start():
    loop, full = costs([row(compiles=13.0), row("full", compiles=2.0, ratio=0.625)])
    assert break_even(full, loop).high == 0


def test_two_settings_are_compared_through_the_baseline():
    _, k8, full = costs([LOOP, row("k8", ratio=0.8, spread=1.03), row("full", ratio=0.4, spread=1.04)])
    ratio = time_ratio(full, k8)
    width = math.exp(math.hypot(math.log(1.03), math.log(1.04)))
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((0.5 / width, 0.5, 0.5 * width))


@pytest.mark.parametrize(
    ("full", "expected"),
    [
        (
            row("full", compiles=13.0, grows=320e6, ratio=0.98),
            "Take the loop. It is a tie: full is no faster, compiles 11 s longer and adds 220 MB.",
        ),
        (row("full", ratio=0.98), "Take the loop. It is a tie: full is no faster and otherwise costs the same."),
        (
            row("full", compiles=0.6, ratio=0.98),
            "Take full. It is a tie: the loop is no faster and compiles 1.4 s longer.",
        ),
        (
            row("full", grows=40e6, ratio=0.98),
            "Take full. It is a tie: the loop is no faster and adds 60 MB.",
        ),
        (
            row("full", ratio=1.0, spread=2.0),
            "Take the loop. It cannot be told which is faster: full may be up to 2× faster or 2× slower and otherwise "
            "costs the same.",
        ),
        (
            row("full", ratio=1.0, spread=math.inf),
            "Take the loop. It cannot be told which is faster: full may be faster or slower (cannot be told from these "
            "rounds) and otherwise costs the same.",
        ),
        (
            row("full", ratio=1.0, spread=2600.0),
            "Take the loop. It cannot be told which is faster: full may be faster or slower (cannot be told from these "
            "rounds) and otherwise costs the same.",
        ),
    ],
)
def test_a_tie_goes_to_what_compiles_sooner_or_takes_less_memory(full, expected):
    assert verdict([LOOP, full]).tie
    assert text(LOOP, full) == expected + SAME


def test_what_is_slower_is_not_taken():
    assert text(LOOP, row("full", compiles=13.0, ratio=1.4)) == (
        "Take the loop. It takes 20.0 ms a training step and compiles in 2.0 s; full trains 1.4× slower (1.3 to 1.5) "
        f"and compiles 11 s longer.{SAME}"
    )


def test_a_memory_limit_puts_out_what_takes_more():
    large = row("full", grows=2200e6, ratio=0.4)
    assert text(LOOP, K8, large, memory_limit=2 * 10**9) == (
        "Take k8. It trains 1.6× faster than the loop (1.5 to 1.7) and compiles in 2.1 s. The loop and k8 compute the "
        "same (largest difference 3e-7). full is out: it takes 2.9 GB, and the limit is 2.0 GB."
    )
    assert text(row(grows=2000e6), K8, memory_limit=2 * 10**9) == (
        "Take k8: it is the only setting left. It trains 1.6× faster than the loop (1.5 to 1.7) and compiles in 2.1 s."
        f"{SAME} The loop is out: it takes 2.7 GB, and the limit is 2.0 GB."
    )
    unknown = replace(K8, figures={name: size for name, size in K8.figures.items() if not name.startswith("process")})
    assert text(LOOP, unknown, memory_limit=2 * 10**9).endswith("Not decided: the memory of k8 (not measured).")


def test_there_may_be_no_winner():
    both = [row(grows=2000e6), row("full", grows=3000e6, ratio=0.4)]
    assert verdict(both, Constraints(memory_limit=10**9)).take is None
    assert text(*both, memory_limit=10**9) == (
        "No setting can be recommended. The loop is out: it takes 2.7 GB, and the limit is 1.0 GB. full is out: it "
        "takes 3.7 GB, and the limit is 1.0 GB."
    )


def test_a_single_variant_is_no_choice():
    assert verdict([LOOP]).take is None
    assert text(LOOP) == (
        "Only the loop was measured: there is nothing to compare it with. It takes 20.0 ms a training step and "
        "compiles in 2.0 s."
    )
    assert text(replace(LOOP, **{name: getattr(TIMED_OUT, name) for name in ("outcome", "problems", "figures")})) == (
        "No setting can be recommended. The loop is out: its timing took too long in phase compile (it took more than "
        "600 s)."
    )


def test_what_failed_is_out_with_its_cause():
    assert text(LOOP, TIMED_OUT) == (
        "Take the loop: it is the only setting left. It takes 20.0 ms a training step and compiles in 2.0 s. full is "
        "out: its timing took too long in phase compile (it took more than 600 s)."
    )
    crashed = replace(TIMED_OUT, problems=("timing: crashed in phase steady: gone.\nTraceback …" + "x" * 200,))
    assert text(LOOP, K8, crashed).endswith("full is out: its timing crashed in phase steady (gone).")


@pytest.mark.parametrize(
    ("outcome", "said"), [("not measured", "not measured yet"), ("timing: interrupted", "not measured to the end")]
)
def test_what_is_not_measured_to_the_end_stays_open(outcome, said):
    full = replace(TIMED_OUT, outcome=outcome, problems=())
    assert text(LOOP, K8, full) == (
        "Take k8. It trains 1.6× faster than the loop (1.5 to 1.7) and compiles in 2.1 s. The loop and k8 compute the "
        f"same (largest difference 3e-7). full was {said}."
    )
    assert text(LOOP, full) == f"No setting can be recommended yet. full was {said}."


def test_training_that_diverged_in_one_setting_puts_it_out():
    full = row("full", ratio=0.625, **DIVERGED)
    said = "its training diverged in phase fit (the loss became NaN in epoch 2)"
    assert text(LOOP, full) == (
        "Take the loop: it is the only setting left. It takes 20.0 ms a training step and compiles in 2.0 s. full is "
        f"out: {said}."
    )
    assert text(row(**DIVERGED), full) == (
        "Take full. It trains 1.6× faster than the loop (1.5 to 1.7) and compiles in 2.0 s."
        f"{SAME} Not decided: the training of the loop and full ({said})."
    )


@pytest.mark.parametrize(
    ("difference", "said"), [(0.3, "its outputs differ by up to 0.3"), (math.nan, "its outputs are not finite")]
)
def test_what_computes_something_else_is_out(difference, said):
    # In float32 over T=4, rounding explains 100 · 2^-23 · 4.
    assert text(LOOP, K8, row("full", ratio=0.4, difference=difference)) == (
        "Take k8. It trains 1.6× faster than the loop (1.5 to 1.7) and compiles in 2.1 s. The loop and k8 compute the "
        f"same (largest difference 3e-7). full is out: it computes something else than the loop ({said}, rounding "
        "explains 5e-05)."
    )


def test_parity_may_be_exact_or_unknown():
    assert text(LOOP, row("full", ratio=0.625, difference=0.0)).endswith(
        "Both settings compute the same, to the last bit."
    )
    assert text(LOOP, row("full", ratio=0.625, difference=None)).endswith(
        "Not decided: whether full and the loop compute the same (outputs not compared)."
    )
    half = LOOP.config.model_copy(update={"stack": LOOP.config.stack.replace(dtype="mixed_bfloat16")})
    assert text(replace(LOOP, config=half), replace(K8, config=half)).endswith(
        "Not decided: whether k8 and the loop compute the same (not told apart from rounding in this precision)."
    )


def test_what_was_not_timed_in_turns_is_not_compared():
    assert verdict([LOOP, row("full")]).take is None
    assert text(LOOP, row("full")).endswith("Not decided: the speed of full beside the loop (not timed in turns).")


def test_unsteady_times_are_to_be_taken_with_care():
    quiet = "Close other programs, or pin the run to cores of its own (taskset)."
    marks = {
        "step_seconds": (
            Instability("times differ within a block (spread of its middle half)", "20%", quiet),
            Instability(
                "the ratio is less certain than the 3% that were aimed for", "9%", f"Allow more rounds. {quiet}"
            ),
        ),
        "predict_seconds": (Instability("something that is not judged", "", ""),),
    }
    unsteady = [LOOP, replace(K8, marks=marks)]
    assert text(*unsteady) == text(LOOP, K8), "that is small print, and apart from the verdict"
    assert small_print(verdict([LOOP, K8])) == []
    assert small_print(verdict(unsteady)) == [
        "Take the times with care: times differ within a block (k8); the ratio is less certain than the 3% that were "
        "aimed for (k8). Close other programs, or pin the run to cores of its own (taskset). Allow more rounds."
    ]


class TestOneSentenceForAll:
    def said(self, *groups, **constraints) -> str | None:
        return summary([verdict(rows, Constraints(**constraints)) for rows in groups])

    def of(self, group: str, *rows):
        return [replace(each, group=group) for each in rows]

    def test_a_single_network_needs_none(self):
        assert self.said([LOOP, FULL], training_steps=10) is None

    def test_the_same_everywhere_and_what_pays_later(self):
        groups = [self.of(f"{cell}-L2-U64-T64", LOOP, SLOW_TO_COMPILE) for cell in ("lstm", "gru", "simple_rnn")]
        assert self.said(*groups, training_steps=264) == (
            "For 264 training steps take the loop everywhere; full pays from about 1,500 (LSTM), 1,500 (GRU) and 1,500 "
            "(SimpleRNN) on."
        )
        assert self.said(*groups, training_steps=20_000) == "For 20,000 training steps take full everywhere."
        assert self.said(*groups) == "Take full everywhere."

    def test_one_here_and_another_there(self):
        groups = [self.of("lstm-T64", LOOP, SLOW_TO_COMPILE), self.of("lstm-T100", LOOP, K8)]
        assert self.said(*groups, training_steps=264) == (
            "For 264 training steps take the loop for T64 and k8 for T100; full pays from about 1,500 (T64) on."
        )

    def test_where_nothing_can_be_recommended(self):
        nothing = self.of("gru-T64", LOOP, replace(K8, comparisons={}))
        assert self.said(self.of("lstm-T64", LOOP, K8), nothing, training_steps=264) == (
            "For 264 training steps take k8 for LSTM; none can be recommended for GRU."
        )
        assert self.said(nothing, nothing) == "No setting can be recommended for any of these networks."


def test_inference_is_judged_by_the_forward_pass():
    rows = [inferred(LOOP, 0.005), inferred(K8, 0.004, 0.8), inferred(FULL, 0.002, 0.4)]
    assert text(*rows, inference=True) == (
        "Take full. It predicts 2.5× faster than the loop (2.4 to 2.6) and adds 220 MB; k8 predicts 2.0× slower (1.8 "
        "to 2.2) and saves 220 MB. A longer compile has paid for itself after at most 4,800 batches. All settings "
        "compute the same (largest difference 3e-7)."
    )
    # What was timed is the training step's compile, which takes longer: the break-even may be anywhere below.
    assert text(rows[0], rows[2], inference=True, training_steps=100) == (
        "Take the loop. It takes 5.00 ms a batch; full predicts 2.5× faster (2.4 to 2.6) and adds 220 MB: whether it "
        "pays for itself within 100 batches cannot be told (it takes at most 4,800). Both settings compute the same "
        "(largest difference 2e-7)."
    )


def test_inference_is_judged_by_predict_where_there_is_no_forward_pass():
    rows = [inferred(LOOP, 0.005, figure=PREDICT), inferred(K8, 0.004, 0.5, figure=PREDICT)]
    assert text(*rows, inference=True).startswith("Take k8. It predicts 2.0× faster than the loop (1.9 to 2.1).")


def test_each_group_has_its_own_number_of_training_steps():
    second = [replace(each, group="second") for each in (LOOP, SLOW_TO_COMPILE)]
    rows = [LOOP, SLOW_TO_COMPILE, *second]
    planned = {LOOP.group: 100, "second": 20_000}
    assert [each.take for each in verdicts(rows, training_steps=planned)] == ["loop", "full"]
    given = Constraints(training_steps=20_000)
    assert [each.take for each in verdicts(rows, given, planned)] == ["full", "full"]


def test_as_json_holds_what_it_rests_on():
    content = verdict([LOOP, SLOW_TO_COMPILE, TIMED_OUT], Constraints(training_steps=1000)).as_json()
    loop, full, _ = content["settings"]
    assert (content["take"], content["tie"]) == ("loop", False)
    assert full["time_ratio"] == {"value": 0.625, "low": 0.625 / 1.06, "high": 0.625 * 1.06}
    assert full["break_even_training_steps"]["value"] == pytest.approx(11 / 0.0075)
    assert (loop["total_seconds"], full["total_seconds"]) == pytest.approx((22.0, 25.5))
    assert loop["break_even_training_steps"] is None


def test_numbers_beyond_any_width_are_no_comparison():
    wild = replace(K8, comparisons={"step_seconds": compared(1.0, 1e200)})
    assert "may be faster or slower" in text(LOOP, wild)
