"""Every way in which TensorFlow differentiates through a layer, or around it: the rows of the table in docs/layers.md.

Against Keras's loop in float64, which runs eagerly here: in graphs it cannot do all of them.
"""

import subprocess
import sys
from pathlib import Path

import keras
import pytest
import tensorflow as tf
from against_keras import assert_same, batch, pair, weights_like

from kerasunroll import layers as own
from kerasunroll.errors import InputError

pytestmark = pytest.mark.usefixtures("double")

SETTINGS = {"loop": {}, "k": {"unroll": 3}, "full": {"unroll": True}}
T = 5


def weights(layer):
    return [variable.value for variable in layer.trainable_variables]


def total(values):
    """A sum in which each number counts differently, and not linearly."""
    return tf.add_n([tf.reduce_sum(each**2 * weights_like(each)) for each in tf.nest.flatten(values)])


def two_losses(layer, x):
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = layer(x)
        one, other = total(y), tf.reduce_sum(y)
    return tape.gradient(one, [x, *weights(layer)]), tape.gradient(other, [x, *weights(layer)])


def second_derivative(layer, x):
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            loss = total(layer(x))
        penalty = total(inner.gradient(loss, [x, *weights(layer)]))
    return outer.gradient(penalty, [x, *weights(layer)])


def forward_mode(layer, x):
    with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as accumulator:
        y = layer(x)
    return accumulator.jvp(y)


def hessian_vector_product(layer, x):
    with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as accumulator:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = total(layer(x))
        gradient = tape.gradient(loss, x)
    return accumulator.jvp(gradient)


