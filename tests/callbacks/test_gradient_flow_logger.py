"""Gradients through time out of the training step itself, against the probe that computes them apart."""

import keras
import numpy as np
import pytest
from small import BATCH, CLASSES, F, T, compiled, data, fit, stack

from kerasunroll.callbacks import GradientFlowLogger, MemoryLogger, TimeLogger
from kerasunroll.callbacks.pace import Pace
from kerasunroll.errors import InputError, KerasunrollWarning
from kerasunroll.inspection import (
    GradientProbe,
    GradientsThroughTime,
    gradient_flow_summary,
    gradients_through_time,
)

PNG = b"\x89PNG\r\n\x1a\n"


def standing_still() -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(0.0)


def probed(model: keras.Model, batches: int) -> list[GradientsThroughTime]:
    """What the probe finds for each batch, with the weights as they are."""
    x, y = data(batches)
    probe = GradientProbe(model, weights=False)  # traced once for all of them
    return [probe(x[start : start + BATCH], y[start : start + BATCH]) for start in range(0, len(x), BATCH)]


def norms(found: list[GradientsThroughTime], layer: str, quantity: str) -> np.ndarray:
    of_layer = [gradients[layer] for gradients in found]
    return np.array([(each.x if quantity == "x" else each.states[quantity]).mean for each in of_layer])


@pytest.mark.parametrize(
    ("unroll", "options"),
    [
        pytest.param(False, {}, id="loop"),
        pytest.param(True, {}, id="full"),
        pytest.param(False, {"jit_compile": True}, id="loop-xla", marks=pytest.mark.slow),
        pytest.param(False, {"run_eagerly": True}, id="loop-eager", marks=pytest.mark.slow),
    ],
)
def test_gradients_are_those_of_the_training_batch(tmp_path, unroll, options):
    model, callback = compiled(stack(unroll), standing_still(), **options), GradientFlowLogger(tmp_path, 1)
    fit(model, [callback], batches=3)
    assert [history.layer for history in callback.history] == ["lstm_1", "lstm_2"]
    found = probed(model, 3)
    for history in callback.history:
        assert list(history.training_steps) == [1, 2, 3]
        for quantity in ("h", "c", "x"):  # the gates: test_arrays_for_the_tab.py
            np.testing.assert_allclose(history.norms[quantity], norms(found, history.layer, quantity), rtol=1e-4)


