import numpy as np
import pytest

from kerasunroll.errors import InputError
from kerasunroll.measurement.statistics.instabilities import Instability, instabilities
from kerasunroll.measurement.statistics.rounds import TimeRatio

QUIET_MACHINE = "Close other programs, or pin the run to cores of its own (taskset)."


def comparison(half_width: float, rounds: int = 40) -> TimeRatio:
    return TimeRatio(ratio=1, low=0.9, high=1.1, rounds=rounds, half_width=half_width, processes=3)


STEADY = [[0.020, 0.0201, 0.0202, 0.0203]] * 12


def test_steady_times_have_no_mark():
    assert instabilities([STEADY]) == []
    assert instabilities([STEADY], comparison(half_width=0.03)) == []


def test_single_spikes_are_no_reason_for_a_mark():
    assert instabilities([[[*block, 0.2] for block in STEADY]]) == []


@pytest.mark.parametrize(
    ("rounds", "reason", "seen", "advice"),
    [
        (STEADY[:4], "fewer than 10 rounds were measured", "4", "Allow more time."),
        (
            [[0.02, 0.02, 0.03, 0.03]] * 12,
            "times differ within a block (spread of its middle half)",
            "40%",
            QUIET_MACHINE,
        ),
        (
            [[time] * 4 for time in np.linspace(0.02, 0.04, 12)],
            "the speed changed from the first third of the rounds to the last",
            "1.64× slower",
            "Let the machine come to rest (heat, power saving), then measure again.",
        ),
        (
            [[time] * 4 for time in np.linspace(0.04, 0.02, 12)],
            "the speed changed from the first third of the rounds to the last",
            "1.64× faster",
            "Let the machine come to rest (heat, power saving), then measure again.",
        ),
        (
            [[time] * 4 for time in (0.02, 0.04, 0.02) * 4],
            "slow rounds took longer than fast ones",
            "2.00×",
            QUIET_MACHINE,
        ),
    ],
)
def test_each_mark_says_what_was_seen_and_what_to_do(rounds, reason, seen, advice):
    assert instabilities([rounds]) == [Instability(reason, seen, advice)]


def test_an_interval_that_stayed_wide_is_marked():
    (mark,) = instabilities([STEADY], comparison(half_width=0.08))
    assert mark.reason == "the ratio is less certain than the 3% that were aimed for"
    assert mark.seen == "8% after 40 rounds"
    assert mark.advice == f"Allow more rounds. {QUIET_MACHINE}"
    assert mark.concerns == "ratio"


def test_what_is_too_wide_depends_on_what_was_aimed_for():
    assert instabilities([STEADY], comparison(half_width=0.08), target_half_width=0.1) == []
    (mark,) = instabilities([STEADY], comparison(half_width=0.02), target_half_width=0.01)
    assert mark.reason == "the ratio is less certain than the 1% that were aimed for"


def test_an_unbounded_interval_is_told_by_the_few_rounds():
    marks = instabilities([STEADY[:2]], comparison(half_width=float("inf"), rounds=2))
    assert [mark.reason for mark in marks] == ["fewer than 10 rounds were measured"]


def test_no_times_are_refused():
    with pytest.raises(InputError, match="at least one process"):
        instabilities([])
    with pytest.raises(InputError, match="at least one round"):
        instabilities([[]])


def test_an_interval_without_the_spread_between_processes_is_marked():
    (mark,) = instabilities([STEADY], comparison(half_width=0.01).model_copy(update={"processes": 1}))
    assert mark.reason == "one process of each setting was timed: how far two differ is not in the interval"
    assert mark.concerns == "ratio"
