"""What is logged of models with a `train_step` of their own."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from custom_models import LOSS, Adversaries, Alternating, ByHand, OwnLoss, PartOfTheWeights, Subclassed, TwoOptimizers
from small import BATCH, F, T, data, fit

from kerasunroll.callbacks import GradientFlowLogger, GradientNormLogger, GraphLogger, comparison_callbacks
from kerasunroll.errors import InputError, KerasunrollWarning


def made(kind, learning_rate: float = 0.1, **options) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = kind()
    model.compile(optimizer=keras.optimizers.SGD(learning_rate), loss=LOSS, **options)
    return model


def first_gradients(kind, batches: int, scales=None) -> dict[str, float]:
    """The norms in the first training step, from a tape around the model as it is at first."""
    model, (x, y) = made(kind), data(batches)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(y=tf.constant(y[:BATCH]), y_pred=model(x[:BATCH]))
    gradients = tape.gradient(loss, model.trainable_variables)
    paths = [variable.path.removeprefix(f"{model.name}/") for variable in model.trainable_variables]
    return {
        path: (scales or {}).get(path.split("/")[0], 1.0) * float(tf.norm(gradient))
        for path, gradient in zip(paths, gradients, strict=True)
        if gradient is not None
    }


def logged_norms(events, training_step: int) -> dict[str, float]:
    values = {tag.removeprefix("gradient_norm/"): events.scalars(tag) for tag in events.tags if "gradient_norm" in tag}
    return {path: norms[training_step] for path, norms in values.items() if training_step in norms}


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize("kind", [Subclassed, OwnLoss])
def test_a_subclassed_model_is_logged_whole_though_it_is_built_by_its_first_batch(tmp_path, events, kind, run_eagerly):
    x, _ = data(1)
    model = made(kind, run_eagerly=run_eagerly)
    fit(model, comparison_callbacks(tmp_path, update_freq=1, states_of=x[:1], strict=True), batches=2)
    train = events(tmp_path / "train")
    assert {"gradient_through_time/recurrent", "state/recurrent", "memory/process_bytes", "batch_loss"} <= train.tags
    norms = logged_norms(train, 1)
    expected = first_gradients(kind, 2)
    assert norms.pop("global") == pytest.approx(np.linalg.norm(list(expected.values())), rel=1e-4)
    assert norms == pytest.approx(expected, rel=1e-4)
    assert "recurrent" in {name.split("/")[0] for name in train.node_names("forward")}


def test_callbacks_do_not_change_what_a_model_that_is_not_built_learns(tmp_path):
    plain, logged = made(Subclassed), made(Subclassed)
    fit(plain, [])
    fit(logged, comparison_callbacks(tmp_path, update_freq=1, strict=True))
    for a, b in zip(plain.get_weights(), logged.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_sequential_without_an_input_is_logged(tmp_path, events):
    model = keras.Sequential([keras.layers.GRU(3, name="gru"), keras.layers.Dense(3)])
    model.compile("sgd", LOSS)
    fit(model, comparison_callbacks(tmp_path, update_freq=1, strict=True), batches=2)
    assert "gradient_through_time/gru" in events(tmp_path / "train").tags


def test_gradients_of_two_optimisers_are_seen(tmp_path, events):
    fit(made(TwoOptimizers), comparison_callbacks(tmp_path, update_freq=1, strict=True), batches=2)
    train = events(tmp_path / "train")
    norms = logged_norms(train, 1)
    del norms["global"]
    expected = first_gradients(Subclassed, 2, {"head": 2.0})
    assert norms == pytest.approx(expected, rel=1e-4)
    assert "gradient_through_time/recurrent" in train.tags


def test_weights_that_alternate_have_norms_in_turns(tmp_path, events):
    fit(made(Alternating), [GradientNormLogger(tmp_path, strict=True)], batches=5)
    train = events(tmp_path / "train")
    for training_step in range(1, 6):
        networks = {path.split("/")[0] for path in logged_norms(train, training_step)} - {"global"}
        assert networks == {"critic" if training_step % 2 else "maker"}


def test_gradients_through_time_of_two_networks_that_learn_from_each_other(tmp_path, events):
    fit(made(Adversaries), [GradientNormLogger(tmp_path, strict=True), GradientFlowLogger(tmp_path, 1, strict=True)])
    tags = events(tmp_path / "train").tags
    assert {"gradient_through_time/maker_gru", "gradient_through_time/critic_lstm"} <= tags
    assert {"gradient_norm/maker/maker_gru/gru_cell/bias", "gradient_norm/critic/critic_lstm/lstm_cell/bias"} <= tags


def test_a_model_without_a_call_trains_and_what_is_missing_is_said(tmp_path, events):
    model = made(Alternating)
    with pytest.warns(KerasunrollWarning) as caught:
        fit(model, comparison_callbacks(tmp_path, update_freq=1))
    said = [str(warning.message) for warning in caught if warning.category is KerasunrollWarning]
    assert len(said) == 2
    assert any(text.startswith("Gradients through time are no longer logged") for text in said)
    assert any("no forward pass to show" in text for text in said)
    assert int(model.turn.numpy()) == 6
    tags = events(tmp_path / "train").tags
    assert {"batch_loss", "gradient_norm/global", "memory/process_bytes", "graph/training_step_nodes"} <= tags
    assert {"time/step_seconds", "time/compile_seconds"} <= tags


def test_gradients_applied_by_hand_are_not_seen_and_said(tmp_path, events):
    model = made(ByHand)
    with pytest.warns(KerasunrollWarning, match="gives no gradients to a Keras optimiser"):
        fit(model, comparison_callbacks(tmp_path, update_freq=1))
    tags = events(tmp_path / "train").tags
    assert "gradient_through_time/recurrent" in tags
    assert not [tag for tag in tags if tag.startswith("gradient_norm")]
    with pytest.raises(InputError, match=r"optimizer\.apply"):
        fit(made(ByHand), [GradientNormLogger(tmp_path, strict=True)])


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_a_loss_of_part_of_the_weights(tmp_path, events):
    with pytest.warns(KerasunrollWarning) as caught:
        fit(made(PartOfTheWeights), [GradientNormLogger(tmp_path), GradientFlowLogger(tmp_path)])
    said = [str(warning.message) for warning in caught if warning.category is KerasunrollWarning]
    assert len(said) == 2
    assert "does not depend on 'recurrent/lstm_cell/kernel', 'recurrent/lstm_cell/recurrent_kernel'" in said[0]
    assert "its loss does not depend on them" in said[1]
    norms = logged_norms(events(tmp_path / "train"), 1)
    del norms["global"]
    assert norms == pytest.approx(first_gradients(PartOfTheWeights, 6), rel=1e-4)


class RunsInAFunctionOfItsOwn(Subclassed):
    """A recurrent layer inside a `tf.function`, where it cannot be tapped."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent.build((None, T, F))
        self.inner = tf.function(self.recurrent.__call__)

    def call(self, x):
        return self.head(self.inner(x))


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_a_layer_that_cannot_be_tapped_costs_the_gradients_through_time_alone(tmp_path, events, run_eagerly):
    plain, logged = made(RunsInAFunctionOfItsOwn), made(RunsInAFunctionOfItsOwn, run_eagerly=run_eagerly)
    fit(plain, [])
    with pytest.warns(KerasunrollWarning, match="where it can be observed"):
        fit(logged, comparison_callbacks(tmp_path, update_freq=1))
    for a, b in zip(plain.get_weights(), logged.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert len(events(tmp_path / "train").scalars("gradient_norm/global")) == 6


class Broken(Subclassed):
    def call(self, x):
        raise ZeroDivisionError(f"T = {T}")


def test_an_error_of_the_models_own_reaches_the_user(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of what it cannot build
        with pytest.raises(ZeroDivisionError, match="T = 5"):
            fit(made(Broken), [GradientNormLogger(tmp_path), GraphLogger(tmp_path), GradientFlowLogger(tmp_path)])
