import keras
import pytest

from kerasunroll.errors import InputError
from kerasunroll.inspection.model.recurrent import recurrent_layers

T, F, U = 4, 2, 3
layers = keras.layers


def names(model):
    return [name for recurrent in recurrent_layers(model) for name in recurrent.cell_names]


def nested(name):
    return keras.Sequential([keras.Input((T, F)), layers.GRU(F, return_sequences=True, name="gru")], name=name)


def test_layers_are_found_wherever_they_are():
    x = keras.Input((T, F))
    h = nested("outer")(x)
    h = layers.Bidirectional(layers.LSTM(U, return_sequences=True, name="lstm"))(h)
    h = layers.RNN([layers.GRUCell(U, name="cell"), layers.LSTMCell(U, name="top")], name="cells")(h)
    model = keras.Model(x, h)
    assert set(names(model)) == {"gru", "forward_lstm", "backward_lstm", "cells/cell", "cells/top"}


def test_layers_of_one_name_are_told_apart_by_their_paths():
    x = keras.Input((T, F))
    model = keras.Model(x, nested("b")(nested("a")(x)))
    assert set(names(model)) == {"a/gru", "b/gru"}


def test_a_layer_in_a_subclassed_model():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.parts = [layers.SimpleRNN(U, name="rnn"), layers.Dense(1)]

        def call(self, x):
            return self.parts[1](self.parts[0](x))

    model = Model()
    model(keras.ops.ones((1, T, F)))
    assert names(model) == ["rnn"]


class OwnLoop(layers.GRU):
    def inner_loop(self, *args, **kwargs):
        return super().inner_loop(*args, **kwargs)


def sequential(*parts):
    return keras.Sequential([keras.Input((T, F)), *parts], name="mine")


def rematerialised():
    with keras.RematScope(mode="full"):
        return sequential(layers.GRU(U, name="gru"))


def one_cell_twice():
    cell = layers.GRUCell(F)
    return sequential(layers.RNN([cell, cell], name="rnn"))


def distributed():
    inner = layers.TimeDistributed(layers.GRU(U, name="gru"), name="each")
    return keras.Sequential([keras.Input((2, T, F)), inner])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: layers.GRU(U), r"Expected a keras.Model, got GRU: <GRU name=\w+, built=False>\."),
        (
            lambda: keras.Sequential([layers.GRU(U)], name="mine"),
            "Model 'mine' is not built, so its weights do not exist yet. Give it a keras.Input, or call it once",
        ),
        (
            lambda: sequential(layers.Dense(1)),
            "Model 'mine' has no recurrent layer (no keras.layers.RNN such as LSTM, GRU or SimpleRNN): there is",
        ),
        (
            distributed,
            "Recurrent layer 'gru' is inside TimeDistributed layer 'each': Keras runs it once per outer time step, in "
            "a map whose inside cannot be observed. Fold the outer time steps into the batch",
        ),
        (
            rematerialised,
            "Recurrent layer 'gru' runs under rematerialisation (keras.RematScope), where its states exist only for a "
            "moment and cannot be observed. Build the model without RematScope.",
        ),
        (
            lambda: sequential(OwnLoop(U, name="gru")),
            "Recurrent layer 'gru' (OwnLoop) runs through time by an inner_loop of its own, whose inside cannot be "
            "observed. Give the class a method run_through_time that takes what keras.src.backend.rnn takes",
        ),
        (
            one_cell_twice,
            "Recurrent layer 'rnn' has one cell twice in its StackedRNNCells, so that its states cannot be told apart.",
        ),
    ],
    ids=["no-model", "unbuilt", "no-layer", "time-distributed", "rematerialised", "own-loop", "cell-twice"],
)
def test_what_cannot_be_observed_is_refused(build, message):
    import re

    pattern = message if message.startswith("Expected") else re.escape(message)
    with pytest.raises(InputError, match=pattern):
        recurrent_layers(build())
