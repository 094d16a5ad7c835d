"""The gradients themselves, against NumPy by hand, finite differences, and between settings."""

import keras
import numpy as np
import numpy_bptt
import pytest
import tensorflow as tf

from kerasunroll.inspection import state_gradients

B, T, F, U = 5, 4, 2, 3

KINDS = {
    "simple_rnn": (keras.layers.SimpleRNN, {}, numpy_bptt.SimpleRNN),
    "lstm": (keras.layers.LSTM, {}, numpy_bptt.LSTM),
    "gru_after": (keras.layers.GRU, {"reset_after": True}, numpy_bptt.GRUResetAfter),
    "gru_before": (keras.layers.GRU, {"reset_after": False}, numpy_bptt.GRUResetBefore),
}
MASKS = {
    "unmasked": None,
    "masked": [[1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 0], [0, 0, 0, 0]],  # right, left, holes, all
}
SKIPPED = 9.0


def two_layers(kind, unroll, seed=0):
    """A stack of two layers, and the same by hand."""
    layer, arguments, by_hand = KINDS[kind]
    arguments = {**arguments, "unroll": unroll, "bias_initializer": "random_normal"}
    if kind == "lstm":
        arguments["unit_forget_bias"] = False
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((T, F)),
            keras.layers.Masking(SKIPPED),
            layer(U, return_sequences=True, name="first", **arguments),
            layer(U + 1, name="second", **arguments),
            keras.layers.Dense(1),
        ]
    )
    model.compile(loss="mse")
    weights = model.get_weights()
    return model, numpy_bptt.Stack([by_hand(*weights[:3]), by_hand(*weights[3:6])], *weights[6:])


def data(mask=None):
    random = np.random.default_rng(1)
    x, y = random.normal(size=(B, T, F)), random.normal(size=(B, 1))
    mask = None if mask is None else np.asarray(mask, bool)
    if mask is not None:
        x[~mask] = SKIPPED
    return x, y, mask


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_derivative_is_that_of_backpropagation_by_hand(kind, mask, unroll):
    model, by_hand = two_layers(kind, unroll)
    x, y, mask = data(MASKS[mask])

    found = state_gradients(model, x, y, weights=True)

    assert list(found) == ["first", "second"]
    for layer, expected in zip(found.values(), by_hand.backward(x, y, mask), strict=True):
        np.testing.assert_allclose(layer.points["h"], expected.h, atol=1e-12)
        np.testing.assert_allclose(layer.points["x"], expected.x, atol=1e-12)
        if expected.c is not None:
            np.testing.assert_allclose(layer.points["c"], expected.c, atol=1e-12)
        for terms, by_time_step in zip(layer.weights.values(), expected.weights, strict=True):
            np.testing.assert_allclose(terms, by_time_step, atol=1e-12)
        np.testing.assert_array_equal(layer.unmasked, np.ones((B, T), bool) if mask is None else mask)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(("kind", "quantity"), [("simple_rnn", "h"), ("lstm", "h"), ("lstm", "c"), ("gru_after", "h")])
def test_derivative_of_a_state_is_its_finite_difference(kind, quantity):
    model, by_hand = two_layers(kind, unroll=False)
    x, y, _ = data()
    np.testing.assert_allclose(by_hand.loss(x, y), model.evaluate(x, y, verbose=0), rtol=1e-12)
    small = 1e-6

    found = state_gradients(model, x, y)

    for index, layer in enumerate(found.values()):
        derivative = layer.points[quantity]
        for b, t, u in np.ndindex(derivative.shape):
            nudge = np.zeros((B, derivative.shape[2]))
            nudge[b, u] = small
            up, down = (by_hand.loss(x, y, nudge={index: {(quantity, t): sign * nudge}}) for sign in (1, -1))
            np.testing.assert_allclose(derivative[b, t, u], (up - down) / (2 * small), atol=1e-9)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("kind", ["lstm", pytest.param("gru_after", marks=pytest.mark.slow)])
