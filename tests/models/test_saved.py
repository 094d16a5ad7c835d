"""A saved model as one object: what is read from its file, and what is refused."""

import json
import os
import subprocess
import sys

import keras
import pytest

from kerasunroll import layers as own
from kerasunroll.errors import InputError, SettingError
from kerasunroll.models import SavedModel, with_unroll
from kerasunroll.models.conversion.with_unroll import recurrent_places

layers = keras.layers


def save(path, *parts, **compiled):
    model = keras.Sequential([*parts])
    if compiled:
        model.compile(**compiled)
    model.save(path)
    return model


@pytest.fixture
def two_layers(tmp_path):
    path = tmp_path / "my model.keras"
    inner = layers.LSTM(3, return_sequences=True)
    save(path, keras.Input((6, 2)), layers.Bidirectional(inner, name="both"), layers.GRU(4), layers.Dense(1))
    return path


def test_it_reads_what_an_estimate_needs(two_layers):
    saved = SavedModel.read(two_layers)
    both, gru = saved.recurrent
    assert (both.name, both.cell, both.units, both.features, both.timesteps) == ("both", "lstm", 3, 2, 6)
    assert both.bidirectional
    assert not gru.bidirectional
    assert (gru.cell, gru.units, gru.features) == ("gru", 4, 6)
    assert (saved.takes, saved.input_shape, saved.compiled) == ((None, 6, 2), (6, 2), False)
    assert saved.name == "my_model-T6"


def test_it_reads_without_tensorflow(two_layers):
    program = (
        "import sys; from kerasunroll.models import SavedModel; SavedModel.read(sys.argv[1]);"
        "print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program, two_layers], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_it_goes_through_json(two_layers):
    for unroll in (False, True, 8, "own-loop", (True, 8)):
        saved = SavedModel.read(two_layers, unroll=unroll)
        again = SavedModel(**json.loads(saved.model_dump_json()))
        assert again == saved
        assert [type(each) for each in again.settings] == [type(each) for each in saved.settings]


def test_its_layers_are_those_that_with_unroll_converts(tmp_path):
    """Nested, wrapped, shared, of our own and of stacked cells: their order decides which setting is whose."""
    shared = layers.SimpleRNN(2, return_sequences=True, name="shared")
    nested = keras.Sequential([keras.Input((4, 2)), layers.GRU(2, return_sequences=True, name="nested")])
    x = inputs = keras.Input((4, 2))
    x = nested(shared(shared(x)))
    x = layers.Bidirectional(own.LSTM(2, return_sequences=True), name="both")(x)
    x = layers.RNN([layers.LSTMCell(2), layers.GRUCell(5)], return_sequences=True, name="cells")(x)
    x = layers.TimeDistributed(layers.LSTM(3, name="inner"))(layers.Reshape((4, 5, 1))(x))
    model = keras.Model(inputs, x)
    model.save(tmp_path / "model.keras")
    saved = SavedModel.read(tmp_path / "model.keras")
    wholes = dict.fromkeys(place.whole for place in recurrent_places(keras.models.load_model(tmp_path / "model.keras")))
    assert [layer.name for layer in saved.recurrent] == [whole.name for whole in wholes]
    assert [layer.cell for layer in saved.recurrent] == ["simple_rnn", "gru", "lstm", "gru", "lstm"]
    assert with_unroll(model, [2] * saved.layers)


@pytest.mark.parametrize(("jit_compile", "expected"), [(True, True), (False, False), ("auto", False)])
def test_a_compiled_model_says_so(tmp_path, jit_compile, expected):
    save(tmp_path / "a.keras", keras.Input((4, 2)), layers.GRU(2), optimizer="sgd", loss="mse", jit_compile=jit_compile)
    saved = SavedModel.read(tmp_path / "a.keras")
    assert saved.compiled
    assert saved.jit_compile is expected
    assert "its own optimizer" in saved.describe()


def test_the_data_have_to_fit(two_layers):
    saved = SavedModel.read(two_layers)
    with pytest.raises(
        InputError, match=r"takes sequences of shape \(6, 2\), the source has \(9, 2\). Give --timesteps 6"
    ):
        saved.replace(input_shape=(9, 2))
    with pytest.raises(InputError, match=r"the source has \(6,\)"):
        saved.replace(input_shape=(6,))


def test_any_length_takes_the_length_of_the_data_but_cannot_be_fully_unrolled(tmp_path):
    save(tmp_path / "a.keras", keras.Input((None, 2)), layers.GRU(2, name="rnn"))
    saved = SavedModel.read(tmp_path / "a.keras")
    assert saved.name == "a-Tany"
    assert saved.replace(input_shape=(9, 2), unroll=8).name == "a-T9"
    with pytest.raises(InputError, match=r"'rnn' of .* cannot be fully unrolled: its number of time steps is unknown"):
        saved.replace(unroll="own-full")


def test_settings_are_one_or_one_for_each_layer(two_layers):
    with pytest.raises(SettingError, match="each of the 2 layers, got 3"):
        SavedModel.read(two_layers, unroll=(True, True, True))
    with pytest.raises(SettingError, match="got 1"):
        SavedModel.read(two_layers, unroll=1)


def test_a_file_that_changes_is_noticed(two_layers):
    saved = SavedModel.read(two_layers)
    saved.check_file()
    with two_layers.open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match="has changed since the run was begun"):
        saved.check_file()
    two_layers.unlink()
    with pytest.raises(InputError, match="cannot be read any more: No such file"):
        saved.check_file()


def save_two_inputs(path):
    inputs = [keras.Input((4, 2)), keras.Input((4, 2))]
    keras.Model(inputs, layers.LSTM(2)(layers.Add()(inputs))).save(path)


def save_two_outputs(path):
    inputs = keras.Input((4, 2))
    keras.Model(inputs, [layers.LSTM(2)(inputs), layers.Flatten()(inputs)]).save(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "No such file"),
        (lambda path: path.mkdir(), "is a directory"),
        (lambda path: path.write_text("hello"), "is no .keras file"),
        (lambda path: save(path, keras.Input((4, 2)), layers.Flatten()), "has no recurrent layer"),
        (lambda path: save(path, keras.Input((4, 2)), layers.LSTM(2), layers.Lambda(lambda x: x)), "has code in it"),
        (save_two_inputs, "has 2 inputs, but a data source has one array x"),
        (save_two_outputs, "has 2 outputs"),
    ],
)
def test_a_file_that_cannot_be_measured_is_refused(tmp_path, make, message):
    path = tmp_path / "model.keras"
    make(path)
    with pytest.raises(InputError, match=message):
        SavedModel.read(path)


def test_classes_of_the_user_need_to_be_admitted(tmp_path):
    (tmp_path / "theirs.py").write_text(
        "import keras\nclass Mine(keras.layers.LSTM):\n    pass\n"
        "model = keras.Sequential([keras.Input((4, 2)), Mine(3)])\nmodel.save('mine.keras')\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", "import theirs"], cwd=tmp_path, env=environment, check=True)
    with pytest.raises(InputError, match="--custom-objects theirs:Mine"):
        SavedModel.read(tmp_path / "mine.keras")
    (layer,) = SavedModel.read(tmp_path / "mine.keras", custom_objects=["theirs:Mine"]).recurrent
    assert (layer.cell, layer.units) == ("Mine", 3)
