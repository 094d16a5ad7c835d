import keras
import numpy as np
import numpy_bptt
import pytest

from kerasunroll.errors import InputError
from kerasunroll.inspection import NotFinite, StateProbe, hidden_states

B, T, F, U = 3, 5, 2, 4
layers = keras.layers


def batch():
    x = np.random.default_rng(0).normal(size=(B, T, F))
    x[0, :2], x[1, 3:], x[2, 1] = 0, 0, 0
    return x, (x != 0).any(axis=-1)


def build(*parts):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((T, F)), *parts])


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
@pytest.mark.parametrize("masked", [False, True], ids=["unmasked", "masked"])
@pytest.mark.parametrize("go_backwards", [False, True], ids=["forwards", "backwards"])
def test_states_are_those_computed_by_hand_and_carried_on_where_masked(unroll, masked, go_backwards):
    lstm = layers.LSTM(U, unroll=unroll, go_backwards=go_backwards, name="lstm")
    model = build(layers.Masking(0.0 if masked else 99.0), lstm)
    x, mask = batch()
    mask = mask if masked else np.ones_like(mask)
    order = slice(None, None, -1 if go_backwards else 1)
    cell = numpy_bptt.LSTM(*model.get_weights())
    run = cell.forward(x[:, order], mask[:, order])
    c = np.zeros((B, T, U))
    for t in range(T):
        c[:, t] = np.where(mask[:, order][:, t, None], run.tape[t][1][4], c[:, t - 1] if t else 0)

    found = hidden_states(model, x)["lstm"]

    np.testing.assert_allclose(found.h, run.h[:, order], atol=1e-12)
    np.testing.assert_allclose(found.c, c[:, order], atol=1e-12)
    np.testing.assert_array_equal(found.unmasked, mask)
    assert found.go_backwards is go_backwards
    gates = [np.stack([memory[i] for _, memory in run.tape], axis=1)[:, order] for i in range(4)]
    assert list(found.gates) == ["input_gate", "forget_gate", "candidate", "output_gate"]
    for gate, expected in zip(found.gates.values(), gates, strict=True):
        np.testing.assert_allclose(gate, np.where(mask[..., None], expected, np.nan), atol=1e-12)


ACTIVATIONS = {"activation": "softsign", "recurrent_activation": "hard_sigmoid"}


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (layers.LSTM, {}),
        (layers.LSTM, {"implementation": 1}),
        (layers.GRU, {"reset_after": True}),
        (layers.GRU, {"reset_after": False}),
    ],
    ids=["lstm", "lstm-one-gate-at-a-time", "gru-after", "gru-before"],
)
def test_gates_make_the_next_state(kind, arguments, use_bias):
    layer = kind(U, use_bias=use_bias, bias_initializer="random_normal", name="layer", **ACTIVATIONS, **arguments)
    model = build(layer)
    found = hidden_states(model, batch()[0])["layer"]
    g = found.gates
    if kind is layers.LSTM:
        c_before = np.concatenate([np.zeros((B, 1, U)), found.c[:, :-1]], axis=1)
        np.testing.assert_allclose(found.c, g["forget_gate"] * c_before + g["input_gate"] * g["candidate"], atol=1e-12)
        np.testing.assert_allclose(found.h, g["output_gate"] * found.c / (1 + np.abs(found.c)), atol=1e-12)
    else:
        h_before = np.concatenate([np.zeros((B, 1, U)), found.h[:, :-1]], axis=1)
        mixed = g["update_gate"] * h_before + (1 - g["update_gate"]) * g["candidate"]
        np.testing.assert_allclose(found.h, mixed, atol=1e-12)
        assert set(g) == {"update_gate", "reset_gate", "candidate"}
        assert g["reset_gate"].std() > 0.01


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("reset_after", [False, True])
def test_reset_gate_is_that_computed_by_hand(reset_after):
    model = build(layers.GRU(U, reset_after=reset_after, bias_initializer="random_normal", name="gru"))
    by_hand = numpy_bptt.GRUResetAfter if reset_after else numpy_bptt.GRUResetBefore
    x = batch()[0]
    run = by_hand(*model.get_weights()).forward(x)
    expected = np.stack([memory[1] for _, memory in run.tape], axis=1)
    np.testing.assert_allclose(hidden_states(model, x)["gru"].gates["reset_gate"], expected, atol=1e-12)


