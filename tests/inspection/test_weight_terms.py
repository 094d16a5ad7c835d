"""The terms of a weight's gradient over time: their sum is the gradient that a tape finds."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasunroll.inspection import state_gradients

B, T, F, U = 4, 5, 2, 3
layers = keras.layers


def sequence_labels(model, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(B, T, F))
    x[0, 3:], x[1, :2], x[2, 1:3] = 0, 0, 0
    return x, random.normal(size=model(x).shape)


def tape_gradients(model, x, y, training):
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=training))
    return dict(
        zip([w.path for w in model.trainable_weights], tape.gradient(loss, model.trainable_weights), strict=True)
    )


STACKS = {
    "masked": lambda unroll: [
        layers.Masking(0.0),
        layers.LSTM(U, return_sequences=True, unroll=unroll),
        layers.GRU(U, return_sequences=True, unroll=unroll),
    ],
    "both-ways": lambda unroll: [layers.Bidirectional(layers.SimpleRNN(U, unroll=unroll)), layers.Dense(1)],
    "one-gate-at-a-time": lambda unroll: [
        layers.LSTM(U, unroll=unroll, recurrent_dropout=0.0, implementation=1, use_bias=False)
    ],
    "stacked-cells": lambda unroll: [layers.RNN([layers.LSTMCell(U), layers.GRUCell(U)], unroll=unroll)],
}


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
@pytest.mark.parametrize("stack", STACKS)
def test_terms_sum_to_the_gradient(stack, unroll):
    model = keras.Sequential([keras.Input((T, F)), *STACKS[stack](unroll)])
    model.compile(loss="mse")
    x, y = sequence_labels(model)
    expected = tape_gradients(model, x, y, training=False)

    found = {
        path: terms
        for layer in state_gradients(model, x, y, weights=True).values()
        for path, terms in layer.weights.items()
    }

    assert {path.split("/")[-1] for path in expected if path not in found} <= {"kernel", "bias"}  # of Dense
    assert len(found) >= 2
    for path, terms in found.items():
        assert terms.shape[0] == T
        np.testing.assert_allclose(terms.sum(axis=0), expected[path], atol=1e-12)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(
    ("kind", "unroll"), [(layers.SimpleRNN, False), (layers.GRU, False), (layers.LSTM, False), (layers.LSTM, True)]
)
def test_dropout_masks_are_those_of_the_forward_pass(kind, unroll):
    """One seed, one draw: the tape's forward pass and the probed one have the same masks."""
    found, expected = [], []
    for build_again in (found, expected):
        keras.utils.set_random_seed(1)
        layer = kind(U, dropout=0.4, recurrent_dropout=0.4, seed=3, unroll=unroll)
        model = keras.Sequential([keras.Input((T, F)), layer])
        model.compile(loss="mse")
        x, y = np.random.default_rng(0).normal(size=(B, T, F)), np.ones((B, U))
        if build_again is expected:
            expected += tape_gradients(model, x, y, training=True).values()
        else:
            (gradients,) = state_gradients(model, x, y, training=True, weights=True).values()
            found += [terms.sum(axis=0) for terms in gradients.weights.values()]
    for terms, gradient in zip(found, expected, strict=True):
        np.testing.assert_allclose(terms, gradient, atol=1e-12)


def test_a_layer_that_is_not_trained_has_no_terms():
    model = keras.Sequential([keras.Input((T, F)), layers.GRU(U, trainable=False, name="gru"), layers.Dense(1)])
    model.compile(loss="mse")
    gradients = state_gradients(model, *sequence_labels(model), weights=True)["gru"]
    assert gradients.weights == {}
    assert np.abs(gradients.points["h"]).min() > 0
