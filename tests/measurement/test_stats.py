import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from kerasunroll.errors import InputError
from kerasunroll.measurement.planning.rules import PROCESSES
from kerasunroll.measurement.statistics.intervals import Interval, difference_interval, mean_interval
from kerasunroll.measurement.statistics.rounds import (
    MAX_ROUNDS,
    MIN_ROUNDS,
    TARGET_HALF_WIDTH,
    TimeRatio,
    _center_and_error,
    block_times,
    compare_rounds,
    needs_more_rounds,
    steady_seconds,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def rounds_of(*times: float) -> list[list[float]]:
    """One round per time, in each a block of that time."""
    return [[time] * 4 for time in times]


def process_of(*times: float) -> list[list[list[float]]]:
    """One process with these rounds."""
    return [rounds_of(*times)]


class TestByHand:
    def test_a_block_s_time_is_its_lower_quartile(self):
        assert block_times([[5.0, 1.0, 4.0, 2.0, 3.0], [7.0]]).tolist() == [2.0, 7.0]

    def test_up_to_three_quarters_of_a_block_may_be_disturbed(self):
        calm, disturbed = [1.0] * 4, [1.0] + [8.0] * 3
        assert block_times([disturbed + calm[:1]]) == block_times([calm])

    def test_ratio_is_the_interquartile_mean_of_the_log_ratios(self):
        # Sorted, of eight log ratios the middle four are those of 2, 2, 8 and 8: their mean is that of 4.
        ratios = [2, 0.01, 8, 8, 1000, 2, 1000, 0.01]
        comparison = compare_rounds(process_of(*ratios), process_of(*[1] * 8), rng=rng())
        assert comparison.ratio == pytest.approx(4)
        assert comparison.rounds == 8

    def test_only_times_of_one_round_are_compared(self):
        drift = np.geomspace(0.02, 0.2, 20)
        comparison = compare_rounds(process_of(*(1.5 * drift)), process_of(*drift), rng=rng())
        assert (comparison.low, comparison.ratio, comparison.high) == pytest.approx((1.5, 1.5, 1.5))
        assert comparison.half_width == pytest.approx(0)

    @pytest.mark.parametrize("count", [8, 24, 40])
    def test_mean_and_error_are_those_of_scipy_s_trimmed_mean(self, count):
        values = rng(count).normal(size=count)
        center, error = _center_and_error(values)
        assert center == pytest.approx(stats.trim_mean(values, 0.25))
        assert error == pytest.approx(stats.mstats.trimmed_stde(values, limits=(0.25, 0.25)))

    def test_spread_between_processes_is_student_s_and_no_round_narrows_it(self):
        """By hand: Welch's interval of the processes' times, which here are the same in every round."""
        a, b = np.array([0.020, 0.021, 0.0205]), np.array([0.030, 0.0285, 0.029, 0.031])
        drift = np.geomspace(1, 2, 40)
        comparison = compare_rounds(
            [rounds_of(*(time * drift)) for time in a], [rounds_of(*(time * drift)) for time in b], rng=rng()
        )
        expected = stats.ttest_ind(np.log(a), np.log(b), equal_var=False).confidence_interval()
        assert np.log([comparison.low, comparison.high]) == pytest.approx([expected.low, expected.high])
        assert math.log(comparison.ratio) == pytest.approx(np.log(a).mean() - np.log(b).mean())
        assert (comparison.half_width, comparison.processes) == (0, 3)
        assert not needs_more_rounds(comparison)

    def test_the_wider_of_the_two_intervals_is_said(self):
        steady = rounds_of(*[0.02] * 20)
        restless = rounds_of(*rng(3).lognormal(-4, 0.1, 20))
        alone = compare_rounds([restless], [steady], rng=rng())
        like = compare_rounds([restless] * 2, [steady] * 2, rng=rng())  # processes that do not differ at all
        assert (like.low, like.high) == (alone.low, alone.high)

    def test_without_a_process_or_with_unequal_rounds_nothing_is_compared(self):
        with pytest.raises(InputError, match="at least one process, got none"):
            compare_rounds([], process_of(1.0), rng=rng())
        with pytest.raises(InputError, match="same rounds, got 2, 1"):
            compare_rounds([rounds_of(1.0, 1.0), rounds_of(1.0)], process_of(1.0), rng=rng())

    def test_swapping_the_variants_turns_the_ratio_over(self):
        a, b = process_of(*rng(1).lognormal(0.3, 0.1, 20)), process_of(*rng(2).lognormal(0, 0.1, 20))
        there, back = compare_rounds(a, b, rng=rng()), compare_rounds(b, a, rng=rng())
        assert (there.ratio, there.low, there.high) == pytest.approx((1 / back.ratio, 1 / back.high, 1 / back.low))
        assert (there.verdict, back.verdict) == ("slower", "faster")

    @pytest.mark.parametrize(
        ("low", "high", "verdict"),
        [(0.8, 0.9, "faster"), (1.1, 1.2, "slower"), (0.9, 1.1, "no difference"), (1.0, 1.2, "no difference")],
    )
    def test_verdict_is_what_the_interval_says(self, low, high, verdict):
        comparison = TimeRatio(ratio=math.sqrt(low * high), low=low, high=high, rounds=10, half_width=0.1)
        assert comparison.verdict == verdict
        assert comparison.model_dump()["verdict"] == verdict

    @pytest.mark.parametrize("count", [1, 2, 4])
    def test_few_rounds_prove_nothing(self, count):
        comparison = compare_rounds(process_of(*[9.0] * count), process_of(*[1.0] * count), rng=rng())
        assert (comparison.low, comparison.high, comparison.verdict) == (0, math.inf, "no difference")
        assert TimeRatio.model_validate_json(comparison.model_dump_json()) == comparison

    def test_ratios_that_jump_over_all_bounds_have_an_interval_without_any(self):
        """Warnings are errors here."""
        wild = [10.0 ** (300 * (-1) ** number) for number in range(12)]
        comparison = compare_rounds(process_of(*wild), process_of(*wild[::-1]), rng=rng())
        assert (comparison.low, comparison.high, comparison.verdict) == (0, math.inf, "no difference")

    def test_same_seed_same_interval(self):
        a, b = process_of(*rng(1).lognormal(0, 0.1, 20)), process_of(*rng(2).lognormal(0, 0.1, 20))
        assert compare_rounds(a, b, rng=rng(7)) == compare_rounds(a, b, rng=rng(7))

    def test_steady_seconds_are_those_of_the_middle_rounds(self):
        assert steady_seconds(process_of(0.02, 0.02, 0.08, 0.08, 9, 9, 0.001, 0.001)) == pytest.approx(0.04)

    @pytest.mark.parametrize(
        ("a", "b", "message"),
        [
            ([], [], "at least one round of times, got none"),
            ([[1.0]], [[1.0], [1.0]], "same rounds, got 1 and 2"),
            ([[1.0], []], [[1.0], [1.0]], r"Round 2: expected a block of positive times in seconds, got \[\]"),
            ([[1.0, 0.0]], [[1.0]], r"Round 1: expected a block of positive times in seconds, got \[1.0, 0.0\]"),
            ([[math.nan]], [[1.0]], "Round 1"),
            ([[1.0]], [[math.inf]], "Round 1"),
        ],
    )
    def test_what_is_no_time_is_refused(self, a, b, message):
        with pytest.raises(InputError, match=message):
            compare_rounds([a], [b], rng=rng())


class TestStoppingRule:
    @pytest.mark.parametrize(
        ("rounds", "half_width", "more"),
        [
            (MIN_ROUNDS - 1, 0.0, True),
            (MIN_ROUNDS, TARGET_HALF_WIDTH, False),
            (MIN_ROUNDS, TARGET_HALF_WIDTH + 1e-9, True),
            (MAX_ROUNDS - 1, math.inf, True),
            (MAX_ROUNDS, math.inf, False),
        ],
    )
    @pytest.mark.parametrize("ratio", [1.0, 1.5])
    def test_it_looks_at_the_width_and_never_at_the_verdict(self, rounds, half_width, more, ratio):
        low, high = ratio * math.exp(-half_width), ratio * math.exp(half_width)
        comparison = TimeRatio(ratio=ratio, low=low, high=high, rounds=rounds, half_width=half_width)
        assert needs_more_rounds(comparison) is more

    def test_target_and_budget_are_the_caller_s(self):
        comparison = TimeRatio(ratio=1, low=0.9, high=1.1, rounds=5, half_width=0.1)
        assert not needs_more_rounds(comparison, target_half_width=0.2, min_rounds=3)
        assert not needs_more_rounds(comparison, min_rounds=3, max_rounds=5)


@dataclass(frozen=True)
class NoisyMachine:
    """A machine as noisy as the ones that were seen, on which simulated workers take turns, three of each variant.

    Its speed drifts by a factor of two over the run; a neighbour comes and goes for stretches of time; single
    training steps take 3 to 10 times as long; blocks and training steps jitter; each process is a little faster or
    slower for as long as it lives.
    """

    neighbour_on: float = 1.0
    neighbour_off: float = 3.0
    neighbour_factor: tuple[float, float] = (1.3, 2.0)
    spikes: float = 0.03
    step_jitter: float = 0.03
    block_jitter: float = 0.02
    process_jitter: float = 0.01

    def rounds(self, ratio: float, rng: np.random.Generator, block: int = 10, seconds: float = 0.02):
        """Return the processes of two variants whose training steps take `ratio` × `seconds` and `seconds`."""
        slowness = self._slowness(2 * PROCESSES * MAX_ROUNDS * block * seconds * 3, rng)
        means = seconds * np.repeat([ratio, 1.0], PROCESSES) * np.exp(rng.normal(0, self.process_jitter, 2 * PROCESSES))
        now, rounds = 0.0, [[] for _ in means]
        for _ in range(MAX_ROUNDS):
            for variant in rng.permutation(len(means)):
                times = means[variant] * slowness(now + 1.5 * means[variant] * np.arange(block))
                times *= np.exp(rng.normal(0, self.step_jitter, block) + rng.normal(0, self.block_jitter))
                times *= np.where(rng.random(block) < self.spikes, rng.uniform(3, 10, block), 1)
                rounds[variant].append(times)
                now += times.sum()
        return rounds[:PROCESSES], rounds[PROCESSES:]

    def _slowness(self, horizon: float, rng: np.random.Generator):
        stretches = rng.exponential([self.neighbour_on, self.neighbour_off], (2000, 2)).ravel()
        comings_and_goings = np.cumsum(stretches) - rng.uniform(0, 10 * (self.neighbour_on + self.neighbour_off))
        factor = rng.uniform(*self.neighbour_factor)
        phase, period = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 3) * horizon

        def slowness(times):
            on = np.searchsorted(comings_and_goings, times) % 2 == 0
            return 2 ** (0.5 + 0.5 * np.sin(2 * np.pi * times / period + phase)) * np.where(on, factor, 1)

        return slowness