def test_every_cell_of_a_model_that_is_not_compiled():
    model = build(
        layers.Bidirectional(layers.GRU(U, return_sequences=True, name="gru")),
        layers.RNN([layers.LSTMCell(U, name="a"), layers.SimpleRNNCell(U, name="b")], name="cells"),
    )
    found = hidden_states(model, batch()[0])
    assert {name: (list(layer.states), len(layer.gates)) for name, layer in found.items()} == {
        "forward_gru": (["h"], 3),
        "backward_gru": (["h"], 3),
        "cells/a": (["h", "c"], 4),
        "cells/b": (["h"], 0),
    }
    assert found["cells/b"].c is None
    np.testing.assert_allclose(found["cells/b"].h[:, -1], model(batch()[0]), atol=1e-6)


def test_initial_states_and_a_stateful_layer():
    keras.utils.set_random_seed(0)
    lstm = layers.LSTM(U, stateful=True, return_sequences=True, name="lstm")
    model = keras.Sequential([keras.Input(batch_shape=(B, T, F)), layers.Masking(0.0), lstm])
    x, mask = batch()
    model(np.ones((B, T, F)))
    carried = [state.numpy() for state in lstm.states]

    found = hidden_states(model, x, jit_compile=True)["lstm"]

    np.testing.assert_allclose(found.h[0, 0], carried[0][0])  # masked at first: what was there before
    np.testing.assert_allclose(found.c[0, 1], carried[1][0])
    for state, before in zip(lstm.states, carried, strict=True):
        np.testing.assert_array_equal(state.numpy(), before)
    np.testing.assert_allclose(found.h[mask], model(x).numpy()[mask], atol=1e-6)


def test_half_precision_comes_as_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build(layers.LSTM(U, name="lstm"))
    finally:
        keras.config.set_dtype_policy("float32")
    found = hidden_states(model, batch()[0])["lstm"]
    assert {array.dtype for array in (found.h, found.c, *found.gates.values())} == {np.dtype("float32")}
    np.testing.assert_allclose(found.h[:, -1], keras.ops.cast(model(batch()[0]), "float32"), atol=1e-2)


def test_a_probe_serves_many_batches():
    model = build(layers.GRU(U, name="gru"))
    probe = StateProbe(model)
    for scale in (1, 2):
        x = scale * batch()[0]
        np.testing.assert_allclose(probe(x)["gru"].h[:, -1], model(x), atol=1e-6)


def test_a_model_without_recurrent_layers_is_refused():
    with pytest.raises(InputError, match="has no recurrent layer"):
        hidden_states(build(layers.Dense(1)), batch()[0])


@pytest.mark.parametrize("go_backwards", [False, True], ids=["forwards", "backwards"])
def test_the_first_gate_that_is_nan_is_named(go_backwards):
    first = layers.GRU(U, return_sequences=True, name="first")
    second = layers.LSTM(U, go_backwards=go_backwards, name="second")
    model = build(first, second)
    bias = second.cell.bias.numpy()
    bias[U] = np.nan  # of the forget gates
    second.cell.bias.assign(bias)
    x = batch()[0]
    expected = NotFinite("second", T - 1 if go_backwards else 0, "forget_gate", "NaN", 0)
    assert hidden_states(model, x).first_not_finite == expected
    x[2, 3] = np.nan  # what comes in is named before what it does
    assert hidden_states(model, x).first_not_finite == NotFinite("first", 3, "x", "NaN", 2)
