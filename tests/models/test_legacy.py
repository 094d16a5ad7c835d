"""HDF5 files, the format of Keras 2: converted on their way in, where Keras's safe mode allows it."""

import json
import shutil

import h5py
import keras
import numpy as np
import pytest

from kerasunroll import with_unroll
from kerasunroll.cache import CACHE_VARIABLE
from kerasunroll.cli import main
from kerasunroll.errors import InputError
from kerasunroll.models.files.loading import load_model
from kerasunroll.models.files.saved import SavedModel

X = np.random.default_rng(0).normal(size=(3, 6, 2)).astype("float32")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A model in an HDF5 file, with what Keras 2 wrote into the configuration of its recurrent layers."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6, 2)), keras.layers.LSTM(4, name="lstm"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    path = tmp_path_factory.mktemp("hdf5") / "old.h5"
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        lstm = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "LSTM")
        lstm["config"]["time_major"] = False
        file.attrs["model_config"] = json.dumps(config)
    return path, model.predict(X, verbose=0)


@pytest.mark.parametrize("name", ["old.h5", "old.hdf5", "called.keras"])
def test_a_model_in_an_hdf5_file_is_loaded_whole(whole, tmp_path, name):
    path = shutil.copy(whole[0], tmp_path / name)
    model = load_model(path)
    np.testing.assert_allclose(model.predict(X, verbose=0), whole[1], rtol=1e-6)
    assert model.compiled
    assert with_unroll(model, True).get_layer("lstm").unroll is True


def test_it_is_converted_once(whole, cache):
    load_model(whole[0])
    (made,) = cache.rglob("*.keras")
    before = made.stat().st_mtime_ns
    saved = SavedModel.read(whole[0])
    assert saved.path == str(made)
    assert saved.takes == (None, 6, 2)
    assert made.stat().st_mtime_ns == before


def test_the_command_line_takes_it(whole, capsys):
    with pytest.raises(SystemExit) as end:
        main(["check", str(whole[0]), "--unroll", "full", "--training-steps", "1"])
    assert not end.value.code
    assert "equal to rounding" in capsys.readouterr().out


def test_code_in_it_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((6, 2)), keras.layers.Lambda(lambda x: 2 * x), keras.layers.GRU(2)])
    model.save(tmp_path / "lambda.h5")
    with pytest.raises(InputError, match=r"lambda\.h5' has code in it"):
        load_model(tmp_path / "lambda.h5")


def test_weights_alone_are_refused(tmp_path):
    model = keras.Sequential([keras.Input((6, 2)), keras.layers.GRU(2)])
    model.save_weights(tmp_path / "x.weights.h5")
    with pytest.raises(InputError, match=r"holds weights and no model\. Build the model in Python"):
        load_model(tmp_path / "x.weights.h5")


def test_a_class_of_the_users_own_is_asked_for(tmp_path):
    class Mine(keras.layers.Layer):
        def call(self, x):
            return x

    keras.Sequential([keras.Input((6, 2)), Mine(), keras.layers.GRU(2)]).save(tmp_path / "mine.h5")
    with pytest.raises(InputError, match=r"an HDF5 file, cannot be loaded: .*--custom-objects module:name"):
        load_model(tmp_path / "mine.h5")
    assert load_model(tmp_path / "mine.h5", custom_objects=[Mine]).count_params() > 0
