import re

import keras
import numpy as np
import pytest

from kerasunroll.errors import InputError, SettingError
from kerasunroll.models import StackConfig, lstm_stack, variants
from kerasunroll.tasks import Classification, Regression

STACK = StackConfig(cell="gru", input_shape=(5, 2), units=(4, 3), head=Regression(), dtype="float64")


def assert_identical(models):
    first, *others = ([variable.numpy() for variable in model.variables] for model in models)
    for other in others:
        for one, another in zip(first, other, strict=True):
            np.testing.assert_array_equal(one, another)


def test_variants_of_a_factory():
    models = variants(lstm_stack, ["loop", "full"], input_shape=(5, 1), head=Classification(10))
    assert list(models) == ["loop", "full"]
    assert [model.get_layer("lstm_1").unroll for model in models.values()] == [False, True]
    assert {model.name for model in models.values()} == {"lstm-L2-U64-T5"}
    assert_identical(models.values())


def test_variants_of_a_config_in_the_order_of_their_settings():
    models = variants(STACK.replace(unroll=True), [[False, True], True, "loop", (True, False)])
    assert list(models) == ["loop,full", "full", "loop", "full,loop"]
    settings = [[layer.unroll for layer in model.layers[1:3]] for model in models.values()]
    assert settings == [[False, True], [True, True], [False, False], [True, False]]


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize(
    "options",
    [
        {"bidirectional": True, "dropout": 0.3},
        {"cell_kwargs": {"bias_initializer": "random_normal"}},
        {"stateful": True, "batch_size": 2},
        {"embedding": 9, "input_shape": (5,)},
    ],
    ids=lambda options: next(iter(options)),
)
def test_every_variable_is_identical(seed, options):
    models = variants(STACK.replace(seed=seed, **options), ["loop", "full", "full,loop"])
    assert_identical(models.values())
    assert len({model.count_params() for model in models.values()}) == 1


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
@pytest.mark.parametrize("rates", [(0.4, 0.0), (0.0, 0.4), (0.3, 0.5)])
def test_dropout_draws_the_same_masks_in_every_variant(cell, rates):
    dropout, recurrent_dropout = rates
    stack = STACK.replace(cell=cell, dropout=dropout, recurrent_dropout=recurrent_dropout)
    x = np.random.default_rng(0).normal(size=(8, 5, 2))
    loop, full = variants(stack, [False, True]).values()
    draws = []
    for _ in range(2):
        draws.append(keras.ops.convert_to_numpy(loop(x, training=True)))
        np.testing.assert_allclose(full(x, training=True), draws[-1], rtol=1e-12, atol=1e-14)
    assert np.abs(draws[0] - draws[1]).max() > 1e-3


def test_a_training_step_keeps_variants_together():
    x = np.random.default_rng(0).normal(size=(8, 5, 2))
    y = x.sum(axis=(1, 2))[:, np.newaxis]
    trained = variants(STACK.replace(dropout=0.2), ["loop", "full"])
    for model in trained.values():
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    for one, other in zip(*(model.get_weights() for model in trained.values()), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_a_factory_of_ones_own():
    def autoencoder(unroll):
        inputs = keras.Input((4, 1))
        code = keras.layers.GRU(2, unroll=unroll)(inputs)
        decoded = keras.layers.GRU(2, return_sequences=True, unroll=unroll)(keras.layers.RepeatVector(4)(code))
        return keras.Model(inputs, keras.layers.Dense(1)(decoded))

    models = variants(autoencoder, ["full", "loop"])
    assert list(models) == ["full", "loop"]
    assert_identical(models.values())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("loop", "Expected a list of settings, such as ['loop', 'full'], got 'loop'."),
        ([], "Expected a list of settings, such as ['loop', 'full'], got []."),
        (True, "Expected a list of settings, such as ['loop', 'full'], got True."),
        ([False, "loop"], "Expected each setting once, got 'loop' twice: [False, 'loop']."),
        ([True, [True, True]], "Expected each setting once, got 'full' twice: [True, [True, True]]."),
        ([True, []], "Expected at least one unroll setting, got []."),
        (
            [True, [True, False, True]],
            "Expected one unroll setting, or one for each of the 2 layers, got 3: [True, False, True].",
        ),
        (
            ["full", "fast"],
            "Invalid unroll setting: expected loop, full, or k8 (also written 8) for 8 time steps per loop "
            "iteration; for kerasunroll's layers also own-loop, own-full or auto, got 'fast'.",
        ),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        variants(STACK, settings)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("lstm", {}, "Expected a StackConfig, or a factory such as lstm_stack, got 'lstm'."),
        (
            STACK,
            {"units": 3},
            "A StackConfig holds all arguments already, got units beside it. "
            "Change the configuration instead: config.replace(...).",
        ),
        (
            lstm_stack,
            {"input_shape": (5, 1), "unroll": True},
            "The settings decide unroll, got unroll=True beside them. Leave it out.",
        ),
    ],
)
def test_bad_sources(source, options, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        variants(source, ["loop", "full"], **options)


def test_a_factory_that_changes_the_network_is_refused():
    def factory(unroll):
        return lstm_stack((5, 2), units=3 if unroll else 4)

    message = (
        "The variant 'full' is another network than the first one: expected variables of shapes "
        "[(2, 16), (4, 16), (16,), (2,)], got [(2, 12), (3, 12), (12,), (2,)]. "
        "A factory may use unroll for nothing but its layers' unroll."
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        variants(factory, ["loop", "full"])