def test_xla_computes_the_same(kind):
    model, by_hand = two_layers(kind, unroll=False)
    x, y, mask = data(MASKS["masked"])

    found = state_gradients(model, x, y, weights=True, jit_compile=True)

    for layer, expected in zip(found.values(), by_hand.backward(x, y, mask), strict=True):
        np.testing.assert_allclose(layer.points["h"], expected.h, atol=1e-12)
        for terms, by_time_step in zip(layer.weights.values(), expected.weights, strict=True):
            np.testing.assert_allclose(terms, by_time_step, atol=1e-12)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
@pytest.mark.parametrize("mask", ["unmasked", "masked"])
def test_a_layer_that_goes_backwards_counts_in_sequence_order(mask, unroll):
    model = keras.Sequential(
        [
            keras.Input((T, F)),
            keras.layers.Masking(SKIPPED),
            keras.layers.LSTM(U, go_backwards=True, unroll=unroll, unit_forget_bias=False, name="lstm"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(loss="mse")
    x, y, mask = data(MASKS[mask])
    weights = model.get_weights()
    by_hand = numpy_bptt.Stack([numpy_bptt.LSTM(*weights[:3])], *weights[3:])
    (expected,) = by_hand.backward(x[:, ::-1], y, None if mask is None else mask[:, ::-1])

    found = state_gradients(model, x, y, weights=True)["lstm"]

    assert found.go_backwards
    np.testing.assert_allclose(found.points["h"], expected.h[:, ::-1], atol=1e-12)
    np.testing.assert_allclose(found.points["c"], expected.c[:, ::-1], atol=1e-12)
    np.testing.assert_allclose(found.points["x"], expected.x[:, ::-1], atol=1e-12)
    for terms, by_time_step in zip(found.weights.values(), expected.weights, strict=True):
        np.testing.assert_allclose(terms, by_time_step[::-1], atol=1e-12)
    if mask is not None:
        np.testing.assert_array_equal(found.unmasked, mask)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
def test_both_halves_of_a_bidirectional_layer(unroll):
    model = keras.Sequential(
        [
            keras.Input((T, F)),
            keras.layers.Bidirectional(
                keras.layers.GRU(U, reset_after=False, unroll=unroll, name="gru"), merge_mode="sum", name="both"
            ),
            keras.layers.Dense(1),
        ]
    )
    model.compile(loss="mse")
    x, y, _ = data()
    weights = model.get_weights()
    forward, backward = numpy_bptt.GRUResetBefore(*weights[:3]), numpy_bptt.GRUResetBefore(*weights[3:6])
    runs = forward.forward(x), backward.forward(x[:, ::-1])
    prediction = (runs[0].h + runs[1].h)[:, -1] @ weights[6] + weights[7]
    d_outputs = np.zeros((B, T, U))
    d_outputs[:, -1] = 2 * (prediction - y) / B @ weights[6].T

    found = state_gradients(model, x, y)

    np.testing.assert_allclose(found["forward_gru"].points["h"], forward.backward(runs[0], d_outputs).h, atol=1e-12)
    np.testing.assert_allclose(
        found["backward_gru"].points["h"], backward.backward(runs[1], d_outputs).h[:, ::-1], atol=1e-12
    )
    assert not found["forward_gru"].go_backwards
    assert found["backward_gru"].go_backwards


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
def test_cells_stacked_in_one_layer_are_those_of_layers_stacked(unroll):
    layers, _ = two_layers("lstm", unroll)
    cells = [keras.layers.LSTMCell(U, name="lower"), keras.layers.LSTMCell(U + 1, name="upper")]
    stacked = keras.Sequential(
        [keras.Input((T, F)), keras.layers.RNN(cells, unroll=unroll, name="rnn"), keras.layers.Dense(1)]
    )
    stacked.set_weights(layers.get_weights())
    stacked.compile(loss="mse")
    x, y, _ = data()

    expected = state_gradients(layers, x, y, weights=True)
    found = state_gradients(stacked, x, y, weights=True)

    assert list(found) == ["rnn/lower", "rnn/upper"]
    for cell, layer in zip(found.values(), expected.values(), strict=True):
        for point in ("x", "h", "c"):
            np.testing.assert_allclose(cell.points[point], layer.points[point], atol=1e-12)
        for terms, by_layer in zip(cell.weights.values(), layer.weights.values(), strict=True):
            np.testing.assert_allclose(terms, by_layer, atol=1e-12)


@keras.saving.register_keras_serializable("tests")
class LeakyCell(keras.layers.Layer):
    """s_t = decay * s_{t-1} + x_t w; the output, s_t squared, is no state."""

    def __init__(self, units, decay, **kwargs):
        super().__init__(**kwargs)
        self.units, self.decay = units, decay
        self.state_size = units
        self.output_size = units

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], self.units), name="w")

    def call(self, x, states):
        state = self.decay * states[0] + keras.ops.matmul(x, self.w)
        return state**2, [state]


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
def test_a_custom_cell_whose_output_is_no_state(unroll):
    model = keras.Sequential(
        [keras.Input((T, F)), keras.layers.RNN(LeakyCell(U, 0.5), return_sequences=True, unroll=unroll, name="leaky")]
    )
    model.compile(loss="mse")
    x = data()[0]
    y = np.zeros((B, T, U))
    (w,) = model.get_weights()
    s = np.zeros((B, T, U))
    for t in range(T):
        s[:, t] = 0.5 * s[:, t - 1] * (t > 0) + x[:, t] @ w
    d_output = 2 * s**2 / s.size
    d_state = np.zeros((B, T, U))  # as handed over: the use of s_t by the output of time step t comes before
    for t in reversed(range(T - 1)):
        d_state[:, t] = 0.5 * (d_state[:, t + 1] + d_output[:, t + 1] * 2 * s[:, t + 1])
    d_sum = d_state + d_output * 2 * s

    found = state_gradients(model, x, y, weights=True)["leaky"]

    assert set(found.points) == {"x", "state_0", "output"}
    np.testing.assert_allclose(found.points["output"], d_output, atol=1e-12)
    np.testing.assert_allclose(found.points["state_0"], d_state, atol=1e-12)
    np.testing.assert_allclose(found.points["x"], d_sum @ w.T, atol=1e-12)
    (terms,) = found.weights.values()
    np.testing.assert_allclose(terms, np.einsum("btf,btu->tfu", x, d_sum), atol=1e-12)


