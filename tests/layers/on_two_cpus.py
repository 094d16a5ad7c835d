"""Differentiates a layer on one logical CPU whose loss is on another; prints the largest difference from Keras.

A program of its own, because the CPU must be divided before TensorFlow starts. `test_differentiation` runs it.
"""

import sys

import keras
import tensorflow as tf
from against_keras import batch, pair

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")


def run(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        with tf.device("CPU:1"):
            y = layer(x)
        with tf.device("CPU:0"):
            loss = tf.reduce_sum(y**2)
    return y, tape.gradient(loss, [x, *(variable.value for variable in layer.trainable_variables)])


x, _ = batch(5)
for options in ({}, {"unroll": 3}, {"unroll": True}):
    keras_layer, layer = pair("LSTM", return_sequences=True, **options)
    y, found = tf.function(run, autograph=False)(layer, x)
    placed, _ = run(layer, x)
    assert placed.device.endswith("CPU:1"), placed.device
    expected = run(keras_layer, x)
    pairs = zip([y, *found], tf.nest.flatten(expected), strict=True)
    sys.stdout.write(f"{max(float(tf.reduce_max(tf.abs(a - b))) for a, b in pairs)}\n")
