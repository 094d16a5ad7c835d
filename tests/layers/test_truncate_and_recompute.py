"""The gradient that is cut, against a sequence cut by hand; the gradient that is recomputed, and what it keeps."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from against_keras import B, F, U, assert_same, batch, pair, results

from kerasunroll import layers as own
from kerasunroll.errors import InputError

T = 7


class CutByHand(keras.layers.Layer):
    """Runs a layer of Keras over piece after piece of the sequence, each begun with states that have no gradient."""

    def __init__(self, layer, length):
        super().__init__(dtype="float64")
        self.layer, self.length = layer, length
        self.supports_masking = True

    def call(self, x, initial_state=None, mask=None, training=False):
        states, outputs = initial_state, []
        for begin in range(0, x.shape[1], self.length):
            now = slice(begin, begin + self.length)
            piece = None if mask is None else mask[:, now]
            output, *states = self.layer(x[:, now], initial_state=states, mask=piece, training=training)
            states = [tf.stop_gradient(state) for state in states]
            outputs.append(output)
        return tf.concat(outputs, axis=1)


@pytest.mark.parametrize(
    ("cell", "activation", "truncate", "unroll", "recompute"),
    [
        ("LSTM", "tanh", 3, False, False),
        ("LSTM", "tanh", 3, True, False),
        ("GRU", "tanh", 4, 2, True),
        ("SimpleRNN", "tanh", 1, 4, False),
        ("LSTM", "relu", 2, 3, 3),
        ("GRU", "relu", 3, False, False),
        ("GRU", "relu", 9, 2, False),
        ("SimpleRNN", "selu", 3, True, False),
    ],
)
def test_truncated_is_cut_by_hand(cell, activation, truncate, unroll, recompute):
    """The sequence is cut in a layer that loops; its outputs under a mask are zeros, as no piece repeats another's."""
    options = {"return_sequences": True, "dtype": "float64", "activation": activation, "zero_output_for_mask": True}
    piece, _ = pair(cell, return_state=True, **options)
    _, layer = pair(cell, unroll=unroll, truncate=truncate, recompute=recompute, **options)
    x, states = batch(T, states=2 if cell == "LSTM" else 1)
    by_hand = CutByHand(piece, truncate)
    for mask in (None, np.random.default_rng(0).random((B, T)) < 0.7):
        assert_same(results(layer, x, states, mask=mask), results(by_hand, x, states, mask=mask))


def test_backwards_the_cuts_are_counted_as_time_steps_are_processed():
    options = {"return_sequences": True, "dtype": "float64", "unroll": 2, "truncate": 3}
    (_, forward), (_, backward) = pair("LSTM", **options), pair("LSTM", go_backwards=True, **options)
    x, _ = batch(T)
    outputs, (of_x, *of_weights) = results(forward, tf.reverse(x, [1]))
    assert_same(results(backward, x), (outputs, [of_x[:, ::-1], *of_weights]))


@pytest.mark.parametrize("unroll", [False, True])
def test_a_repeated_output_keeps_its_gradient_across_a_cut(unroll):
    """The one unmasked time step is the first, the only output the last: nothing but the mask lies in between."""
    mask = np.arange(T) < np.ones((B, 1))
    x, _ = batch(T)
    keras_layer, layer = pair("LSTM", unroll=unroll, truncate=2, dtype="float64")
    assert_same(results(layer, x, mask=mask), results(keras_layer, x, mask=mask))


@pytest.mark.parametrize("dropout", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}])
@pytest.mark.parametrize("graph", [True, False], ids=["graph", "eager"])
def test_recomputed_dropout_is_the_same_dropout(dropout, graph):
    keras_layer, layer = pair("GRU", recompute=3, dtype="float64", **dropout)
    x, states = batch(T)
    expected = results(keras_layer, x, states, training=True)
    assert_same(results(layer, x, states, training=True, graph=graph), expected)


class Noisy(keras.layers.SimpleRNNCell):
    def call(self, inputs, states, training=False):
        noise = keras.random.normal(keras.ops.shape(inputs), seed=self.seed_generator, dtype=inputs.dtype)
        return super().call(inputs + noise, states, training=training)


def test_a_cell_that_would_not_repeat_itself_is_not_recomputed():
    x, _ = batch(T)
    with pytest.raises(InputError, match="recompute needs a cell that computes the same when it is run again"):
        results(own.RNN(Noisy(U, dtype="float64"), recompute=True, dtype="float64"), x)


class OverMemory(keras.layers.SimpleRNNCell):
    """A cell that looks at a tensor from outside, as attention does."""

    memory = None

    def call(self, inputs, states, training=False):
        return super().call(inputs + self.memory, states, training=training)


@pytest.mark.parametrize("graph", [True, False], ids=["graph", "eager"])
def test_what_a_cell_uses_from_outside_gets_its_gradient(graph):
    x, _ = batch(T)
    memory = tf.constant(np.random.default_rng(2).normal(size=(B, F)))
    gradients = []
    for recompute in (False, 3):
        keras.utils.set_random_seed(0)
        layer = own.RNN(OverMemory(U, dtype="float64"), recompute=recompute, dtype="float64")
        layer.build(x.shape)

        def run(memory, layer=layer):
            with tf.GradientTape() as tape:
                tape.watch(memory)
                layer.cell.memory = 2 * memory
                loss = tf.reduce_sum(layer(x) ** 2)
            return tape.gradient(loss, memory)

        gradients.append((tf.function(run) if graph else run)(memory).numpy())
    assert np.abs(gradients[0]).max() > 0.01
    assert_same(*gradients)


def peak_bytes(layer, x):
    """The most memory that tensors take in a forward and a backward pass."""

    @tf.function(autograph=False)
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x) ** 2)
        return tape.gradient(loss, [x, *(variable.value for variable in layer.trainable_variables)])

    run(x)
    before = tf.config.experimental.get_memory_info("CPU:0")["current"]
    tf.config.experimental.reset_memory_stats("CPU:0")
    for _ in range(10):  # the halves of a batch do not always meet at their peaks
        run(x)
    return tf.config.experimental.get_memory_info("CPU:0")["peak"] - before


@pytest.mark.parametrize("activation", ["tanh", "relu"], ids=["kernel", "general"])
def test_recomputing_keeps_about_the_square_root_of_the_time_steps(activation):
    def peak(timesteps, recompute):
        layer = own.LSTM(32, activation=activation, recompute=recompute)
        return peak_bytes(layer, tf.zeros([16, timesteps, 1]))

    kept, recomputed, four_times_longer = peak(100, False), peak(100, True), peak(400, True)
    assert recomputed < 0.45 * kept
    assert four_times_longer < 2.6 * recomputed


@pytest.mark.parametrize("activation", ["tanh", "relu"], ids=["kernel", "general"])
def test_second_derivatives_are_right(activation):
    keras_layer, layer = pair("LSTM", activation=activation, unroll=3, dtype="float64")
    x, _ = batch(T)

    def second(layer):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(layer(x) ** 2)
            gradient = inner.gradient(loss, x)
            loss = tf.reduce_sum(gradient**2)
        return outer.gradient(loss, x).numpy()

    assert_same(second(layer), second(keras_layer))
