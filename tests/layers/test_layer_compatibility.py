"""The surroundings in which Keras's layers are used: each with ours. What does not work is in docs/layers.md."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from against_keras import B, F, U, assert_same, pair

from kerasunroll import layers as own

T = 5
WAYS = [{}, {"unroll": 3}, {"activation": "relu", "unroll": 3}, {"activation": "relu", "recompute": 2}]


def data():
    draw = np.random.default_rng(0)
    return draw.normal(size=(8, T, F)).astype("float32"), draw.normal(size=(8, 1)).astype("float32")


def trained(layer, **compile_options):
    """Return the weights after one epoch, begun with the same ones."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((T, F)), layer, keras.layers.Dense(1)])
    model.set_weights([np.random.default_rng(1).normal(scale=0.3, size=w.shape) for w in model.get_weights()])
    model.compile("sgd", "mse", **compile_options)
    model.fit(*data(), batch_size=2, shuffle=False, verbose=0)
    return model.get_weights()


@pytest.mark.parametrize("options", WAYS)
def test_several_training_steps_in_one_call(options):
    expected = trained(keras.layers.LSTM(U, activation=options.get("activation", "tanh")))
    assert_same(trained(own.LSTM(U, **options), steps_per_execution=2), expected, 1e-4)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("options", WAYS[1:3])
def test_half_precision(policy, options):
    activation = options.get("activation", "tanh")
    keras_layer, own_layer = (
        keras.layers.LSTM(U, dtype=policy, activation=activation),
        own.LSTM(U, dtype=policy, **options),
    )
    assert own_layer(data()[0]).dtype == keras_layer(data()[0]).dtype
    assert_same(trained(own_layer), trained(keras_layer), 0.02)


@pytest.mark.parametrize("options", WAYS)
def test_a_stateful_layer_goes_on_where_it_ended(options):
    whole, in_pieces = pair("LSTM", stateful=False, **options), own.LSTM(U, stateful=True, **options)
    x = data()[0][:B]
    in_pieces.build((B, None, F))
    in_pieces.set_weights(whole[1].get_weights())
    in_pieces(x[:, :2])
    assert_same(in_pieces(x[:, 2:]).numpy(), whole[0](x).numpy(), 1e-5)
    in_pieces.reset_state()
    assert_same(in_pieces(x).numpy(), whole[0](x).numpy(), 1e-5)


@pytest.mark.parametrize(
    ("options", "timesteps"),
    [
        ({}, T),
        ({"unroll": 3}, T),
        ({"activation": "relu", "unroll": 3}, None),
        ({"activation": "relu", "recompute": 2}, T),
    ],
)
def test_a_saved_model_serves_any_batch(options, timesteps, tmp_path):
    model = keras.Sequential([keras.Input((timesteps, F)), own.GRU(U, **options)])
    model.export(tmp_path, verbose=False)
    served = tf.saved_model.load(tmp_path)
    for batch in (1, 8):
        x = data()[0][:batch]
        assert_same(served.serve(x).numpy(), model(x).numpy(), 1e-5)


def test_inside_time_distributed():
    layer = own.GRU(U, unroll=2)
    x = np.random.default_rng(0).normal(size=(B, 3, T, F)).astype("float32")
    together = keras.layers.TimeDistributed(layer)(x).numpy()
    assert_same(together, np.stack([layer(x[:, outer]).numpy() for outer in range(3)], axis=1), 1e-5)


MIRRORED = """
import keras, numpy as np, tensorflow as tf
from kerasunroll import layers
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

def trained(strategy, **options):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = keras.Sequential([keras.Input((5, 2)), layers.LSTM(4, seed=0, **options), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
    draw = np.random.default_rng(0)
    model.fit(draw.normal(size=(8, 5, 2)), draw.normal(size=(8, 1)), shuffle=False, batch_size=8, verbose=0)
    return model.get_weights()

two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
for options in ({"unroll": 3}, {"activation": "relu", "recompute": 2}):
    for one, other in zip(trained(tf.distribute.get_strategy(), **options), trained(two, **options), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
"""


def test_mirrored_on_two_devices():
    done = subprocess.run([sys.executable, "-c", MIRRORED], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated.*:UserWarning")
def test_runs_in_the_plain_interpreter_of_tflite():
    model = keras.Sequential(
        [keras.Input((T, F)), own.LSTM(U, return_sequences=True), own.GRU(U), keras.layers.Dense(1)]
    )
    x = data()[0]
    interpreter = tf.lite.Interpreter(model_content=tf.lite.TFLiteConverter.from_keras_model(model).convert())
    (given,), (returned,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], x)
    interpreter.invoke()
    assert_same(interpreter.get_tensor(returned["index"]), model.predict(x, verbose=0), 1e-5)
