import json
import re
from inspect import signature

import keras
import numpy as np
import pytest
import tensorflow as tf
from against_keras import B, F, U, batch

from kerasunroll import layers as own
from kerasunroll.errors import InputError, SettingError

CLASSES = ["SimpleRNN", "LSTM", "GRU"]


@pytest.mark.parametrize("value", [0, 1, -4, 1.5, "fast", "full", None, [2]])
def test_a_bad_unroll_is_named_with_what_is_accepted(value):
    message = (
        "Invalid unroll: expected False (loop), True (full) or an integer k >= 2 (k time steps per loop iteration); "
        f"or 'auto', got {value!r}."
    )
    with pytest.raises(SettingError, match=re.escape(message)):
        own.LSTM(U, unroll=value)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, False, "k8"])
def test_a_bad_truncate_is_named_with_what_is_accepted(value):
    message = (
        "Invalid truncate: expected None (the gradient is not cut) or an integer k >= 1 (it is cut every k time "
        f"steps), got {value!r}."
    )
    with pytest.raises(InputError, match=re.escape(message)):
        own.GRU(U, truncate=value)


@pytest.mark.parametrize("value", [0, -1, 1.5, None, "auto"])
def test_a_bad_recompute_is_named_with_what_is_accepted(value):
    message = (
        "Invalid recompute: expected False (all is kept), True (segments of about sqrt(T) time steps) or an integer "
        f">= 1 (the time steps of a segment), got {value!r}."
    )
    with pytest.raises(InputError, match=re.escape(message)):
        own.SimpleRNN(U, recompute=value)


def test_an_iteration_longer_than_its_segment_is_a_contradiction():
    message = (
        "unroll=8 and recompute=5 contradict each other: one iteration of the loop would be longer than the segment it "
        "is a part of. Use recompute=8 or more, or unroll=5 or less."
    )
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        own.LSTM(U, unroll=8, recompute=5)


def test_cudnn_that_must_be_cannot_be_cut():
    layer = own.LSTM(U, use_cudnn=True, truncate=3)
    with pytest.raises(InputError, match=r"use_cudnn=True can run only as cuDNN does.*truncate=3"):
        layer(np.zeros((B, 4, F)))


def test_full_needs_to_know_the_number_of_time_steps():
    message = "with unroll=True needs a known number of time steps, got sequences of shape (None, None, 2)."
    layer = own.LSTM(U, unroll=True)
    run = tf.function(lambda x: layer(x), input_signature=[tf.TensorSpec([None, None, F])], autograph=False)
    with pytest.raises(InputError, match=re.escape(message)):
        run(tf.zeros([B, 4, F]))


@pytest.mark.parametrize("layer", [own.GRU(U), own.RNN(keras.layers.GRUCell(U))], ids=["GRU", "RNN"])
def test_a_wrong_rank_is_named(layer):
    with pytest.raises((InputError, ValueError), match=r"(expected ndim=3, found ndim=2|got shape \(3, 2\))"):
        layer(np.zeros((B, F), "float32"))


@pytest.mark.parametrize("name", [*CLASSES, "RNN"])
def test_the_arguments_are_those_of_keras_and_three_more(name):
    theirs, ours = (list(signature(getattr(module, name)).parameters) for module in (keras.layers, own))
    assert ours == [*theirs[:-1], "truncate", "recompute", theirs[-1]]
    positional = keras.layers.SimpleRNN(U, "relu", False), own.SimpleRNN(U, "relu", False)
    assert [(layer.activation, layer.use_bias) for layer in positional] == [(keras.activations.relu, False)] * 2


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize(
    "options", [{"unroll": 8, "truncate": 5}, {"unroll": True, "recompute": 3}, {"recompute": True}]
)
def test_a_model_is_loaded_as_it_was_saved(name, options, tmp_path):
    layer = getattr(own, name)(
        U, return_sequences=True, **options, **({} if name == "SimpleRNN" else {"use_cudnn": False})
    )
    model = keras.Sequential([keras.Input((6, F)), layer, keras.layers.Bidirectional(getattr(own, name)(2, **options))])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert [type(each) for each in loaded.layers] == [type(each) for each in model.layers]
    assert loaded.layers[0].get_config() == model.layers[0].get_config()
    for key, value in options.items():
        assert loaded.layers[0].get_config()[key] == value
        assert loaded.layers[1].backward_layer.get_config()[key] == value
    assert getattr(loaded.layers[0], "use_cudnn", False) is False
    x = batch(6, dtype="float32")[0]
    np.testing.assert_array_equal(loaded(x), model(x))


def test_a_stack_of_cells_is_rebuilt_from_its_configuration():
    layer = own.RNN([keras.layers.LSTMCell(3), keras.layers.GRUCell(2)], unroll=4, truncate=2)
    again = own.RNN.from_config(json.loads(json.dumps(layer.get_config())))
    assert again.get_config() == layer.get_config()
    assert (again.unroll, again.truncate, len(again.cell.cells)) == (4, 2, 2)


def test_weights_are_those_of_keras_in_the_same_order():
    for name in CLASSES:
        layers = [getattr(module, name)(U, name="layer") for module in (keras.layers, own)]
        for layer in layers:
            layer.build((None, None, F))
        assert [w.path for w in layers[0].weights] == [w.path for w in layers[1].weights]


def test_a_variable_of_time_steps_is_named_after_its_time_step():
    layer = own.LSTM(U, unroll=True, activation="relu", name="mine")
    backwards = own.LSTM(U, unroll=True, activation="relu", go_backwards=True, name="back")
    graph = tf.function(lambda x: backwards(layer(x)[:, None])).get_concrete_function(tf.TensorSpec([B, 3, F])).graph
    names = {name for op in graph.get_operations() for name in re.findall(r"mine_\d+/(t\d{3})/", op.name)}
    assert names == {"t000", "t001", "t002"}
