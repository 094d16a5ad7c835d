import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasunroll.compatibility import keras_rnn
from kerasunroll.errors import InputError
from kerasunroll.inspection import state_gradients, tapped
from kerasunroll.inspection.taps.tapped_model import watched_by

B, T, F, U = 3, 4, 2, 3
layers = keras.layers


def every_kind(unroll=False):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((T, F)),
            layers.Masking(0.0),
            layers.Bidirectional(layers.LSTM(U, return_sequences=True, unroll=unroll, zero_output_for_mask=True)),
            layers.RNN(layers.LSTMCell(U), return_sequences=True, unroll=unroll),
            layers.GRU(U, return_sequences=True, unroll=unroll, go_backwards=True),
            layers.RNN([layers.GRUCell(U), layers.SimpleRNNCell(U)], unroll=unroll),
            layers.Dense(1),
        ]
    )


def batch():
    x = np.random.default_rng(0).normal(size=(B, T, F)).astype("float32")
    x[0, :2], x[1, 2:] = 0, 0
    return x


def own_attributes(model):
    return {id(layer): dict(vars(layer)) for layer in model._flatten_layers()}


@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
@pytest.mark.parametrize("record", [False, True])
def test_a_tapped_model_computes_the_same(unroll, record):
    """Also where Keras's unrolled code is wrong: masked, backwards, with zero_output_for_mask."""
    model, x = every_kind(unroll), batch()
    with tf.GradientTape() as tape, tapped(model, watched_by(tape), record=record) as runs:
        found = model(x)
    assert len(runs) == 6
    np.testing.assert_array_equal(found, model(x))


def test_the_model_is_as_before_whatever_happens():
    model = every_kind()
    model(batch())
    before = own_attributes(model)
    with tf.GradientTape() as tape, tapped(model, watched_by(tape), record=True):
        model(batch())
    assert own_attributes(model) == before

    def fail(point):
        raise RuntimeError("no zeros today")

    with pytest.raises(RuntimeError, match="no zeros today"), tapped(model, fail):
        model(batch())
    assert own_attributes(model) == before


@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
def test_recorded_values_are_those_of_the_layer(unroll):
    layer = layers.GRU(U, return_sequences=True, unroll=unroll, go_backwards=True, name="gru")
    model = keras.Sequential([keras.Input((T, F)), layer])
    x = batch()
    with tapped(model, record=True) as runs:
        output = model(x)
    (run,) = runs
    h = run.recorded["h"].numpy()
    np.testing.assert_array_equal(h, output.numpy()[:, ::-1])
    np.testing.assert_array_equal(run.recorded["x"], x)
    np.testing.assert_array_equal(run.recorded["before"][0], np.concatenate([h[:, 1:], np.zeros((B, 1, U))], axis=1))


def test_a_time_dimension_unknown_while_tracing():
    model = keras.Sequential([keras.Input((None, F)), layers.LSTM(U, name="lstm")])
    model.compile(loss="mse")

    @tf.function(input_signature=[tf.TensorSpec((None, None, F))], autograph=False)
    def gradient(x):
        with tf.GradientTape() as tape, tapped(model, watched_by(tape)) as runs:
            loss = tf.reduce_mean(model(x) ** 2)
        return tape.gradient(loss, runs[0].zeros["h"])

    x = batch()
    expected = state_gradients(model, x, np.zeros((B, U)))["lstm"].points["h"]
    np.testing.assert_allclose(gradient(x), expected, atol=1e-7)
    assert gradient(x[:, :3]).shape == (B, 3, U)


class Chunked(layers.SimpleRNN):
    """Runs through time by itself: all but the last time step, then the last."""

    runs = 0

    def inner_loop(self, sequences, initial_state, **_):
        def step(x, states):
            return self.cell(x, states)

        return self.run_through_time(step, sequences, initial_state)

    def run_through_time(self, step, inputs, initial_states, **_):
        type(self).runs += 1
        first = keras.tree.map_structure(lambda values: values[:, : T - 1], inputs)
        last = keras.tree.map_structure(lambda values: values[:, T - 1 :], inputs)
        _, before, states = keras_rnn()(step, first, initial_states, input_length=T - 1)
        final, after, states = keras_rnn()(step, last, states, input_length=1)
        return final, keras.tree.map_structure(lambda *chunks: tf.concat(chunks, axis=1), before, after), states


def test_a_layer_that_runs_by_itself_is_tapped_where_it_says_how():
    found = []
    for layer in (layers.SimpleRNN, Chunked):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((T, F)), layer(U, name="rnn")])
        model.compile(loss="mse")
        Chunked.runs = 0
        found.append(state_gradients(model, batch(), np.zeros((B, U)), weights=True)["rnn"])
    assert Chunked.runs > 0
    np.testing.assert_allclose(found[1].points["h"], found[0].points["h"], atol=1e-7)
    for chunked, loop in zip(found[1].weights.values(), found[0].weights.values(), strict=True):
        np.testing.assert_allclose(chunked, loop, atol=1e-7)


def test_a_layer_inside_a_graph_of_its_own_is_refused():
    class Hidden(keras.Model):
        def __init__(self):
            super().__init__()
            self.gru = layers.GRU(U, name="gru")

        def call(self, x):
            return tf.map_fn(lambda sample: self.gru(sample[None])[0], x)

    model = Hidden()
    model(batch())
    message = r"Recurrent layer 'gru' runs inside a graph of its own \(a tf\.function, tf\.cond, tf\.while_loop or map"
    with pytest.raises(InputError, match=message), tapped(model):
        tf.function(model, autograph=False)(batch())


def test_tapping_twice_is_refused():
    model = every_kind()
    with tapped(model), pytest.raises(InputError, match=r"is being observed already: leave that context first\."):
        tapped(model).__enter__()


def test_a_cell_that_does_its_work_elsewhere_is_refused():
    class Cell:
        state_size, compute_dtype = U, "float32"

        def __call__(self, _, states):
            return states[0] + 1, [states[0] + 1]

        def call(self, *_):
            raise AssertionError

    model = keras.Sequential([keras.Input((T, F)), layers.RNN(Cell(), name="rnn")])
    message = r"The cell Cell of recurrent layer 'rnn' does not do its work in its method `call`"
    with pytest.raises(InputError, match=message), tapped(model):
        model(batch())