MACHINES = {
    "quiet": NoisyMachine(neighbour_factor=(1, 1)),
    "neighbour for longer than a round": NoisyMachine(),
    "neighbour for shorter than a block": NoisyMachine(neighbour_on=0.1, neighbour_off=0.3),
}


def sequential_comparison(a, b, rng) -> TimeRatio:
    """Compare after every round from the first on, and stop where the rule says so."""
    for count in range(MIN_ROUNDS, MAX_ROUNDS + 1):
        ours, theirs = ([rounds[:count] for rounds in processes] for processes in (a, b))
        comparison = compare_rounds(ours, theirs, rng=rng, resamples=500)
        if not needs_more_rounds(comparison):
            break
    return comparison


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
class TestOnANoisyMachine:
    def verdicts(self, machine: NoisyMachine, ratio: float) -> list[str]:
        source = rng(2026)
        return [sequential_comparison(*machine.rounds(ratio, source), source).verdict for _ in range(100)]

    def test_without_a_difference_none_is_found_in_95_of_100(self, machine):
        assert self.verdicts(machine, ratio=1.0).count("no difference") >= 95

    @pytest.mark.parametrize(("ratio", "verdict"), [(1.1, "slower"), (1 / 1.1, "faster")])
    def test_a_difference_of_ten_percent_is_found_in_90_of_100(self, machine, ratio, verdict):
        assert self.verdicts(machine, ratio).count(verdict) >= 90


