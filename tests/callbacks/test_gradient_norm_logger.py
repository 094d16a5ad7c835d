"""The logged norms against norms computed by hand with a gradient tape."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import BATCH, compiled, data, fit, stack

from kerasunroll.callbacks import GradientNormLogger
from kerasunroll.errors import InputError, KerasunrollWarning


def norms_by_hand(model: keras.Model, batches: int = 6) -> list[dict[str, float]]:
    """The norms of each batch's gradient, with the weights as they are."""
    x, y = data(batches)
    rows = []
    for start in range(0, len(x), BATCH):
        with tf.GradientTape() as tape:
            loss = model.loss(y[start : start + BATCH], model(x[start : start + BATCH], training=True))
        gradients = [np.asarray(g, "float64") for g in tape.gradient(loss, model.trainable_variables)]
        row = {
            variable.path.removeprefix(model.name + "/"): np.linalg.norm(gradient)
            for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
        }
        rows.append({"global": np.sqrt(sum(np.sum(g**2) for g in gradients)), **row})
    return rows


def standing_still(**options) -> keras.optimizers.Optimizer:
    """An optimiser that leaves the weights alone, so that the norms of all batches can be computed afterwards."""
    return keras.optimizers.SGD(0.0, **options)


@pytest.mark.parametrize(
    ("unroll", "optimizer", "compile_options"),
    [
        pytest.param(True, {}, {}, id="full"),
        pytest.param(True, {}, {"jit_compile": True}, id="full-xla", marks=pytest.mark.slow),
        pytest.param(False, {}, {}, id="loop"),
        pytest.param(False, {"clipnorm": 1e-3}, {}, id="clipnorm"),
        pytest.param(False, {"global_clipnorm": 1e-3}, {}, id="global_clipnorm"),
        pytest.param(False, {"clipvalue": 1e-4}, {}, id="clipvalue"),
        pytest.param(False, {"gradient_accumulation_steps": 3}, {}, id="accumulation"),
        pytest.param(False, {"loss_scale_factor": 128.0}, {}, id="loss_scale_factor"),
        pytest.param(False, {}, {"steps_per_execution": 4}, id="steps_per_execution"),
        pytest.param(False, {}, {"jit_compile": True}, id="xla"),
        pytest.param(False, {}, {"run_eagerly": True}, id="eager"),
    ],
)
def test_norms_are_those_of_the_gradients_the_optimizer_receives(tmp_path, events, unroll, optimizer, compile_options):
    model = compiled(stack(unroll), standing_still(**optimizer), **compile_options)
    fit(model, [GradientNormLogger(tmp_path)])
    logged = events(tmp_path / "train")
    expected = norms_by_hand(model)
    assert logged.tags == {f"gradient_norm/{name}" for name in expected[0]}
    for name in expected[0]:
        scalars = logged.scalars(f"gradient_norm/{name}")
        assert list(scalars) == [1, 2, 3, 4, 5, 6]
        np.testing.assert_allclose(list(scalars.values()), [row[name] for row in expected], rtol=1e-4)


def test_norms_are_divided_by_the_loss_scale_of_mixed_precision(tmp_path, events):
    optimizer = keras.optimizers.LossScaleOptimizer(standing_still(), initial_scale=2.0**10)
    model = compiled(stack(policy="mixed_float16"), optimizer)
    fit(model, [GradientNormLogger(tmp_path)])
    scalars = events(tmp_path / "train").scalars("gradient_norm/global")
    exact = stack()
    exact.compile(loss=model.loss)
    exact.set_weights(model.get_weights())
    expected = [row["global"] for row in norms_by_hand(exact)]
    np.testing.assert_allclose(list(scalars.values()), expected, rtol=2e-2)


def test_an_overflow_under_a_loss_scale_is_logged_as_it_is(tmp_path, events):
    optimizer = keras.optimizers.LossScaleOptimizer(standing_still(), initial_scale=2.0**40)
    fit(compiled(stack(policy="mixed_float16"), optimizer), [GradientNormLogger(tmp_path)], batches=1)
    assert not np.isfinite(events(tmp_path / "train").scalars("gradient_norm/global")[1])


