import numpy as np
import pytest
from scipy import optimize, stats

from kerasunroll.errors import InputError
from kerasunroll.measurement.statistics.growth import Growth, fit_growth

T = np.array([25.0, 50, 100, 200, 400])


@pytest.mark.parametrize(("offset", "slope"), [(0.0, 3.0), (1.7e6, 35.0), (2.0, 0.046), (5.0, 0.0)])
def test_a_line_gives_its_offset_and_slope(offset, slope):
    growth = fit_growth(T, offset + slope * T)
    assert (growth.offset, growth.per_time_step) == pytest.approx((offset, slope), abs=1e-9)
    assert (growth.low, growth.high) == pytest.approx((slope, slope), abs=1e-9)
    assert (growth.points, growth.bends) == (5, None)


def test_what_is_nothing_does_not_grow():
    growth = fit_growth([25, 50, 100], [0, 0, 0])
    assert (growth.offset, growth.per_time_step, growth.low, growth.high, growth.bends) == (0, 0, 0, 0, None)


def test_a_large_constant_part_is_not_taken_for_slower_growth():
    """As a power law through the same points, 0.01 s for each time step upon 2 s would look like T^0.4."""
    growth = fit_growth(T, 2 + 0.01 * T)
    assert growth.per_time_step == pytest.approx(0.01)
    assert growth.power_law is None or growth.power_law.exponent < 0.5


def test_slope_and_interval_are_those_of_scipy():
    rng = np.random.default_rng(3)
    y = (2 + 0.05 * T) * np.exp(rng.normal(0, 0.05, T.size))
    growth = fit_growth(T, y)
    (offset, slope), covariance = optimize.curve_fit(lambda t, a, b: a + b * t, T, y, sigma=y)
    assert (growth.offset, growth.per_time_step) == pytest.approx((offset, slope))
    margin = stats.t.ppf(0.975, 3) * np.sqrt(covariance[1, 1])
    assert (growth.low, growth.high) == pytest.approx((slope - margin, slope + margin), rel=1e-4)


def test_interval_covers_the_slope_as_often_as_it_says():
    rng = np.random.default_rng(4)
    fits = [fit_growth(T, (2 + 0.05 * T) * rng.normal(1, 0.03, T.size)) for _ in range(1000)]
    assert 0.93 <= np.mean([fit.low <= 0.05 <= fit.high for fit in fits]) <= 0.97


@pytest.mark.parametrize(("power", "bends"), [(2.0, "up"), (1.0, None), (0.5, "down")])
def test_a_curve_that_leaves_its_line_is_said_to_bend_and_has_a_power_law(power, bends):
    growth = fit_growth(T, 3.7 * T**power)
    assert growth.bends == bends
    assert growth.power_law.exponent == pytest.approx(power)


def test_an_exponent_needs_points_that_carry_it():
    assert fit_growth(T[:4], T[:4] ** 2).power_law is None
    restless = T * np.exp(np.random.default_rng(5).normal(0, 1.0, T.size))
    assert fit_growth(T, restless).power_law is None
    assert fit_growth(T, [0, 1, 2, 3, 4]).power_law is None


def test_json_and_back():
    growth = fit_growth(T, T**1.5)
    assert Growth.model_validate_json(growth.model_dump_json()) == growth


@pytest.mark.parametrize(
    ("t", "y", "message"),
    [
        ([10, 20], [1.0], "as many figures as numbers of time steps, got 1 and 2"),
        ([10, 20, 40], [1.0, -1.0, 2.0], r"not negative, got T=\[10, 20, 40\] and y=\[1.0, -1.0, 2.0\]"),
        ([10, 20, 40], [1.0, np.nan, 2.0], "not negative"),
        ([10, 20, 40], [1.0, np.inf, 2.0], "not negative"),
        ([10, 10, 20], [1.0, 2.0, 3.0], r"three different numbers of time steps, got \[10, 10, 20\]"),
        ([], [], "three different numbers of time steps"),
    ],
)
def test_what_cannot_be_fitted_is_refused(t, y, message):
    with pytest.raises(InputError, match=message):
        fit_growth(t, y)
