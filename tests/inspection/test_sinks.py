import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasunroll.errors import InputError
from kerasunroll.inspection import gradient_sink_source, state_gradients, tapped
from kerasunroll.inspection.gradients.reductions import at_least_float32

B, T, F, U = 3, 4, 2, 3


def build(unroll=False, **compile_arguments):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((T, F)),
            keras.layers.Masking(0.0),
            keras.layers.LSTM(U, return_sequences=True, unroll=unroll, dropout=0.3, seed=5, name="lstm"),
            keras.layers.GRU(U, unroll=unroll, name="gru"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(**{"optimizer": keras.optimizers.Adam(0.1), "loss": "mse", **compile_arguments})
    return model


def batch():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(B, T, F)).astype("float32"), random.normal(size=(B, 1)).astype("float32")
    x[0, 2:] = 0
    return x, y


def train_step_with_sink(model, jit_compile):
    @tf.function(jit_compile=jit_compile, autograph=False)
    def training_step(x, y):
        sink = []
        with tapped(model, gradient_sink_source(model, sink, reduce=at_least_float32)):
            model.train_step((x, y))
        return {f"{sunk.run.name}/{sunk.point}": sunk.value for sunk in sink}

    return training_step


@pytest.mark.parametrize(
    ("unroll", "jit_compile"),
    [
        pytest.param(False, False, id="loop"),
        pytest.param(False, True, id="loop-xla", marks=pytest.mark.slow),
        pytest.param(True, False, id="full", marks=pytest.mark.slow),
    ],
)
def test_what_sinks_in_a_training_step_is_the_gradient_and_the_step_is_the_same(unroll, jit_compile):
    x, y = batch()
    probed, trained, tapped_model = (build(unroll) for _ in range(3))
    # The seeds are equal, so dropout draws the same numbers (XLA draws others, hence jit_compile here too).
    expected = state_gradients(probed, x, y, training=True, jit_compile=jit_compile)

    sunk = train_step_with_sink(tapped_model, jit_compile)(x, y)
    tf.function(trained.train_step, jit_compile=jit_compile, autograph=False)((x, y))

    assert set(sunk) == {"lstm/x", "lstm/h", "lstm/c", "gru/x", "gru/h"}
    for name, value in sunk.items():
        layer, point = name.split("/")
        assert np.abs(value).max() > 0
        np.testing.assert_allclose(value, expected[layer].points[point], atol=1e-7)
    for variable, untapped in zip(tapped_model.variables, trained.variables, strict=True):
        np.testing.assert_allclose(variable.numpy(), untapped.numpy(), atol=1e-7)
    moved = [variable.numpy() - before for variable, before in zip(trained.weights, probed.get_weights(), strict=True)]
    assert all(np.abs(change).max() > 1e-3 for change in moved)


def test_layers_that_are_frozen_have_gradients_too():
    """The anchor is then another layer's weight, here the embedding's, whose gradient stays sparse."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((T,)),
            keras.layers.Embedding(5, F),
            keras.layers.GRU(U, trainable=False, name="gru"),
            keras.layers.Dense(1, trainable=False),
        ]
    )
    model.compile("sgd", "mse")
    x, y = np.array([[1, 2, 3, 1]]), np.ones((1, 1), "float32")
    expected = state_gradients(model, x, y)["gru"].points["h"]
    before = model.get_weights()[0]

    sunk = train_step_with_sink(model, jit_compile=False)(x, y)

    np.testing.assert_allclose(sunk["gru/h"], expected, atol=1e-7)
    assert (model.get_weights()[0] != before).any(axis=1).tolist() == [False, True, True, True, False]


def test_loss_scale_is_taken_out():
    x, y = batch()
    expected = state_gradients(build(), x, y, training=True)["lstm"].points["h"]
    scaled = build(optimizer=keras.optimizers.SGD(loss_scale_factor=1024.0))
    np.testing.assert_allclose(train_step_with_sink(scaled, False)(x, y)["lstm/h"], expected, atol=1e-7)


def test_a_point_that_the_loss_does_not_depend_on_leaves_nothing():
    sequence = keras.Input((T, F))
    used, unused = keras.layers.GRU(U, name="used")(sequence), keras.layers.GRU(U, name="unused")(sequence)
    model = keras.Model(sequence, [keras.layers.Dense(1, name="a")(used), keras.layers.Dense(1, name="b")(unused)])
    model.compile(loss=["mse", None])
    x, y = batch()
    sink = []
    with pytest.warns(UserWarning, match="Gradients do not exist"), tapped(model, gradient_sink_source(model, sink)):
        model.train_step((x, [y, y]))
    assert {sunk.run.name for sunk in sink} == {"used"}
    assert {sunk.point: tuple(sunk.value.shape) for sunk in sink} == {"x": (B, T), "h": (B, T)}


def test_no_trainable_weight_is_an_error():
    model = build()
    model.trainable = False
    with (
        pytest.raises(InputError, match=r"(?s)has no trainable weights.*Set trainable=True, or use gradients_through"),
        tapped(model, gradient_sink_source(model, [])),
    ):
        model(batch()[0])