def test_intervals_hold_the_truth_as_often_as_they_say():
    """With rounds that are not normal at all, and looks after every round."""
    source = rng(5)
    held = 0
    for _ in range(200):
        log_ratios = 0.04 * source.standard_t(3, MAX_ROUNDS)
        comparison = sequential_comparison(process_of(*np.exp(log_ratios)), process_of(*[1] * MAX_ROUNDS), source)
        held += abs(math.log(comparison.ratio)) <= comparison.half_width
    assert held >= 190


@pytest.mark.parametrize("spread", [0.015, 0.03])
def test_processes_that_differ_are_not_called_different_however_much_they_do(spread):
    """0.015 was seen with TensorFlow 2.21 on two shared cores, between fresh processes of one program."""
    source = rng(6)
    machine = NoisyMachine(process_jitter=spread)
    verdicts = [compare_rounds(*machine.rounds(1.0, source), rng=source, resamples=500).verdict for _ in range(200)]
    assert verdicts.count("no difference") >= 190


class TestWhatEachProcessGivesOnce:
    """Such as its compile time."""

    def test_intervals_are_those_of_scipy(self):
        a, b = [1.0, 1.3, 1.1], [2.0, 2.4, 2.1, 1.9]
        found, expected = difference_interval(a, b), stats.ttest_ind(a, b, equal_var=False).confidence_interval()
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        found, expected = mean_interval(a), stats.ttest_1samp(a, 0).confidence_interval()
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))

    def test_a_single_value_has_no_interval_and_equal_ones_a_point(self):
        assert mean_interval([3.0]) == mean_interval([3.0, 3.0]) == Interval(3.0, 3.0, 3.0)
        assert difference_interval([3.0], [1.0]) == Interval(2.0, 2.0, 2.0)

    @pytest.mark.parametrize("spreads", [(0.05, 0.05), (0.1, 0.05)])
    def test_a_setting_beside_itself_compiles_no_longer_in_95_of_100(self, spreads):
        source = rng(8)
        found = [
            difference_interval(*(5 * source.normal(1, spread, PROCESSES) for spread in spreads)) for _ in range(2000)
        ]
        assert sum(each.low <= 0 <= each.high for each in found) >= 1900

    def test_half_as_long_again_is_found_in_95_of_100(self):
        source = rng(9)
        found = [
            difference_interval(*(seconds * source.lognormal(0, 0.05, PROCESSES) for seconds in (3.0, 2.0)))
            for _ in range(400)
        ]
        assert sum(each.low > 0 for each in found) >= 380


def test_ratios_that_differ_by_rounding_alone_are_equal():
    """Exactly twice the time in every round, at a speed that changes: logarithms of ratios differ in the last bit."""
    for seed in range(50):
        speeds = np.random.default_rng(seed).uniform(0.9, 1.1, 20)
        found = compare_rounds(
            [[[0.2 * s] * 3 for s in speeds]] * 2, [[[0.1 * s] * 3 for s in speeds]] * 2, rng=np.random.default_rng(0)
        )
        assert found.half_width == 0
        assert found.verdict == "slower"
