import math

import numpy as np
import pytest
from scipy import stats

from kerasunroll.errors import InputError
from kerasunroll.measurement.statistics.growth import growth_exponent


@pytest.mark.parametrize("exponent", [-0.5, 0.0, 1.0, 1.7, 2.0])
def test_a_power_law_gives_its_exponent(exponent):
    t = np.array([10, 25, 50, 100, 400])
    growth = growth_exponent(t, 3.7e6 * t**exponent)
    assert growth.exponent == pytest.approx(exponent, abs=1e-12)
    assert growth.low == pytest.approx(growth.high, abs=1e-9)
    assert growth.points == 5


def test_what_is_constant_does_not_grow_at_all():
    growth = growth_exponent([25, 50, 100, 400], [997] * 4)
    assert (growth.exponent, growth.low, growth.high) == (0, 0, 0)


def test_fit_and_interval_are_those_of_scipy():
    rng = np.random.default_rng(3)
    t = np.array([10.0, 20, 40, 80, 160, 320])
    y = 5 * t**1.2 * np.exp(rng.normal(0, 0.1, t.size))
    fit = stats.linregress(np.log(t), np.log(y))
    growth = growth_exponent(t, y)
    assert growth.exponent == pytest.approx(fit.slope)
    assert growth.high - growth.exponent == pytest.approx(stats.t.ppf(0.975, 4) * fit.stderr)
    assert growth.exponent - growth.low == pytest.approx(stats.t.ppf(0.975, 4) * fit.stderr)


def test_interval_covers_the_exponent_as_often_as_it_says():
    rng = np.random.default_rng(4)
    t = np.array([25.0, 50, 100, 200])
    fits = [growth_exponent(t, t**1.5 * np.exp(rng.normal(0, 0.2, t.size))) for _ in range(1000)]
    assert 0.93 <= np.mean([fit.low <= 1.5 <= fit.high for fit in fits]) <= 0.97


def test_two_points_have_no_interval():
    growth = growth_exponent([10, 20], [1.0, 4.0])
    assert growth.exponent == pytest.approx(2)
    assert (growth.low, growth.high) == (-math.inf, math.inf)
    assert type(growth).model_validate_json(growth.model_dump_json()) == growth


@pytest.mark.parametrize(
    ("t", "y", "message"),
    [
        ([10, 20], [1.0], "as many figures as numbers of time steps, got 1 and 2"),
        ([10, 20], [1.0, 0.0], r"positive values, got T=\[10, 20\] and y=\[1.0, 0.0\]"),
        ([10, 20], [1.0, math.nan], "positive values"),
        ([10, 20], [1.0, math.inf], "positive values"),
        ([10, 10], [1.0, 2.0], r"two different numbers of time steps, got \[10, 10\]"),
        ([10], [1.0], "two different numbers of time steps"),
        ([], [], "two different numbers of time steps"),
    ],
)
def test_what_cannot_be_fitted_is_refused(t, y, message):
    with pytest.raises(InputError, match=message):
        growth_exponent(t, y)