def test_a_layer_that_keras_unrolls_wrongly_is_trained_as_keras_does_it(tmp_path):
    """Elsewhere unrolled layers run as loops while they are tapped; here that would be another training step."""

    def model() -> keras.Model:
        keras.utils.set_random_seed(1)
        gru = keras.layers.GRU(3, unroll=True, return_sequences=True)
        layers = [keras.Input((T, F)), keras.layers.Masking(9.0), keras.layers.Bidirectional(gru)]
        return compiled(keras.Sequential([*layers, keras.layers.LSTM(2), keras.layers.Dense(CLASSES)]))

    x, y = data(1)
    x[:, -2:] = 9.0
    plain, logged = model(), model()
    plain.fit(x, y, verbose=0)
    logged.fit(x, y, verbose=0, callbacks=[GradientFlowLogger(tmp_path, 1, strict=True)])
    for a, b in zip(plain.get_weights(), logged.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_only_the_training_steps_that_are_due_are_tapped(tmp_path, events):
    model, callback = compiled(stack(), standing_still()), GradientFlowLogger(tmp_path, 4)
    fit(model, [callback], batches=6, epochs=2)
    (first, _) = callback.history
    assert list(first.training_steps) == [1, 5, 9]
    every = norms(probed(model, 6), "lstm_1", "h")
    np.testing.assert_allclose(first.norms["h"], every[[0, 4, 2]], rtol=1e-4)
    scalars = events(tmp_path / "train").scalars("gradient_through_time/lstm_1/early_to_late")
    assert list(scalars) == [1, 5, 9]


def test_the_first_training_step_of_each_epoch(tmp_path):
    callback = GradientFlowLogger(tmp_path, "epoch")
    fit(compiled(stack()), [callback], batches=3, epochs=3)
    assert list(callback.history[0].training_steps) == [1, 4, 7]


@pytest.mark.parametrize("update_freq", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_training_is_not_changed(tmp_path, update_freq):
    plain, logged = compiled(stack()), compiled(stack())
    fit(plain, [])
    fit(logged, [GradientFlowLogger(tmp_path, update_freq)])
    for a, b in zip(plain.get_weights(), logged.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_time_and_memory_are_those_of_ordinary_training_steps(tmp_path, events):
    flow, times, memory = GradientFlowLogger(tmp_path, 3), TimeLogger(tmp_path), MemoryLogger(tmp_path, 1)
    fit(compiled(stack()), [flow, times, memory])
    # Training steps 1 and 4 hand out gradients; 2 compiles the ordinary one.
    assert len(times.step_seconds) == 3
    assert set(events(tmp_path / "train").scalars("memory/tensor_peak_bytes")) == {2, 3, 5, 6}


def test_a_probe_batch_is_used_instead_of_the_training_batch(tmp_path):
    x, y = data(1)
    model = compiled(stack(), standing_still())
    callback = GradientFlowLogger(tmp_path, 2, probe=(x[:2], y[:2]))
    fit(model, [callback], batches=3)
    expected = gradients_through_time(model, x[:2], y[:2])["lstm_2"].h.mean
    (_, second) = callback.history
    assert list(second.training_steps) == [1, 3]
    np.testing.assert_allclose(second.norms["h"], [expected, expected], rtol=1e-6)


def test_scalars_and_words_are_those_of_the_summary(tmp_path, events):
    model = compiled(stack(), standing_still())
    fit(model, [GradientFlowLogger(tmp_path, 1)], batches=1)
    x, y = data(1)
    summary = gradient_flow_summary(gradients_through_time(model, x, y))
    logged = events(tmp_path / "train")
    for layer in summary.layers:
        ratio = logged.scalars(f"gradient_through_time/{layer.layer}/early_to_late")[1]
        assert ratio == pytest.approx(layer.early_to_late, rel=1e-4)
    assert logged.text("gradient_through_time/summary") == summary.describe().replace("\n", "\n\n")
    assert logged.png("gradient_through_time/lstm_1").startswith(PNG)


def test_masked_time_steps_are_marked(tmp_path):
    inputs = keras.Input((T, F))
    outputs = keras.layers.GRU(2, name="gru_1")(keras.layers.Masking(0.0)(inputs))
    model = compiled(keras.Model(inputs, keras.layers.Dense(CLASSES)(outputs)))
    x, y = data(1)
    x[:, 3:] = 0.0
    x[0, 2] = 0.0
    callback = GradientFlowLogger(tmp_path, 1)
    model.fit(x, y, batch_size=BATCH, verbose=0, callbacks=[callback])
    (history,) = callback.history
    np.testing.assert_allclose(history.masked, [[0, 0, 1 / BATCH, 1, 1]])
    assert np.isnan(history.norms["h"][0]).tolist() == [False, False, False, True, True]


def test_steps_per_execution_give_the_last_training_step(tmp_path):
    model = compiled(stack(), standing_still(), steps_per_execution=3)
    callback = GradientFlowLogger(tmp_path, 1)
    fit(model, [callback], batches=6)
    expected = norms(probed(model, 6), "lstm_1", "h")
    assert list(callback.history[0].training_steps) == [3, 6]
    np.testing.assert_allclose(callback.history[0].norms["h"], expected[[2, 5]], rtol=1e-4)


def test_a_second_fit_goes_on_and_does_not_compile_again(tmp_path):
    model, callback = compiled(stack()), GradientFlowLogger(tmp_path, 2)
    fit(model, [callback], batches=4)
    calls = []
    model.train_function.listeners.append(calls.append)
    fit(model, [callback], batches=4)
    assert list(callback.history[0].training_steps) == [1, 3, 5, 7]
    assert all(call.trace_seconds == 0 for call in calls)


def test_an_exploding_gradient_is_said_once(tmp_path):
    keras.utils.set_random_seed(1)
    growing = keras.initializers.Identity(gain=5.0)
    cell = keras.layers.SimpleRNN(F, activation=None, recurrent_initializer=growing, name="rnn")
    model = keras.Sequential([keras.Input((12, F)), cell])
    model.compile(standing_still(), "mse")
    x = np.full((8, 12, F), 1e-6, "float32")
    with pytest.warns(
        KerasunrollWarning, match=r"rnn: gradient doubles every .* The gradient explodes: clip"
    ) as caught:
        model.fit(x, np.ones((8, F)), batch_size=2, verbose=0, callbacks=[GradientFlowLogger(tmp_path, 1)])
    assert [each.category for each in caught].count(KerasunrollWarning) == 1


def test_a_dead_flow_is_said_once(tmp_path):
    keras.utils.set_random_seed(1)
    forgetting = keras.initializers.Identity(gain=1e-4)
    cell = keras.layers.SimpleRNN(F, recurrent_initializer=forgetting, name="rnn")
    model = keras.Sequential([keras.Input((30, F)), cell])
    model.compile(standing_still(), "mse")
    x = np.random.default_rng(0).normal(size=(8, 30, F)).astype("float32")
    with pytest.warns(KerasunrollWarning, match=r"rnn: gradient halves every .* The flow is dead") as caught:
        model.fit(x, np.ones((8, F)), batch_size=2, verbose=0, callbacks=[GradientFlowLogger(tmp_path, 1)])
    assert [each.category for each in caught].count(KerasunrollWarning) == 1


def test_nan_is_located(tmp_path):
    model = compiled(stack())
    x, y = data(1)
    x[0, 2, 0] = np.nan
    with pytest.warns(KerasunrollWarning, match="lstm_1: .*NaN at"):
        model.fit(x, y, batch_size=BATCH, verbose=0, callbacks=[GradientFlowLogger(tmp_path, 1)])


def test_a_model_without_recurrent_layers_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((T, F)), keras.layers.Flatten(), keras.layers.Dense(CLASSES, name="d")])
    with pytest.raises(InputError, match="has no recurrent layer"):
        fit(compiled(model), [GradientFlowLogger(tmp_path, strict=True)])


def test_a_probe_of_another_shape_is_refused(tmp_path):
    x, y = data(1)
    with pytest.raises(InputError, match="shape"):
        fit(compiled(stack()), [GradientFlowLogger(tmp_path, strict=True, probe=(x[:, :2, :1], y))])


def test_pictures_take_no_more_than_their_share():
    now = 0.0
    pace = Pace(share=0.02, clock=lambda: now)
    drawn = 0
    for _ in range(10_000):
        now += 0.02  # a training step
        if pace.allows():
            drawn += 1
            with pace.working():
                now += 0.2  # a picture
    assert 0.2 * drawn <= 0.02 * now
    assert 0.2 * drawn >= 0.015 * now