@keras.saving.register_keras_serializable("tests")
class ClippedCell(keras.layers.LSTMCell):
    """Hands over a carry that is not the one its h was computed from."""

    def call(self, x, states, training=False):
        h, (_, c) = super().call(x, states, training=training)
        return h, [h, 0.9 * c]


@pytest.mark.usefixtures("double")
def test_an_lstm_cell_with_a_call_of_its_own_is_a_custom_cell():
    model = keras.Sequential([keras.Input((T, F)), keras.layers.RNN(ClippedCell(U), name="rnn"), keras.layers.Dense(1)])
    model.compile(loss="mse")
    x, y, _ = data()
    with tf.GradientTape() as tape:
        loss = model.compute_loss(y=y, y_pred=model(x))
    expected = tape.gradient(loss, model.trainable_weights)

    found = state_gradients(model, x, y, weights=True)["rnn"]

    assert set(found.points) == {"x", "state_0", "state_1"}
    assert (found.points["state_1"][:, -1] == 0).all()  # it is handed to no one
    for terms, gradient in zip(found.weights.values(), expected[:3], strict=True):
        np.testing.assert_allclose(terms.sum(axis=0), gradient, atol=1e-12)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
def test_a_layer_called_twice_has_two_entries(unroll):
    shared = keras.layers.SimpleRNN(U, unroll=unroll, name="shared")
    left, right = keras.Input((T, F)), keras.Input((T, F))
    prediction = keras.layers.Dense(1)(shared(left) + 2 * shared(right))
    model = keras.Model([left, right], prediction)
    model.compile(loss="mse")
    (x, y, _), x_right = data(), np.random.default_rng(2).normal(size=(B, T, F))
    weights = model.get_weights()
    cell = numpy_bptt.SimpleRNN(*weights[:3])
    runs = cell.forward(x), cell.forward(x_right)
    d_outputs = np.zeros((B, T, U))
    prediction = (runs[0].h + 2 * runs[1].h)[:, -1] @ weights[3] + weights[4]
    d_outputs[:, -1] = 2 * (prediction - y) / B @ weights[3].T

    found = state_gradients(model, [x, x_right], y)

    assert list(found) == ["shared", "shared#2"]
    np.testing.assert_allclose(found["shared"].points["h"], cell.backward(runs[0], d_outputs).h, atol=1e-12)
    np.testing.assert_allclose(found["shared#2"].points["h"], cell.backward(runs[1], 2 * d_outputs).h, atol=1e-12)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
