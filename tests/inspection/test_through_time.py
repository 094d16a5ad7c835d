import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasunroll.errors import InputError
from kerasunroll.inspection import GradientProbe, gradient_flow_summary, gradients_through_time, state_gradients

B, T, F, U = 4, 5, 2, 3
layers = keras.layers


def build(*parts, **arguments):
    model = keras.Sequential([keras.Input((T, F)), *parts], name="mine")
    model.compile(loss="mse", **arguments)
    return model


def small():
    keras.utils.set_random_seed(0)
    lstm = layers.LSTM(U, return_sequences=True, name="lstm")
    return build(layers.Masking(0.0), lstm, layers.GRU(U, name="gru"), layers.Dense(1))


def batch():
    random = np.random.default_rng(0)
    x = random.normal(size=(B, T, F)).astype("float32")
    x[:, 4], x[0, 2:], x[1, :3] = 0, 0, 0
    return x, random.normal(size=(B, 1)).astype("float32")


MASKED = [0.25, 0.25, 0.5, 0.25, 1.0]


def test_norms_are_taken_per_sample_and_reduced_over_those_that_are_not_masked():
    model, (x, y) = small(), batch()
    result = gradients_through_time(model, x, y, per_sample=True)
    raw = state_gradients(model, x, y, weights=True)

    assert [layer.layer for layer in result.layers] == ["lstm", "gru"]
    assert result.loss == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-6)
    for name in ("lstm", "gru"):
        layer = result[name]
        np.testing.assert_allclose(layer.masked, MASKED)
        for point, norms in {"x": layer.x, **layer.states}.items():
            expected = np.sqrt((raw[name].points[point].astype("float64") ** 2).sum(axis=-1))
            unmasked = np.ma.masked_array(expected, ~raw[name].unmasked)
            np.testing.assert_allclose(norms.per_sample, unmasked.filled(np.nan), rtol=1e-6)
            for reduction in ("mean", "min", "max"):
                reduced = getattr(unmasked, reduction)(axis=0).filled(np.nan)
                np.testing.assert_allclose(getattr(norms, reduction), reduced, rtol=1e-6)
            assert np.isnan(norms.mean).tolist() == [False] * 4 + [True]
        for path, terms in raw[name].weights.items():
            expected = [np.linalg.norm(term) if t < 4 else np.nan for t, term in enumerate(terms)]
            np.testing.assert_allclose(layer.weights[path], expected, rtol=1e-5)
    assert list(result["lstm"].states) == ["h", "c"]
    assert result["gru"].c is None
    assert result["gru"].output is None
    assert result["lstm"].h is result["lstm"].main
    assert len(result["lstm"].weights) == 3


def test_what_is_not_asked_for_is_not_there():
    result = gradients_through_time(small(), *batch(), weights=False)
    assert result["lstm"].weights == {}
    assert result["lstm"].h.per_sample is None


def test_a_vanishing_gradient_is_not_zero():
    """Its square is less than the smallest float32, its norm is not."""
    model = build(layers.SimpleRNN(1, activation="linear", kernel_initializer="ones", recurrent_initializer="ones"))
    weights = model.get_weights()
    model.set_weights([weights[0], weights[1] * 1e-9, weights[2]])
    x, y = batch()
    norms = gradients_through_time(model, x, y).layers[0].h.mean
    np.testing.assert_allclose(norms[1:] / norms[:-1], 1e9, rtol=1e-4)
    assert 0 < norms[0] < 1e-35


def test_sample_weights_count():
    model, (x, y) = small(), batch()
    weight = np.array([1, 0, 0, 0], "float32")
    norms = gradients_through_time(model, x, y, weight, per_sample=True)["gru"].h.per_sample
    assert norms[0, 0] > 0
    assert (norms[1:][~np.isnan(norms[1:])] == 0).all()


