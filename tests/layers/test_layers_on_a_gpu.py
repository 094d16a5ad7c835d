"""Which code runs on a GPU, read from graphs that are traced without one: cuDNN's operation is known everywhere.

The only stand-in is the answer to Keras's question whether there is a GPU. What it makes of the answer is its own code.
"""

import keras
import pytest
import tensorflow as tf

from kerasunroll import layers as own
from kerasunroll.inspection.graph.path import execution_path
from kerasunroll.models import StackConfig, build_stack

B, T, F, U = 4, 6, 3, 5


@pytest.fixture(autouse=True)
def a_gpu(monkeypatch):
    """TensorFlow says that it has a GPU."""
    really = tf.config.list_logical_devices
    monkeypatch.setattr(
        tf.config, "list_logical_devices", lambda kind=None: ["a GPU"] if kind == "GPU" else really(kind)
    )


def traced(model, training=False):
    """Return the graph of the forward and the backward pass."""

    @tf.function(autograph=False)
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(x, training=training))
        return tape.gradient(loss, [variable.value for variable in model.trainable_variables])

    return step.get_concrete_function(tf.TensorSpec([B, T, F])).graph.as_graph_def()


def path(*layers, training=False):
    model = keras.Sequential([keras.Input((T, F), batch_size=B), *layers])
    return execution_path(traced(model, training), model)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(
    ("setting", "options", "expected"),
    [
        (False, {}, "cudnn"),
        (False, {"use_cudnn": False}, "while"),
        (True, {}, "unrolled"),
        (3, {}, "chunked by 3+kernel+compiled"),
        ("own-loop", {}, "cudnn"),
        ("own-loop", {"use_cudnn": False}, "while+kernel+compiled"),
        ("own-full", {}, "unrolled+kernel"),
    ],
)
def test_only_loops_run_in_cudnn(cell, setting, options, expected):
    config = StackConfig(cell=cell, input_shape=(T, F), units=(U, U), unroll=setting, cell_kwargs=options)
    model = build_stack(config)
    assert execution_path(traced(model), model) == expected


@pytest.mark.parametrize("setting", [False, "own-loop"])
def test_a_simple_rnn_never_does(setting):
    model = build_stack(StackConfig(cell="simple_rnn", input_shape=(T, F), units=U, unroll=setting))
    assert "cudnn" not in execution_path(traced(model), model)


@pytest.mark.parametrize(
    ("name", "options", "ours"),
    [
        ("LSTM", {"activation": "relu"}, "while"),
        ("LSTM", {"recurrent_activation": "hard_sigmoid"}, "while"),
        ("GRU", {"reset_after": False}, "while"),
        ("LSTM", {"use_bias": False}, "while+kernel+compiled"),
        ("GRU", {"use_bias": False}, "while+kernel+compiled"),
        ("LSTM", {"recurrent_dropout": 0.2}, "while+kernel+compiled"),
    ],
)
def test_what_cudnn_cannot_compute_runs_in_our_own_way_and_not_in_keras_loop(name, options, ours, monkeypatch):
    assert path(getattr(keras.layers, name)(U, **options)) == "while"
    layer = getattr(own, name)(U, **options)
    monkeypatch.setattr(keras.layers.RNN, "inner_loop", None)  # Keras's own loop cannot be called
    assert path(layer) == ours


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_dropout_of_the_input_and_masks_do_not_keep_cudnn_from_running(name):
    for module in (keras.layers, own):
        assert path(keras.layers.Masking(), getattr(module, name)(U, dropout=0.2), training=True) == "cudnn"


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_both_directions_run_in_cudnn_unless_it_is_switched_off(name):
    for module in (keras.layers, own):
        assert path(keras.layers.Bidirectional(getattr(module, name)(U))) == "cudnn"
    # Keras 3.8 to 3.11 forget it for their own layers.
    assert path(keras.layers.Bidirectional(getattr(own, name)(U, use_cudnn=False))) == "while+kernel+compiled"


@pytest.mark.parametrize(
    ("options", "may"),
    [
        ({}, False),
        ({"use_cudnn": False}, True),
        ({"unroll": True}, True),
        ({"unroll": 3}, True),
        ({"truncate": 2}, True),
        ({"recompute": True}, True),
        ({"recurrent_dropout": 0.2}, True),
    ],
)
def test_xla_may_compile_our_layers_unless_cudnn_runs_them(options, may):
    for layer_class in (own.LSTM, own.GRU):
        layer = layer_class(U, **options)
        assert layer.supports_jit is may
        assert ("cudnn" in path(layer, training=True)) is not may


def test_xla_that_is_asked_for_is_refused_by_keras_where_cudnn_runs():
    model = keras.Sequential([keras.Input((T, F)), own.LSTM(U)])
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        model.compile("sgd", "mse", jit_compile=True)
    assert execution_path(traced(model), model) == "cudnn"
