"""What is drawn of a user's model."""

import keras
import pytest

from kerasunroll.errors import InputError
from kerasunroll.figures.diagram.from_model import network_of
from kerasunroll.figures.diagram.network import Layer, Network, Way
from kerasunroll.layers import GRU, LSTM
from kerasunroll.models import StackConfig, build_stack


def model(*layers, timesteps=7):
    return keras.Sequential([keras.Input((timesteps, 2)), *layers], name="mine")


def test_the_layers_say_how_they_run():
    mine = model(
        keras.layers.Dense(3),
        LSTM(4, unroll=3, truncate=2, return_sequences=True),
        keras.layers.Dropout(0.1),
        keras.layers.Bidirectional(keras.layers.GRU(5, unroll=True, return_sequences=True)),
        keras.layers.SimpleRNN(6),
        keras.layers.Dense(1),
    )
    assert network_of(mine) == Network(
        layers=(
            Layer(cell="LSTM", states=("h", "c"), units=4, ways=(Way(unroll=3, truncate=2),)),
            Layer(cell="GRU", states=("h",), units=5, ways=(Way(unroll=True), Way(unroll=True, backwards=True))),
            Layer(cell="SimpleRNN", states=("h",), units=6, ways=(Way(),)),
        ),
        timesteps=7,
    )


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_configuration_and_its_model_are_the_same_picture(bidirectional):
    config = StackConfig(
        cell="lstm", input_shape=(6, 1), units=(3, 4), bidirectional=bidirectional, unroll=[True, 2], name="n"
    )
    assert network_of(build_stack(config)) == Network.from_config(config)


def test_segments_and_sequences():
    network = network_of(model(GRU(4, recompute=True, return_sequences=True), timesteps=10))
    assert network.sequences
    assert network.layers[0].ways == (Way(segment=4),)


def test_a_model_of_any_length_needs_one():
    mine = model(keras.layers.LSTM(3), timesteps=None)
    with pytest.raises(InputError, match="takes any number of time steps"):
        network_of(mine)
    assert network_of(mine, timesteps=9).timesteps == 9


def test_layers_can_be_named():
    sequences = keras.Input((8, 2))
    fine = keras.layers.LSTM(3, name="fine")(sequences)
    coarse = keras.layers.LSTM(4, name="coarse")(keras.layers.MaxPooling1D(2)(sequences))
    mine = keras.Model(sequences, keras.layers.Concatenate()([fine, coarse]), name="two")
    with pytest.raises(InputError, match="different numbers of time steps: 'fine' 8, 'coarse' 4"):
        network_of(mine)
    assert network_of(mine, layers=["coa*"]).timesteps == 4
    with pytest.raises(InputError, match="no recurrent layer whose name is missing"):
        network_of(mine, layers=["missing"])


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([keras.layers.Flatten()], "no recurrent layer"),
        ([keras.layers.RNN([keras.layers.GRUCell(3), keras.layers.GRUCell(3)])], "several cells"),
    ],
)
def test_what_cannot_be_drawn_is_named(layers, message):
    with pytest.raises(InputError, match=message):
        network_of(model(*layers))
    with pytest.raises(InputError, match="T = 7, got 9"):
        network_of(model(keras.layers.LSTM(3)), timesteps=9)