def test_several_inputs_and_outputs_and_an_embedding():
    words, numbers = keras.Input((T,), dtype="int32", name="words"), keras.Input((T, F), name="numbers")
    embedded = layers.Embedding(7, F, mask_zero=True)(words)
    h = layers.LSTM(U, name="of_words")(embedded)
    g = layers.GRU(U, name="of_numbers")(numbers)
    outputs = {"sum": layers.Dense(1, name="sum")(h), "class": layers.Dense(3, name="class")(g)}
    model = keras.Model({"words": words, "numbers": numbers}, outputs)
    model.compile(
        loss={"sum": "mse", "class": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
        loss_weights={"sum": 1.0, "class": 2.0},
    )
    x = {"words": np.array([[1, 2, 3, 0, 0]] * B), "numbers": np.random.default_rng(0).normal(size=(B, T, F))}
    y = {"sum": np.ones((B, 1)), "class": np.arange(B) % 3}

    result = gradients_through_time(model, x, y)

    assert {layer.layer for layer in result.layers} == {"of_words", "of_numbers"}
    np.testing.assert_array_equal(result["of_words"].masked, [0, 0, 0, 1, 1])
    assert np.isnan(result["of_words"].x.mean).tolist() == [False] * 3 + [True] * 2
    assert (result["of_numbers"].x.mean > 0).all()
    model.fit(x, y, verbose=0)  # the metrics that the loss made for itself are as good as new


@pytest.mark.parametrize("policy", ["float16", "mixed_bfloat16"])
def test_half_precision_gives_the_same_but_coarser(policy):
    (x, y), exact_model = batch(), small()
    exact = gradients_through_time(exact_model, x, y)
    keras.config.set_dtype_policy(policy)
    try:
        model = small()
    finally:
        keras.config.set_dtype_policy("float32")
    model.set_weights(exact_model.get_weights())
    assert model.layers[1].compute_dtype == policy.removeprefix("mixed_")
    result = gradients_through_time(model, x, y)
    for layer in exact.layers:
        found = result[layer.layer]
        np.testing.assert_allclose(found.h.mean, layer.h.mean, rtol=0.1)
        for terms, expected in zip(found.weights.values(), layer.weights.values(), strict=True):
            np.testing.assert_allclose(terms, expected, rtol=0.15)


def test_the_loss_scale_is_taken_out():
    """A gradient of 1e-9 is 0 in float16, unless the loss is scaled."""
    (x, y), norms = batch(), {}
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        try:
            keras.utils.set_random_seed(0)
            model = build(layers.GRU(U, name="gru"), layers.Dense(1), loss_weights=1e-8)
        finally:
            keras.config.set_dtype_policy("float32")
        norms[policy] = gradients_through_time(model, x, y)["gru"].h.mean
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert (norms["float32"] < 1e-8).all()
    np.testing.assert_allclose(norms["mixed_float16"], norms["float32"], rtol=0.1)


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_model_is_left_as_it_was(jit_compile):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(B, T, F)),
            layers.BatchNormalization(),
            layers.GRU(U, stateful=True, dropout=0.5, return_sequences=True, name="stateful"),
            layers.Bidirectional(layers.LSTM(U, stateful=True)),
            layers.Dropout(0.5),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    x, y = batch()
    model.train_on_batch(x, y)
    recurrent = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN)]
    states = [state for layer in recurrent for state in layer.states]
    watched = [*model.variables, *model.metrics_variables, *model.optimizer.variables, *states]
    before = [variable.numpy() for variable in watched]
    assert len(states) == 5
    assert all(np.abs(variable.numpy()).max() > 0 for variable in states)

    result = gradients_through_time(model, x, y, training=True, jit_compile=jit_compile)

    assert (result["stateful"].h.mean > 0).all()
    for variable, value in zip(watched, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)


def test_initial_states_of_a_stateful_layer_are_used():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(batch_shape=(B, T, F)), layers.LSTM(U, stateful=True, name="lstm")])
    model.compile(loss="mse")
    x, y = batch()[0], np.ones((B, U), "float32")
    fresh = gradients_through_time(model, x, y).loss
    model(x)
    assert gradients_through_time(model, x, y).loss == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-6)
    assert gradients_through_time(model, x, y).loss != pytest.approx(fresh, rel=1e-3)


def test_a_probe_traces_once_and_follows_the_weights():
    model, (x, y) = small(), batch()
    traces = []
    original = model.call

    def counted(*args, **kwargs):
        traces.append(1)
        return original(*args, **kwargs)

    vars(model)["call"] = counted
    probe = GradientProbe(model)
    first = probe(x, y)
    model.set_weights([2 * weight for weight in model.get_weights()])
    second = probe(x, y)
    assert len(traces) == 1
    del vars(model)["call"]
    np.testing.assert_array_equal(second["lstm"].h.mean, gradients_through_time(model, x, y)["lstm"].h.mean)
    assert first["lstm"].h.mean[0] != second["lstm"].h.mean[0]


def test_training_turns_dropout_on():
    model, (x, y) = build(layers.Dropout(0.5, seed=1), layers.GRU(U, name="gru")), batch()
    y = np.ones((B, U), "float32")
    assert gradients_through_time(model, x, y).loss == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-6)
    in_training = gradients_through_time(model, x, y, training=True)
    assert in_training.loss != pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-3)


