"""Every layer in every setting against Keras's loop: outputs, states, and the gradients of all that goes in."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from against_keras import B, F, U, assert_same, batch, pair, results
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kerasunroll import layers as own

MASKS = {
    "none": lambda _: None,
    "right-padded": lambda t: np.arange(t) < np.array([[t], [max(1, t // 2)], [1]]),
    "left-padded": lambda t: np.arange(t) >= np.array([[0], [t // 2], [t - 1]]),
    "holes": lambda t: np.random.default_rng(t).random((B, t)) < 0.6,
    "all masked": lambda t: np.arange(t) < np.array([[t], [0], [0]]),
}
STATES = {"SimpleRNN": 1, "LSTM": 2, "GRU": 1}


@st.composite
def cases(draw):
    timesteps = draw(st.integers(1, 9))
    unroll = draw(st.sampled_from([False, True, 2, 3, 4, 12]))
    recompute = draw(st.sampled_from([False, False, True, 2, 5]))
    if recompute not in (True, False) and type(unroll) is int and unroll > recompute:
        recompute = True
    options = {
        "unroll": unroll,
        "recompute": recompute,
        "units": draw(st.sampled_from([1, U])),
        "features": draw(st.sampled_from([1, F])),
        "return_state": True,
        "return_sequences": draw(st.booleans()),
        "go_backwards": draw(st.booleans()),
        "zero_output_for_mask": draw(st.booleans()),
        "use_bias": draw(st.sampled_from([True, True, False])),
        "activation": draw(st.sampled_from(["tanh", "tanh", "relu"])),
        "dropout": draw(st.sampled_from([0.0, 0.5])),
        "recurrent_dropout": draw(st.sampled_from([0.0, 0.0, 0.5])),
    }
    cell = draw(st.sampled_from(list(STATES)))
    if cell == "GRU":
        options["reset_after"] = draw(st.sampled_from([True, True, False]))
    return {
        "cell": cell,
        "timesteps": timesteps,
        "mask": draw(st.sampled_from(list(MASKS))),
        "begins": draw(st.booleans()),
        "training": draw(st.booleans()),
        "options": options,
    }


def check(case, dtype, tolerance):
    options = case["options"]
    keras_layer, own_layer = pair(case["cell"], dtype=dtype, **options)
    x, states = batch(
        case["timesteps"],
        features=options["features"],
        units=options["units"],
        states=STATES[case["cell"]],
        dtype=dtype,
    )
    arguments = {"mask": MASKS[case["mask"]](case["timesteps"]), "training": case["training"]}
    states = states if case["begins"] else None
    # Both layers have the same seed, and so the same dropout masks.
    expected = results(keras_layer, x, states, **arguments)
    assert_same(results(own_layer, x, states, **arguments), expected, tolerance)


# A failing example is small as it is; to look for a smaller one would take minutes.
few = settings(max_examples=12, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
many = settings(few, max_examples=600)


@given(cases())
@few
def test_same_as_the_loop_of_keras(case):
    check(case, "float64", 1e-9)


@given(cases())
@settings(few, max_examples=4)
def test_same_as_the_loop_of_keras_in_float32(case):
    check(case, "float32", 2e-5)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@given(cases())
@many
def test_same_as_the_loop_of_keras_thoroughly(case):
    check(case, "float64", 1e-9)
    check(case, "float32", 2e-5)


@pytest.mark.parametrize(("cell", "unroll"), [("LSTM", True), ("GRU", 3), ("SimpleRNN", False)])
def test_unrolled_backwards_under_a_mask_where_keras_is_wrong(cell, unroll):
    """Keras's own unroll=True zeroes the outputs of the wrong time steps here."""
    options = {"go_backwards": True, "return_sequences": True, "zero_output_for_mask": True, "dtype": "float64"}
    keras_layer, own_layer = pair(cell, unroll=unroll, **options)
    wrong, _ = pair(cell, keras_options={"unroll": True}, **options)
    x, _ = batch(7)
    mask = MASKS["right-padded"](7)
    expected = results(keras_layer, x, mask=mask)
    assert_same(results(own_layer, x, mask=mask), expected)
    assert np.abs(results(wrong, x, mask=mask)[0][0] - expected[0][0]).max() > 0.01


