import math

import numpy as np
import pytest

from kerasunroll.errors import InputError
from kerasunroll.inspection import GradientsThroughTime, LayerGradients, NormsOverTime, gradient_flow_summary


def norms(values):
    values = np.asarray(values, float)
    return NormsOverTime(mean=values, min=values, max=values)


def result(values, *, masked=None, go_backwards=False, c=None, x=None, without_gradient=()):
    values = np.asarray(values, float)
    layer = LayerGradients(
        layer="lstm_2",
        go_backwards=go_backwards,
        masked=np.zeros(values.size) if masked is None else np.asarray(masked, float),
        x=norms(np.ones(values.size) if x is None else x),
        states={"h": norms(values)} | ({} if c is None else {"c": norms(c)}),
        output=None,
        weights={},
    )
    return GradientsThroughTime(loss=1.0, layers=(layer,), without_gradient=without_gradient)


def fading(time_steps, half_life):
    return 0.5 ** (np.arange(time_steps)[::-1] / half_life)


def test_a_gradient_that_halves_has_that_half_life():
    flow = gradient_flow_summary(result(7e-3 * fading(64, 1.1)))["lstm_2"]
    assert flow.half_life == pytest.approx(1.1)
    assert flow.doublings_per_time_step == pytest.approx(-1 / 1.1)
    assert flow.doubling_time == math.inf
    assert flow.r_squared == pytest.approx(1)
    # 2 ** (-d / 1.1) < 1e-6 from d = 22 time steps before the last on
    assert (flow.vanished, flow.exploded, flow.time_steps, flow.last) == (42, 0, 64, 63)
    assert flow.vanished_share == 42 / 64
    assert flow.early_to_late == pytest.approx(2 ** (-58 / 1.1))
    assert flow.describe() == (
        "lstm_2: gradient halves every 1.1 time steps; 42 of 64 time steps receive less than 1e-06 of the last"
    )


def test_a_gradient_that_grows_has_a_doubling_time():
    flow = gradient_flow_summary(result(1 / fading(30, 2.0)))["lstm_2"]
    assert flow.doubling_time == pytest.approx(2)
    assert flow.half_life == math.inf
    # 2 ** (d / 2) > 1000 from d = 20 on
    assert (flow.vanished, flow.exploded) == (0, 10)
    assert flow.exploded_share == 1 / 3
    assert flow.describe() == (
        "lstm_2: gradient doubles every 2.0 time steps on its way back; "
        "10 of 30 time steps receive more than 1000 times the last"
    )


def test_a_steady_gradient():
    flow = gradient_flow_summary(result(np.full(20, 3.0)))["lstm_2"]
    assert flow.half_life == flow.doubling_time == math.inf
    assert flow.early_to_late == 1
    assert flow.describe() == "lstm_2: gradient neither halves nor doubles over 20 time steps"


def test_a_layer_that_goes_backwards_begins_its_way_back_at_time_step_0():
    flow = gradient_flow_summary(result(fading(40, 1.0)[::-1], go_backwards=True))["lstm_2"]
    assert flow.half_life == pytest.approx(1)
    assert flow.last == 0
    assert flow.early_to_late == pytest.approx(2.0**-36)
    assert flow.describe() == (
        "lstm_2: gradient halves every 1.0 time steps; "
        "20 of 40 time steps receive less than 1e-06 of the last processed (t = 0)"
    )


def test_masked_time_steps_do_not_count_but_time_passes():
    values = fading(20, 2.0)
    values[5:15] = np.nan
    masked = np.r_[np.zeros(5), np.ones(10), np.full(5, 0.5)]
    flow = gradient_flow_summary(result(values, masked=masked))["lstm_2"]
    assert flow.time_steps == 10
    assert flow.half_life == pytest.approx(2)
    assert flow.nan == ()


def test_time_steps_after_the_last_that_the_loss_looks_at_do_not_count():
    flow = gradient_flow_summary(result(np.r_[fading(10, 1.0), np.zeros(6)]))["lstm_2"]
    assert (flow.time_steps, flow.last) == (10, 9)
    assert flow.half_life == pytest.approx(1)


