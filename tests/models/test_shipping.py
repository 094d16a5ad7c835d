"""Models that are sent to another process: there, they are what they were, and train on as they would have."""

import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasunroll import with_unroll
from kerasunroll.errors import InputError, RunError
from kerasunroll.models.shipping.pickles import pickled, read_pickled, write_pickled
from kerasunroll.models.shipping.recipe import FunctionRecipe, recipe_of

sys.path.insert(0, str(Path(__file__).parent))
from shipped_models import MODELS, data


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shipped")
    script = Path(__file__).parent / "shipped_models.py"
    done = subprocess.run([sys.executable, script, folder], capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
def test_it_computes_the_same_and_trains_on(shipped, name, unroll):
    x, y = data()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The setting of .* is not saved")
        model = read_pickled(shipped / f"{name}.pkl").build(unroll)
    with np.load(shipped / f"{name}.npz") as expected:
        tolerance = {"rtol": 2e-2, "atol": 2e-2} if name == "mixed" else {"rtol": 1e-5, "atol": 1e-6}
        np.testing.assert_allclose(model.predict(x, batch_size=16, verbose=0), expected["before"], **tolerance)
        # With the optimiser's slots and its number of training steps, the schedule's rate and the frozen layers.
        model.fit(x, y, batch_size=16, shuffle=False, verbose=0)
        np.testing.assert_allclose(model.predict(x, batch_size=16, verbose=0), expected["after"], **tolerance)
        assert not np.allclose(expected["before"], expected["after"], rtol=1e-4)


def test_an_adapted_vocabulary_goes_along(tmp_path):
    words = keras.layers.StringLookup()
    words.adapt(["loop", "full", "loop", "k8"])
    text = keras.Input((4,), dtype="string")
    hidden = keras.layers.LSTM(3)(keras.layers.Embedding(5, 2)(words(text)))
    model = keras.Model(text, keras.layers.Dense(1)(hidden))
    model.compile("sgd", "mse")
    write_pickled(tmp_path / "model.pkl", pickled("model", recipe_of(model)))
    x = np.array([["loop", "full", "k8", "other"]])
    for copy in (read_pickled(tmp_path / "model.pkl").build(True), with_unroll(model, "full")):
        np.testing.assert_allclose(copy(x), model(x), rtol=1e-6)


def test_a_function_is_called_under_the_policy_that_was_in_force(tmp_path):
    def build(unroll):
        model = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(4, unroll=unroll)])
        model.compile("sgd", "mse")
        return model

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        write_pickled(tmp_path / "model.pkl", pickled("function", FunctionRecipe.of(build, seed=0)))
        keras.config.set_dtype_policy("float32")
        model = read_pickled(tmp_path / "model.pkl").build(True)
        assert model.layers[0].compute_dtype == "float16"
    finally:
        keras.config.set_dtype_policy(policy)


def test_a_schedule_that_cannot_be_configured_is_named():
    class Schedule(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1

    model = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(4)])
    model.compile(keras.optimizers.SGD(Schedule()), "mse")
    with pytest.raises(InputError, match=r"SGD cannot be sent.*get_config"):
        recipe_of(model)


def test_a_file_that_is_none_is_an_error(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"nothing")
    with pytest.raises(RunError, match=r"cannot be read from '.*model\.pkl'"):
        read_pickled(tmp_path / "model.pkl")
