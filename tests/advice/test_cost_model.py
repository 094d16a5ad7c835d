"""The cost model against sums by hand, and its fits against machines whose costs are known."""

import pytest
from small_machine import COEFFICIENTS

from kerasunroll.advice import Layer, Network
from kerasunroll.advice.amounts import work
from kerasunroll.advice.model import Example, fit_coefficients, fit_factors, predict
from kerasunroll.settings import parse_settings


def of(setting: str, *, units: int = 10, timesteps: int = 20, batch: int = 2, layers: int = 1):
    network = Network((Layer("lstm", units, 1, timesteps),) * layers, batch)
    return work(network, [parse_settings(setting)] * layers)


def test_a_prediction_is_a_sum():
    launches, products = 20 * 1e-3, 2 * 20 * 4 * 10 * 10 * 1e-9
    found = predict("step_seconds", of("loop"), COEFFICIENTS["step_seconds"], {})
    assert found == pytest.approx(launches + products)


def test_each_kind_of_work_has_the_factor_of_this_machine():
    launches, products = 20 * 1e-3, 2 * 20 * 4 * 10 * 10 * 1e-9
    factors = {"keras launches": 3.0, "keras products": 0.5, "own launches": 100.0}
    found = predict("step_seconds", of("loop"), COEFFICIENTS["step_seconds"], factors)
    assert found == pytest.approx(3 * launches + 0.5 * products)


def test_memory_has_no_factor():
    factors = {"keras launches": 3.0, "keras copies": 3.0, "keras products": 3.0, "keras compiling": 3.0}
    coefficients = COEFFICIENTS["process_growth_bytes"]
    assert predict("process_growth_bytes", of("full"), coefficients, factors) == 50e6 + 19 * 5e6


def test_layers_add_up():
    one, two = (predict("ready_seconds", of("full", layers=n), COEFFICIENTS["ready_seconds"], {}) for n in (1, 2))
    assert (one, two) == pytest.approx((1 + 1.9, 1 + 3.8))


def test_coefficients_are_found_again():
    """From times that are sums of known parts, on networks that were not among them."""
    true = {"lstm loop": {"time_steps": 1.2e-4, "elements": 2e-8}, "keras": {"network": 2e-3, "recurrence": 3e-10}}
    shapes = [(u, t, b) for u in (16, 64, 128) for t in (10, 50, 200) for b in (8, 64)]
    works = [of("loop", units=u, timesteps=t, batch=b) for u, t, b in shapes]
    fitted = fit_coefficients(
        "step_seconds", [Example(each, predict("step_seconds", each, true, {})) for each in works]
    )
    other = of("loop", units=96, timesteps=120, batch=32)
    assert predict("step_seconds", other, fitted, {}) == pytest.approx(
        predict("step_seconds", other, true, {}), rel=1e-3
    )


def test_no_work_has_a_negative_cost():
    """Though a longer sequence took less time, by chance."""
    times = [(10, 0.02), (20, 0.019), (40, 0.018)]
    examples = [Example(of("loop", timesteps=timesteps), seconds) for timesteps, seconds in times]
    for costs in fit_coefficients("step_seconds", examples).values():
        assert all(cost > 0 for cost in costs.values())


def test_the_factors_of_a_machine_are_found_again():
    true = {"keras compiling": 2.0, "keras launches": 3.0, "own compiling": 2.0, "own launches": 3.0}
    examples = [
        (figure, Example(each, predict(figure, each, COEFFICIENTS[figure], true)))
        for each in (of("loop"), of("full"), of("own-loop", timesteps=80))
        for figure in ("ready_seconds", "step_seconds")
    ]
    found = fit_factors(examples, COEFFICIENTS)
    assert {name: found[name] for name in true} == pytest.approx(true, rel=0.1)


def test_what_was_not_measured_follows_the_rest():
    """Only Keras's layers were measured, on a machine that is twice as slow: ours will be, too."""
    examples = [
        (figure, Example(of(setting), 2 * predict(figure, of(setting), COEFFICIENTS[figure], {})))
        for setting in ("loop", "full")
        for figure in ("ready_seconds", "step_seconds")
    ]
    nothing_of_ours = Example(
        of("own-loop"), 2 * predict("ready_seconds", of("own-loop"), COEFFICIENTS["ready_seconds"], {})
    )
    found = fit_factors([*examples, ("ready_seconds", nothing_of_ours)], COEFFICIENTS)
    assert found == pytest.approx(dict.fromkeys(found, 2.0))
