"""Run two recurrent layers on the same batch, and compare all that comes out and every gradient."""

import keras
import numpy as np
import tensorflow as tf

from kerasunroll import layers as own

B, F, U = 3, 2, 4


def pair(cell, *, dtype=None, seed=3, units=U, features=F, keras_options=None, **options):
    """Return Keras's layer, which loops, and ours, with the same weights; `options` of ours may go beyond Keras's."""
    through_time = {key: options.pop(key) for key in ("unroll", "truncate", "recompute") if key in options}
    keras_layer = getattr(keras.layers, cell)(units, dtype=dtype, seed=seed, **options, **(keras_options or {}))
    own_layer = getattr(own, cell)(units, dtype=dtype, seed=seed, **options, **through_time)
    for layer in (keras_layer, own_layer):
        layer.build((None, None, features))
    draw = np.random.default_rng(0)
    weights = [draw.normal(scale=0.5, size=weight.shape) for weight in keras_layer.get_weights()]
    keras_layer.set_weights(weights)
    own_layer.set_weights(weights)
    return keras_layer, own_layer


def batch(timesteps, *, features=F, units=U, states=1, dtype="float64"):
    draw = np.random.default_rng(1)
    x = tf.constant(draw.normal(size=(B, timesteps, features)), dtype)
    return x, [tf.constant(draw.normal(size=(B, units)), dtype) for _ in range(states)]


def results(layer, x, initial_state=None, *, mask=None, training=False, graph=True, **function_options):
    """Return what a layer returns, and the gradients with respect to inputs, initial states and weights."""
    initial_state = initial_state or []

    def run(x, *initial_state):
        with tf.GradientTape() as tape:
            tape.watch([x, *initial_state])
            returned = layer(x, initial_state=list(initial_state) or None, mask=mask, training=training)
            returned = tf.nest.flatten(returned)
            # Each number counts differently, so that none can stand for another one.
            loss = tf.add_n([tf.reduce_sum(tf.cast(each, "float64") * weights_like(each)) for each in returned])
        sources = [x, *initial_state, *(variable.value for variable in layer.trainable_variables)]
        return returned, tape.gradient(loss, sources, unconnected_gradients="zero")

    run = tf.function(run, autograph=False, **function_options) if graph else run
    returned, gradients = run(x, *initial_state)
    return [each.numpy() for each in returned], [each.numpy() for each in gradients]


def weights_like(tensor):
    index = tf.range(tf.size(tensor), dtype="int32")
    return tf.sin(tf.cast(tf.reshape(index, tf.shape(tensor)), "float64") + 1)


def assert_same(one, other, tolerance=1e-9):
    for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
        np.testing.assert_allclose(a.astype("float64"), b.astype("float64"), rtol=tolerance, atol=tolerance)