def test_initial_states_and_returned_states_take_part(unroll):
    sequence, h, c = keras.Input((T, F)), keras.Input((U,)), keras.Input((U,))
    lstm = keras.layers.LSTM(U, unroll=unroll, unit_forget_bias=False, return_state=True, name="lstm")
    _, _, carry = lstm(sequence, initial_state=[h, c])
    model = keras.Model([sequence, h, c], keras.layers.Dense(1)(carry))
    model.compile(loss="mse")
    x, y, _ = data()
    initial = [np.random.default_rng(seed).normal(size=(B, U)) for seed in (3, 4)]
    weights = model.get_weights()
    cell = numpy_bptt.LSTM(*weights[:3])

    def loss(nudge=None):
        run = cell.forward(x, nudge=nudge, initial=initial)
        last_carry = run.tape[-1][1][4]
        return ((last_carry @ weights[3] + weights[4] - y) ** 2).mean()

    found = state_gradients(model, [x, *initial], y)["lstm"]

    np.testing.assert_allclose(loss(), model.evaluate([x, *initial], y, verbose=0), rtol=1e-12)
    for (b, t, u), quantity in zip(np.ndindex(B, T, U), "hc" * (B * T * U // 2), strict=True):
        nudge = np.zeros((B, U))
        nudge[b, u] = 1e-6
        difference = (loss({(quantity, t): nudge}) - loss({(quantity, t): -nudge})) / 2e-6
        np.testing.assert_allclose(found.points[quantity][b, t, u], difference, atol=1e-9)


@pytest.mark.usefixtures("double")
def test_one_time_step():
    for unroll in (False, True):
        model = keras.Sequential([keras.Input((1, F)), keras.layers.GRU(U, unroll=unroll, name="gru")])
        model.compile(loss="mse")
        x, y = data()[0][:, :1], np.zeros((B, U))
        found = state_gradients(model, x, y, weights=True)["gru"]
        np.testing.assert_allclose(found.points["h"][:, 0], 2 * model(x) / (B * U), atol=1e-12)


@pytest.mark.usefixtures("double")
def test_states_of_any_rank():
    """A ConvLSTM keeps maps of units: (B, T, width, filters)."""
    found = {}
    for unroll in (False, True):
        keras.utils.set_random_seed(0)
        layer = keras.layers.ConvLSTM1D(2, 3, padding="same", unroll=unroll, name="conv")
        model = keras.Sequential([keras.Input((T, 5, F)), layer])
        model.compile(loss="mse")
        x = np.random.default_rng(0).normal(size=(B, T, 5, F))
        found[unroll] = state_gradients(model, x, np.zeros((B, 5, 2)), weights=True)["conv"]
    np.testing.assert_allclose(found[True].points["state_0"][:, -1], 2 * model(x) / (B * 10), atol=1e-12)
    assert found[True].points["state_1"].shape == (B, T, 5, 2)
    assert found[True].unmasked.shape == (B, T)
    for name in ("points", "weights"):
        for loop, full in zip(getattr(found[False], name).values(), getattr(found[True], name).values(), strict=True):
            np.testing.assert_allclose(loop, full, atol=1e-12)