def test_layers_that_the_loss_does_not_depend_on_are_named():
    x = keras.Input((T, F))
    cut = layers.Lambda(tf.stop_gradient, output_shape=(U,))(layers.LSTM(U, name="cut")(x))
    used, aside = layers.GRU(U, name="used")(x), layers.GRU(U, name="aside")(x)
    outputs = [layers.Dense(1)(layers.Concatenate()([used, cut])), layers.Dense(1)(aside)]
    model = keras.Model(x, outputs)
    model.compile(loss=["mse", None])
    xs, y = batch()

    result = gradients_through_time(model, xs, [y, y])

    assert [layer.layer for layer in result.layers] == ["used"]
    assert set(result.without_gradient) == {"cut", "aside"}
    assert "cut: the loss does not depend on this layer" in str(gradient_flow_summary(result))
    with pytest.raises(
        InputError, match=r"The loss does not depend on layer 'cut': it has no gradients\. Others: 'used'"
    ):
        result["cut"]
    with pytest.raises(InputError, match=r"No recurrent layer 'lstm': expected one of 'used'\."):
        result["lstm"]


def test_a_loss_that_depends_on_no_recurrent_layer_is_an_error():
    x = keras.Input((T, F), name="x")
    outputs = [layers.Dense(1)(layers.Flatten()(x)), layers.GRU(U, name="aside")(x)]
    model = keras.Model(x, outputs, name="mine")
    model.compile(loss=["mse", None])
    xs, y = batch()
    message = (
        r"The loss of model 'mine' does not depend on any of its recurrent layers \(aside\)\. Check that the output"
    )
    with pytest.raises(InputError, match=message):
        gradients_through_time(model, xs, [y, np.zeros((B, U))])


def test_nan_in_the_input_is_located_and_not_spread():
    model = build(layers.LSTM(U, name="lstm"), layers.Dense(1))
    x, y = np.random.default_rng(0).normal(size=(B, T, F)).astype("float32"), np.ones((B, 1), "float32")
    x[2, 1] = np.nan
    result = gradients_through_time(model, x, y, per_sample=True)
    assert np.isnan(result["lstm"].h.per_sample).any(axis=1).tolist() == [False, False, True, False]
    assert np.isnan(result.loss)
    assert "NaN at time steps 0-4" in gradient_flow_summary(result).describe()


BAD_BATCHES = {
    "empty": (
        np.zeros((0, T, F)),
        np.zeros((0, 1)),
        "Expected a batch of at least one sample, got x of shape (0, 5, 2).",
    ),
    "lengths": (
        np.zeros((B, T, F)),
        np.zeros((B + 1, 1)),
        "Expected all parts of a batch to have the same number of samples, but x has 4, y has 5.",
    ),
    "features": (
        np.zeros((B, T, F + 1)),
        np.zeros((B, 1)),
        "Input 'x' of model 'mine' takes the shape (any, 5, 2), got a batch of shape (4, 5, 3).",
    ),
    "time steps": (
        np.zeros((B, T - 1, F)),
        np.zeros((B, 1)),
        "Input 'x' of model 'mine' takes the shape (any, 5, 2), got a batch of shape (4, 4, 2).",
    ),
    "axes": (
        np.zeros((B, F)),
        np.zeros((B, 1)),
        "Input 'x' of model 'mine' takes the shape (any, 5, 2), got a batch of shape (4, 2).",
    ),
    "inputs": (
        [np.zeros((B, T, F))] * 2,
        np.zeros((B, 1)),
        "Model 'mine' takes 1 input(s) (x), got a batch with 2.",
    ),
    "scalar": (np.float32(1), np.zeros((B, 1)), "Expected a batch of at least one sample, got x of shape ()."),
}


@pytest.mark.parametrize("case", BAD_BATCHES)
def test_a_batch_that_does_not_fit_is_refused(case):
    x, y, message = BAD_BATCHES[case]
    model = keras.Sequential([keras.Input((T, F), name="x"), layers.GRU(U), layers.Dense(1)], name="mine")
    model.compile(loss="mse")
    with pytest.raises(InputError, match=re.escape(message)):
        gradients_through_time(model, x, y)


def test_a_last_axis_of_one_may_be_left_out_as_in_fit():
    model = keras.Sequential([keras.Input((T, 1)), layers.GRU(U, name="gru")])
    model.compile(loss="mse")
    assert gradients_through_time(model, np.ones((B, T)), np.zeros((B, U)))["gru"].h.mean.shape == (T,)


def test_an_uncompiled_model_is_refused():
    model = keras.Sequential([keras.Input((T, F)), layers.GRU(U)], name="mine")
    message = (
        r"Model 'mine' is not compiled, so it has no loss to differentiate\. Call model\.compile\(optimizer=\.\.\., "
    )
    with pytest.raises(InputError, match=message):
        gradients_through_time(model, *batch())