def test_an_embedding_row_used_twice_counts_with_the_sum_of_its_gradients(tmp_path, events):
    tokens = np.array([[1, 1, 2, 1]] * 4)
    target = np.array([0.0, 1.0, 2.0, 3.0])
    model = keras.Sequential([keras.Input((4,)), keras.layers.Embedding(3, 2), keras.layers.SimpleRNN(1, name="rnn")])
    model.compile(standing_still(), "mse")
    model.fit(tokens, target, verbose=0, callbacks=[GradientNormLogger(tmp_path)])
    logged = events(tmp_path / "train")
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(tokens)[:, 0] - target) ** 2)
    by_hand = np.linalg.norm(tf.convert_to_tensor(tape.gradient(loss, model.trainable_variables[0])))
    (tag,) = [tag for tag in logged.tags if tag.endswith("embeddings")]
    assert logged.scalars(tag)[1] == pytest.approx(by_hand, rel=1e-5)


def test_training_is_not_changed():
    plain, logged = compiled(stack()), compiled(stack())
    fit(plain, [])
    fit(logged, [GradientNormLogger("unused-because-nothing-is-due", update_freq=10_000)])
    for a, b in zip(plain.get_weights(), logged.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_model_and_optimizer_are_left_as_they_were(tmp_path):
    model = compiled(stack())
    fit(model, [GradientNormLogger(tmp_path)])
    assert "train_step" not in vars(model)
    assert "apply" not in vars(model.optimizer)


def test_a_second_fit_goes_on_and_does_not_compile_again(tmp_path, events):
    model = compiled(stack(), standing_still())
    callback = GradientNormLogger(tmp_path)
    fit(model, [callback])
    function = model.train_function
    fit(model, [callback])
    assert model.train_function is function
    scalars = events(tmp_path / "train").scalars("gradient_norm/global")
    assert list(scalars) == list(range(1, 13))
    np.testing.assert_allclose([scalars[n] for n in range(1, 7)], [scalars[n] for n in range(7, 13)], rtol=1e-6)


def test_a_fit_without_the_callback_in_between_is_left_out(tmp_path, events):
    model = compiled(stack())
    callback = GradientNormLogger(tmp_path)
    for callbacks in ([callback], [], [callback]):
        fit(model, callbacks)
    assert list(events(tmp_path / "train").scalars("gradient_norm/global")) == [*range(1, 7), *range(13, 19)]


def test_more_training_steps_than_the_buffer_holds(tmp_path, events):
    model = compiled(stack(), standing_still())
    fit(model, [GradientNormLogger(tmp_path)], batches=5, epochs=40)
    scalars = events(tmp_path / "train").scalars("gradient_norm/global")
    assert list(scalars) == list(range(1, 201))
    one_epoch = [row["global"] for row in norms_by_hand(model, batches=5)]
    np.testing.assert_allclose(list(scalars.values()), one_epoch * 40, rtol=1e-4)


@pytest.mark.parametrize(("update_freq", "expected"), [(1, [1, 2, 3, 4, 5, 6]), (4, [4]), ("epoch", [3, 6])])
def test_frequency(tmp_path, events, update_freq, expected):
    fit(compiled(stack()), [GradientNormLogger(tmp_path, update_freq)], batches=3, epochs=2)
    assert list(events(tmp_path / "train").scalars("gradient_norm/global")) == expected


@pytest.mark.parametrize("update_freq", [0, -1, 1.5, "often", None, True])
def test_a_nonsense_frequency_is_refused(tmp_path, update_freq):
    with pytest.raises(InputError, match=r"update_freq: expected 'epoch', 'batch' or a positive number .*, got"):
        GradientNormLogger(tmp_path, update_freq)


def test_a_weight_that_the_loss_does_not_depend_on_is_named(tmp_path, events):
    inputs = keras.Input((5, 2))
    unused = keras.layers.Dense(1, name="unused")(inputs)
    model = keras.Model(inputs, [keras.layers.LSTM(2, name="lstm_1")(inputs), unused])
    model.compile("sgd", loss=["mse", None])
    x = np.ones((4, 5, 2), "float32")
    with pytest.warns() as caught:
        model.fit(x, np.ones((4, 2)), verbose=0, callbacks=[GradientNormLogger(tmp_path)])
    said = [str(warning.message) for warning in caught if warning.category is KerasunrollWarning]
    assert any("does not depend on 'unused/kernel'" in message for message in said)
    tags = events(tmp_path / "train").tags
    assert "gradient_norm/lstm_1/lstm_cell/kernel" in tags
    assert "gradient_norm/unused/kernel" not in tags