def jacobian(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(layer(x), axis=0)
    return tape.jacobian(y, x)


def batch_jacobian(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reshape(layer(x), [x.shape[0], -1])
    return tape.batch_jacobian(y, x)


def per_sample_gradients(layer, x):
    def one(sample):
        with tf.GradientTape() as tape:
            loss = total(layer(sample[tf.newaxis]))
        return tape.gradient(loss, weights(layer))

    return tf.vectorized_map(one, x)


def map_over_sequences(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = total(tf.map_fn(lambda sample: layer(sample[tf.newaxis])[0], x))
    return tape.gradient(loss, x)


def recompute_grad(layer, x):
    recomputed = tf.recompute_grad(lambda values: layer(values))
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = total(recomputed(x))
    return tape.gradient(loss, [x, *weights(layer)])


def custom_gradient_around(layer, x):
    @tf.custom_gradient
    def doubled(values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            y = layer(values)

        def back(upstream, variables=()):
            gradients = tape.gradient(y, [values, *variables], output_gradients=2 * upstream)
            return (gradients[0], gradients[1:]) if variables else gradients[0]

        return y, back

    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = total(doubled(x))
    return tape.gradient(loss, x)


def inside_a_condition(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = total(tf.cond(tf.reduce_sum(x) < 1e9, lambda: layer(x), lambda: 2 * layer(x)))
    return tape.gradient(loss, [x, *weights(layer)])


def inside_a_loop(layer, x):
    def body(i, loss):
        return i + 1, loss + total(layer(x * tf.cast(i, x.dtype)))

    with tf.GradientTape() as tape:
        tape.watch(x)
        _, loss = tf.while_loop(lambda i, _: i < 3, body, (0, tf.zeros((), x.dtype)), maximum_iterations=3)
    return tape.gradient(loss, x)


def twice_with_other_shapes(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = total([layer(x), layer(x[:2, :4]), layer(x[:1, 1:])])
    return tape.gradient(loss, [x, *weights(layer)])


def stopped_in_parts(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(tf.concat([tf.stop_gradient(x[:, :3]), x[:, 3:]], axis=1))
        loss = tf.reduce_sum(tf.stop_gradient(y[..., :2]) * y[..., 1:3])
    return tape.gradient(loss, [x, *weights(layer)])


WAYS = [
    two_losses,
    second_derivative,
    forward_mode,
    hessian_vector_product,
    jacobian,
    batch_jacobian,
    per_sample_gradients,
    map_over_sequences,
    recompute_grad,
    custom_gradient_around,
    inside_a_condition,
    inside_a_loop,
    twice_with_other_shapes,
    stopped_in_parts,
]


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_an_lstm_differentiates_as_keras_does(way, setting):
    keras_layer, layer = pair("LSTM", return_sequences=True, **SETTINGS[setting])
    x, _ = batch(T)
    expected = tf.nest.flatten(way(keras_layer, x))
    for run in (way, tf.function(way, autograph=False)):
        found = tf.nest.flatten(run(layer, x))
        assert_same([each.numpy() for each in found], [each.numpy() for each in expected])


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("GRU", {}),
        ("GRU", {"unroll": True}),
        ("SimpleRNN", {"unroll": 2}),
        ("SimpleRNN", {"recompute": True}),
        ("LSTM", {"truncate": 2}),
        ("LSTM", {"activation": "relu"}),
        ("LSTM", {"activation": "relu", "recompute": True}),
    ],
    ids=str,
)
@pytest.mark.parametrize("way", [two_losses, second_derivative], ids=lambda way: way.__name__)
def test_others_differentiate_as_keras_does(way, cell, options):
    keras_layer, layer = pair(cell, return_sequences=False, **options)
    if "truncate" in options:
        keras_layer = cut_by_hand(keras_layer, options["truncate"])
    x, _ = batch(T)
    expected = tf.nest.flatten(way(keras_layer, x))
    found = tf.nest.flatten(tf.function(way, autograph=False)(layer, x))
    assert_same([each.numpy() for each in found], [each.numpy() for each in expected])


class cut_by_hand:  # noqa: N801 - called like a function
    """A layer of Keras that is called on k time steps at a time, with a gradient stopped in between."""

    def __init__(self, layer, k):
        self.layer, self.k = keras.layers.LSTM(layer.units, return_state=True), k
        self.layer.build((None, None, 2))
        self.layer.set_weights(layer.get_weights())

    def __call__(self, x):
        y, *states = self.layer(x[:, : self.k])
        for start in range(self.k, x.shape[1], self.k):
            states = [tf.stop_gradient(state) for state in states]
            y, *states = self.layer(x[:, start : start + self.k], initial_state=states)
        return y

    @property
    def trainable_variables(self):
        return self.layer.trainable_variables


@pytest.mark.parametrize("masked", [False, True])
def test_second_derivatives_with_masks_and_states_and_an_unknown_number_of_time_steps(masked):
    keras_layer, layer = pair("GRU", return_sequences=True, return_state=True, go_backwards=True)
    x, states = batch(T)
    mask = (
        tf.constant([[True] * T, [True, True, True, False, False], [False, True, False, True, True]])
        if masked
        else None
    )

    def run(layer, x, state):
        with tf.GradientTape() as outer:
            outer.watch([x, state])
            with tf.GradientTape() as inner:
                inner.watch([x, state])
                loss = total(layer(x, initial_state=[state], mask=mask))
            penalty = total(inner.gradient(loss, [x, state, *weights(layer)]))
        return outer.gradient(penalty, [x, state, *weights(layer)])

    expected = run(keras_layer, x, *states)
    signature = [tf.TensorSpec([None, None, 2], "float64"), tf.TensorSpec([None, 4], "float64")]
    found = tf.function(lambda *given: run(layer, *given), input_signature=signature, autograph=False)(x, *states)
    assert_same([each.numpy() for each in found], [each.numpy() for each in expected])


def test_gradients_of_the_last_states_only():
    keras_layer, layer = pair("LSTM", return_sequences=True, return_state=True, unroll=2)
    x, _ = batch(T)

    def run(layer, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            _, _, c = layer(x)
            loss = total(c)
        return tape.gradient(loss, [x, *weights(layer)])

    found = tf.function(run, autograph=False)(layer, x)
    assert_same([each.numpy() for each in found], [each.numpy() for each in run(keras_layer, x)])


def test_nested_functions_with_input_signatures():
    keras_layer, layer = pair("SimpleRNN", return_sequences=True)
    x, _ = batch(T)

    def run(layer, x):
        inner = tf.function(
            lambda v: layer(v), input_signature=[tf.TensorSpec([None, None, 2], "float64")], autograph=False
        )
        outer = tf.function(lambda v: total([inner(v), inner(v[:, :3])]), autograph=False)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = outer(x)
        return tape.gradient(loss, [x, *weights(layer)])

    assert_same([each.numpy() for each in run(layer, x)], [each.numpy() for each in run(keras_layer, x)])


@pytest.mark.parametrize("way", [two_losses, second_derivative], ids=lambda way: way.__name__)
def test_xla_around_it(way):
    keras_layer, layer = pair("LSTM", return_sequences=True)
    x, _ = batch(3)
    found = tf.nest.flatten(tf.function(way, autograph=False, jit_compile=True)(layer, x))
    expected = tf.nest.flatten(way(keras_layer, x))
    assert_same([each.numpy() for each in found], [each.numpy() for each in expected])


def test_a_layer_on_one_device_and_its_loss_on_another():
    program = Path(__file__).with_name("on_two_cpus.py")
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    differences = [float(line) for line in done.stdout.split()]
    assert len(differences) == len(SETTINGS)
    assert max(differences) < 1e-9


def mapped(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = total(tf.vectorized_map(lambda sample: layer(sample[tf.newaxis])[0], x))
    return tape.gradient(loss, x)


def test_the_gradient_around_a_vectorized_map_is_right_laid_out_and_refused_in_loops():
    keras_layer, layer = pair("LSTM", return_sequences=True, unroll=True)
    x, _ = batch(T)
    assert_same([mapped(layer, x).numpy()], [mapped(keras_layer, x).numpy()])
    with pytest.raises(LookupError, match="No gradient defined"):
        mapped(pair("LSTM", return_sequences=True)[1], x)


def test_forward_mode_around_a_function_that_holds_the_layer_is_refused():
    """It belongs inside: see `forward_mode`."""
    layer = pair("LSTM", return_sequences=True)[1]
    x, _ = batch(T)
    with pytest.raises((TypeError, tf.errors.OpError, ValueError)):
        forward_mode(tf.function(lambda values: layer(values), autograph=False), x)


@pytest.mark.parametrize("options", [{}, {"unroll": True}, {"unroll": 2}, {"activation": "relu"}], ids=str)
def test_initial_states_of_another_shape_are_refused(options):
    layer = own.LSTM(5, **options)
    x = tf.ones((3, T, 2))
    good = tf.ones((3, 5))
    for bad in (tf.ones((3, 1, 5)), tf.ones((3, 4)), tf.ones((2, 5)), tf.ones((5,))):
        with pytest.raises((InputError, ValueError), match=r"got initial states of shape|shape") as caught:
            layer(x, initial_state=[good, bad])
        if isinstance(caught.value, InputError):
            assert "A state has one row per sequence." in str(caught.value)
    layer(x, initial_state=[good, good])


@pytest.mark.parametrize("options", [{}, {"unroll": True}, {"activation": "relu"}], ids=str)
@pytest.mark.parametrize("shape", [(3, 4), (2, T), (3,), (3, T, 2), (3, 1)])
def test_masks_of_another_shape_are_refused(options, shape):
    layer = own.GRU(5, **options) if "activation" not in options else own.LSTM(5, **options)
    with pytest.raises(InputError, match=r"got a mask of shape .* Give it one of shape \(3, 5\): batch, time steps"):
        layer(tf.ones((3, T, 2)), mask=tf.ones(shape, tf.bool))
