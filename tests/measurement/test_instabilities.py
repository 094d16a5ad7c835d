import numpy as np
import pytest

from kerasunroll.errors import InputError
from kerasunroll.measurement.instabilities import Instability, instabilities
from kerasunroll.measurement.stats import Comparison

QUIET_MACHINE = "Close other programs, or pin the run to cores of its own (taskset)."


def comparison(half_width: float, rounds: int = 40) -> Comparison:
    return Comparison(ratio=1, low=0.9, high=1.1, rounds=rounds, half_width=half_width)


STEADY = [[0.020, 0.0201, 0.0202, 0.0203]] * 12


def test_steady_times_have_no_mark():
    assert instabilities(STEADY) == []
    assert instabilities(STEADY, comparison(half_width=0.03)) == []


def test_single_spikes_are_no_reason_for_a_mark():
    assert instabilities([[*block, 0.2] for block in STEADY]) == []


@pytest.mark.parametrize(
    ("rounds", "reason", "advice"),
    [
        (STEADY[:4], "only 4 of at least 10 rounds were measured", "Allow more time."),
        (
            [[0.02, 0.02, 0.03, 0.03]] * 12,
            "within a block, the middle half of the training steps spreads by 40%",
            QUIET_MACHINE,
        ),
        (
            [[time] * 4 for time in np.linspace(0.02, 0.04, 12)],
            "from the first third of the rounds to the last, training steps became 1.64× slower",
            "Let the machine come to rest (heat, power saving), then measure again.",
        ),
        (
            [[time] * 4 for time in np.linspace(0.04, 0.02, 12)],
            "from the first third of the rounds to the last, training steps became 1.64× faster",
            "Let the machine come to rest (heat, power saving), then measure again.",
        ),
        (
            [[time] * 4 for time in (0.02, 0.04, 0.02) * 4],
            "the slow rounds took 2.00× the time of the fast ones",
            QUIET_MACHINE,
        ),
    ],
)
def test_each_mark_says_what_was_seen_and_what_to_do(rounds, reason, advice):
    assert instabilities(rounds) == [Instability(reason, advice)]


def test_an_interval_that_stayed_wide_is_marked():
    (mark,) = instabilities(STEADY, comparison(half_width=0.08))
    assert mark.reason == "after 40 rounds the ratio is still uncertain by 8%, 3% was aimed for"
    assert mark.advice == f"Allow more rounds. {QUIET_MACHINE}"


def test_an_unbounded_interval_is_told_by_the_few_rounds():
    marks = instabilities(STEADY[:2], comparison(half_width=float("inf"), rounds=2))
    assert [mark.reason for mark in marks] == ["only 2 of at least 10 rounds were measured"]


def test_no_times_are_refused():
    with pytest.raises(InputError, match="at least one round"):
        instabilities([])
