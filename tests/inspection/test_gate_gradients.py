"""The gradients with respect to gates: against finite differences, formulas, and the gradients of the weights."""

import keras
import numpy as np
import pytest
from test_backward_pass import MASKS, B, F, T, U, data, two_layers

from kerasunroll.inspection import gradients_through_time, hidden_states, state_gradients

GATES = {
    "lstm": ["input_gate", "forget_gate", "candidate", "output_gate"],
    "gru_after": ["update_gate", "reset_gate", "candidate"],
    "gru_before": ["update_gate", "reset_gate", "candidate"],
}


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", GATES)
def test_derivative_of_a_gate_is_its_finite_difference(kind, mask):
    model, by_hand = two_layers(kind, unroll=False)
    x, y, mask = data(MASKS[mask])
    small = 1e-6

    found = state_gradients(model, x, y, gates=True)

    for index, layer in enumerate(found.values()):
        assert list(layer.gates) == GATES[kind]
        for gate, derivative in layer.gates.items():
            assert np.abs(derivative).max() > 1e-4
            for b, t, u in np.ndindex(derivative.shape):
                nudge = np.zeros((B, derivative.shape[2]))
                nudge[b, u] = small
                up, down = (by_hand.loss(x, y, mask, nudge={index: {(gate, t): sign * nudge}}) for sign in (1, -1))
                np.testing.assert_allclose(derivative[b, t, u], (up - down) / (2 * small), atol=1e-9)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
def test_backwards_and_through_xla_the_gates_obey_their_formulas(unroll):
    lstm = keras.layers.LSTM(U, go_backwards=True, unroll=unroll, name="lstm")
    model = keras.Sequential([keras.Input((T, F)), lstm, keras.layers.Dense(1)])
    model.compile(loss="mse")
    x, y, _ = data()

    found = gradients_through_time(model, x, y, per_unit=True, jit_compile=not unroll)["lstm"].per_unit
    states = hidden_states(model, x)["lstm"]

    later = np.concatenate([states.c[:, 1:], np.zeros((B, 1, U))], axis=1)  # processed before
    np.testing.assert_allclose(found["forget_gate"], found["c"] * later, atol=1e-12)
    np.testing.assert_allclose(found["input_gate"], found["c"] * states.gates["candidate"], atol=1e-12)
    np.testing.assert_allclose(found["candidate"], found["c"] * states.gates["input_gate"], atol=1e-12)
    np.testing.assert_allclose(found["output_gate"], found["h"] * np.tanh(states.c), atol=1e-12)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("recurrent_dropout", [0.0, 0.5], ids=["", "recurrent"])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_dropout_is_that_of_the_run(kind, recurrent_dropout):
    """Where nothing is squashed, the gradient of a bias is the sum of its gate's over the samples."""
    layer = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[kind]
    options = {"dropout": 0.5, "recurrent_dropout": recurrent_dropout, "seed": 1, "name": "layer"}
    if kind == "gru":
        options["reset_after"] = False
    linear = layer(U, activation="linear", recurrent_activation="linear", **options)
    model = keras.Sequential([keras.Input((T, F)), linear, keras.layers.Dense(1)])
    model.compile(loss="mse")
    x, y, _ = data()

    found = state_gradients(model, x, y, training=True, weights=True, gates=True)["layer"]

    bias = next(terms for path, terms in found.weights.items() if path.endswith("bias"))
    summed = np.concatenate([gate.sum(axis=0) for gate in found.gates.values()], axis=1)
    assert np.abs(bias).max() > 1e-6
    np.testing.assert_allclose(summed, bias, atol=1e-12)


def test_gradients_per_unit_have_the_norms():
    model, _ = two_layers("lstm", unroll=False)
    x, y, _ = data(MASKS["masked"])
    result = gradients_through_time(model, x, y, per_unit=True, per_sample=True, weights=False)
    without = gradients_through_time(model, x, y, per_sample=True)
    assert without["first"].per_unit == {}
    for layer in result.layers:
        assert list(layer.per_unit) == ["h", "c", *GATES["lstm"], "x"]
        np.testing.assert_array_equal(layer.unmasked, np.array(MASKS["masked"], bool))
        for name, norms in layer.norms.items():
            expected = np.linalg.norm(layer.per_unit[name], axis=2)
            np.testing.assert_allclose(norms.per_sample[layer.unmasked], expected[layer.unmasked], rtol=1e-6)
            np.testing.assert_allclose(norms.mean, without[layer.layer].norms[name].mean, rtol=1e-5)


def test_a_cell_without_gates_has_none():
    model, _ = two_layers("simple_rnn", unroll=False)
    x, y, _ = data()
    assert list(gradients_through_time(model, x, y, per_unit=True)["first"].per_unit) == ["h", "x"]