@pytest.mark.parametrize(
    ("unroll", "recompute", "activation"),
    [(False, False, "tanh"), (3, True, "tanh"), (True, False, "relu"), (3, False, "relu"), (False, True, "relu")],
)
def test_eagerly(unroll, recompute, activation):
    options = {"activation": activation, "return_sequences": True, "dtype": "float64"}
    keras_layer, own_layer = pair("LSTM", unroll=unroll, recompute=recompute, **options)
    x, states = batch(7, states=2)
    mask = MASKS["holes"](7)
    expected = results(keras_layer, x, states, mask=mask)
    assert_same(results(own_layer, x, states, mask=mask, graph=False), expected)


@pytest.mark.parametrize(
    ("unroll", "recompute", "timesteps", "activation"),
    [
        (False, False, 7, "tanh"),
        (3, 3, 7, "tanh"),
        (False, False, 1, "relu"),
        (3, False, 2, "relu"),
        (3, False, 9, "relu"),
        (False, True, 7, "relu"),
        (2, 3, 2, "relu"),
    ],
)
def test_an_unknown_number_of_time_steps(unroll, recompute, timesteps, activation):
    signature = [tf.TensorSpec([None, None, F], "float64")]
    options = {"activation": activation, "return_sequences": True, "dtype": "float64"}
    keras_layer, own_layer = pair("GRU", unroll=unroll, recompute=recompute, **options)
    x, _ = batch(timesteps)
    expected = results(keras_layer, x)
    assert_same(results(own_layer, x, input_signature=signature), expected)


@pytest.mark.parametrize(
    ("unroll", "recompute", "activation"),
    [(False, False, "tanh"), (4, 4, "tanh"), (4, False, "relu"), (True, False, "relu"), (False, True, "relu")],
)
def test_compiled_by_xla(unroll, recompute, activation):
    options = {"activation": activation, "return_sequences": True, "dtype": "float64"}
    keras_layer, own_layer = pair("GRU", unroll=unroll, recompute=recompute, **options)
    x, states = batch(6)
    expected = results(keras_layer, x, states)
    assert_same(results(own_layer, x, states, jit_compile=True), expected)


class Gated(keras.layers.Layer):
    """A cell with a state of two tensors of different sizes, nested, and an output that is neither."""

    state_size = (U, U + 1)
    output_size = 3

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1] + 2 * U + 1, 3), name="kernel")

    def call(self, inputs, states):
        a, b = states
        gate = keras.ops.sigmoid(keras.ops.matmul(keras.ops.concatenate([inputs, a, b], axis=-1), self.kernel))
        return gate, [a * gate[:, :1] + inputs[:, :1], b * gate[:, 1:2] - a[:, :1]]


CELLS = {
    "custom": Gated,
    "a list": lambda: [keras.layers.LSTMCell(U), keras.layers.GRUCell(U), keras.layers.SimpleRNNCell(2)],
}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("unroll", "recompute", "sequences"),
    [
        (3, False, True),
        (2, 4, False),
        pytest.param(False, False, True, marks=pytest.mark.slow),
        pytest.param(True, False, False, marks=pytest.mark.slow),
    ],
)
def test_any_cell(cell, unroll, recompute, sequences, double):
    options = {"return_sequences": sequences, "return_state": True}
    keras_layer = keras.layers.RNN(CELLS[cell](), **options)
    own_layer = own.RNN(CELLS[cell](), unroll=unroll, recompute=recompute, **options)
    x, _ = batch(7)
    for layer in (keras_layer, own_layer):
        layer.build(x.shape)
    own_layer.set_weights(keras_layer.get_weights())
    mask = MASKS["holes"](7)
    assert_same(results(own_layer, x, mask=mask), results(keras_layer, x, mask=mask))


@pytest.mark.slow
def test_convolutional_cells(double):
    """ConvLSTM is an RNN over a convolutional cell: the same cell runs in ours."""
    keras_layer = keras.layers.ConvLSTM1D(2, 3, padding="same", return_sequences=True)
    x = tf.constant(np.random.default_rng(0).normal(size=(B, 5, 6, 2)))
    keras_layer.build(x.shape)
    for unroll, recompute in [(True, False), (2, True)]:
        layer = own.RNN(keras_layer.cell, unroll=unroll, recompute=recompute, return_sequences=True)
        layer.built = True
        state = keras_layer.get_initial_state(B)
        assert_same(results(layer, x, state), results(keras_layer, x, state))
