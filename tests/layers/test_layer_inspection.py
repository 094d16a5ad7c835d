"""Our layers can be looked into as Keras's can: gradients through time, and what really ran."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from against_keras import B, F, U

from kerasunroll import layers as own
from kerasunroll.inspection import gradients_through_time
from kerasunroll.inspection.graph.path import execution_path

T = 5


def model(module, **options):
    keras.utils.set_random_seed(0)
    stack = keras.Sequential(
        [keras.Input((T, F)), keras.layers.Masking(), module.LSTM(U, name="mine", **options), keras.layers.Dense(1)],
        name="stack",
    )
    stack.compile(loss="mse")
    return stack


@pytest.mark.parametrize("options", [{}, {"unroll": 2}, {"unroll": True}, {"unroll": 2, "recompute": 2}])
@pytest.mark.parametrize("backwards", [False, True])
def test_gradients_through_time_are_those_of_the_loop_of_keras(options, backwards):
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(B, T, F)).astype("float32"), draw.normal(size=(B, 1)).astype("float32")
    x[0, 3:] = 0
    expected = gradients_through_time(model(keras.layers, go_backwards=backwards), x, y)["mine"]
    found = gradients_through_time(model(own, go_backwards=backwards, **options), x, y)["mine"]
    for name, norms in {"x": expected.x, **expected.states}.items():
        np.testing.assert_allclose({"x": found.x, **found.states}[name].mean, norms.mean, rtol=1e-4)
    for path, norms in expected.weights.items():
        np.testing.assert_allclose(found.weights[path], norms, rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"activation": "relu"}, "while"),
        ({"activation": "relu", "unroll": 2}, "chunked by 2"),
        ({"activation": "relu", "unroll": True}, "unrolled"),
        ({"activation": "relu", "unroll": 2, "recompute": 4}, "chunked by 2"),
        ({}, "while+kernel+compiled"),
        ({"unroll": 2}, "chunked by 2+kernel+compiled"),
        ({"unroll": True}, "unrolled+kernel"),
    ],
)
def test_the_path_is_read_from_the_graph(options, path):
    stack = model(own, **options)

    @tf.function(autograph=False)
    def train(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(stack(x))
        return tape.gradient(loss, [variable.value for variable in stack.trainable_variables])

    graph = train.get_concrete_function(tf.TensorSpec([None, T, F])).graph.as_graph_def()
    assert execution_path(graph, stack) == path