def test_a_gradient_that_reaches_zero_has_vanished_there():
    flow = gradient_flow_summary(result(np.r_[np.zeros(5), fading(5, 1.0)]))["lstm_2"]
    assert (flow.time_steps, flow.vanished) == (10, 5)
    assert flow.early_to_late == 0
    assert flow.half_life == pytest.approx(1)


def test_no_gradient_at_all():
    flow = gradient_flow_summary(result(np.zeros(6)))["lstm_2"]
    assert flow.time_steps == 0
    assert flow.last is None
    assert math.isnan(flow.early_to_late)
    assert math.isnan(flow.vanished_share)
    assert math.isnan(flow.doublings_per_time_step)
    assert flow.describe() == "lstm_2: no gradient arrives: it is exactly 0 at every time step"


def test_one_time_step_has_no_trend():
    flow = gradient_flow_summary(result([0.5]))["lstm_2"]
    assert math.isnan(flow.half_life)
    assert flow.early_to_late == 1
    assert flow.describe() == "lstm_2: gradient arrives at too few time steps for a trend"


def test_nan_and_inf_are_located():
    values = fading(8, 2.0)
    values[[0, 1, 2, 5]], values[3] = np.nan, np.inf
    x = np.ones(8)
    x[6] = np.nan
    flow = gradient_flow_summary(result(values, x=x))["lstm_2"]
    assert flow.nan == (0, 1, 2, 5, 6)
    assert flow.inf == (3,)
    assert flow.half_life == pytest.approx(2)
    assert flow.describe().endswith("; NaN at time steps 0-2, 5-6; infinite at time step 3")
    assert gradient_flow_summary(result(np.full(4, np.nan))).describe() == "lstm_2: NaN at time steps 0-3"


def test_a_poor_fit_says_so():
    values = np.array([1, 1000.0] * 10) * fading(20, 2.0)
    flow = gradient_flow_summary(result(values))["lstm_2"]
    assert flow.r_squared < 0.5
    logarithm = np.log2(values[::-1])
    assert flow.doublings_per_time_step == pytest.approx(np.polyfit(np.arange(20), logarithm, 1)[0])
    assert flow.r_squared == pytest.approx(np.corrcoef(np.arange(20), logarithm)[0, 1] ** 2)
    assert f"(a rough fit, R² {flow.r_squared:.2f})" in flow.describe()


def test_thresholds_are_arguments():
    flow = gradient_flow_summary(result(fading(10, 1.0)), vanished_below=0.1, exploded_above=1.5)["lstm_2"]
    assert flow.vanished == 6
    assert "6 of 10 time steps receive less than 0.1 of the last" in flow.describe()


def test_other_quantities():
    found = result(fading(10, 1.0), c=fading(10, 3.0), x=fading(10, 4.0))
    assert gradient_flow_summary(found, quantity="c")["lstm_2"].half_life == pytest.approx(3)
    assert gradient_flow_summary(found, quantity="x")["lstm_2"].half_life == pytest.approx(4)
    with pytest.raises(InputError, match=r"No layer has the quantity 'q': expected one of c, h, x\."):
        gradient_flow_summary(found, quantity="q")


def test_layers_without_gradient_are_named():
    flow = gradient_flow_summary(result(np.ones(3), without_gradient=("gru_3",)))
    assert str(flow).splitlines()[1] == "gru_3: the loss does not depend on this layer"
    with pytest.raises(InputError, match=r"No recurrent layer 'lstm' with a gradient: expected one of 'lstm_2'\."):
        flow["lstm"]


@pytest.mark.parametrize(("below", "above"), [(0, 1), (1, 1), (2, 1), (math.nan, 1)])
def test_thresholds_out_of_order_are_refused(below, above):
    with pytest.raises(InputError, match=r"Expected 0 < vanished_below < exploded_above, got vanished_below="):
        gradient_flow_summary(result([1.0]), vanished_below=below, exploded_above=above)
