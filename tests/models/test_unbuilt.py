"""Models that are not built: a `Sequential` without `Input`, and subclassed models."""

import keras
import numpy as np
import pytest

from kerasunroll import variants, with_unroll
from kerasunroll.errors import InputError
from kerasunroll.inspection import GradientProbe, StateProbe, gradients_through_time, hidden_states, parity
from kerasunroll.models.building import build_from, is_built

X = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("float32")
Y = np.ones((3, 1), "float32")


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    def __init__(self, units=3, **options):
        super().__init__(**options)
        self.units = units
        self.recurrent = keras.layers.LSTM(units, name="recurrent")
        self.head = keras.layers.Dense(1)

    def call(self, x):
        return self.head(self.recurrent(x))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def subclassed():
    return Subclassed()


def sequential():
    return keras.Sequential([keras.layers.LSTM(3, name="recurrent"), keras.layers.Dense(1)])


pytestmark = pytest.mark.filterwarnings("ignore:The setting of 'recurrent' is not saved")


@pytest.fixture(params=[subclassed, sequential], ids=["subclassed", "sequential"])
def unbuilt(request):
    def make(called=False):
        keras.utils.set_random_seed(3)
        model = request.param()
        model.compile("sgd", "mse")
        if called:
            model(X)
        assert is_built(model) is called
        return model

    return make


def test_building_gives_the_weights_of_the_first_call(unbuilt):
    built, called = unbuilt(), unbuilt(called=True)
    build_from(built, X)
    for a, b in zip(built.get_weights(), called.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_gradients_and_states_build_from_the_batch(unbuilt):
    expected = gradients_through_time(unbuilt(called=True), X, Y)["recurrent"].h.mean
    np.testing.assert_allclose(gradients_through_time(unbuilt(), X, Y)["recurrent"].h.mean, expected)
    np.testing.assert_allclose(GradientProbe(unbuilt())(X, Y)["recurrent"].h.mean, expected)
    states = hidden_states(unbuilt(called=True), X)["recurrent"].h
    np.testing.assert_array_equal(hidden_states(unbuilt(), X)["recurrent"].h, states)
    np.testing.assert_array_equal(StateProbe(unbuilt())(X)["recurrent"].h, states)


def test_parity_builds_from_the_batch(unbuilt):
    assert parity(unbuilt(), unbuilt(), (X, Y), training_steps=0).verdict == "identical"


def test_with_unroll_builds_from_a_batch_and_else_asks_for_one(unbuilt):
    model = unbuilt()
    with pytest.raises(InputError, match=r"is not built, .* or pass with_unroll such a batch: x="):
        with_unroll(model, True)
    full = with_unroll(model, True, x=X)
    assert next(layer for layer in full._flatten_layers() if layer.name == "recurrent").unroll is True
    np.testing.assert_allclose(full(X), model(X), rtol=1e-5, atol=1e-7)


def test_variants_that_are_not_built_would_have_other_weights():
    def factory(unroll):
        return keras.Sequential([keras.layers.LSTM(3, unroll=unroll)])

    with pytest.raises(InputError, match="'loop' is not built"):
        variants(factory, ["loop", "full"])
