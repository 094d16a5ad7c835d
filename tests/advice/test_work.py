"""The work, counted by hand."""

import pytest

from kerasunroll.advice import Layer, Network
from kerasunroll.advice.amounts import work
from kerasunroll.errors import InputError
from kerasunroll.models import SavedModel, StackConfig
from kerasunroll.settings import parse_settings

B, T, F, U = 3, 10, 2, 4
LSTM = Layer("lstm", units=U, features=F, timesteps=T)


def of_one(layer: Layer, setting: str):
    (amounts,) = work(Network((layer,), B), [parse_settings(setting)]).values()
    return amounts


def test_a_loop_by_hand():
    amounts = of_one(LSTM, "loop")
    assert amounts == {
        "start": 1,
        "network": 1,
        "layer": 1,
        "copies": 0,
        "time_steps": 10,
        "elements": 3 * 10 * 4,
        "passing": 3 * 10 * 4,
        "inputs": 3 * 10 * 2,
        "recurrence": 3 * 10 * 4 * 4 * 4,
        "projection": 3 * 10 * 4 * 4 * 2,
        "weights": 4 * 4 * (4 + 2),
        "gradients": 10 * 4 * 4 * (4 + 2),
        "spilled": 0,
    }


@pytest.mark.parametrize(("cell", "gates"), [("simple_rnn", 1), ("gru", 3), ("lstm", 4)])
def test_gates(cell, gates):
    assert of_one(Layer(cell, U, F, T), "full")["recurrence"] == gates * B * T * U * U


@pytest.mark.parametrize(
    ("setting", "copies", "iterations"),
    [("loop", 0, 0), ("full", 9, 0), ("own-full", 9, 0), ("k4", 3, 2.5), ("k16", 9, 1)],
)
def test_copies_beside_the_first(setting, copies, iterations):
    amounts = of_one(LSTM, setting)
    assert (amounts["copies"], amounts.get("iterations", 0)) == (copies, iterations)


def test_what_is_too_much_for_the_cache():
    """4 · 256² weights of the state are twice 2¹⁷."""
    assert of_one(Layer("lstm", 256, F, T), "loop")["spilled"] == T * 2**17


def test_two_directions_are_two_layers():
    one, both = of_one(LSTM, "loop"), of_one(Layer("lstm", U, F, T, directions=2), "loop")
    assert {name: both[name] / one[name] for name in one if one[name]} == {
        name: 1 if name in ("start", "network", "passing") else 2 for name in one if one[name]
    }


def test_layers_of_the_same_shapes_share_their_kernels_but_for_the_last():
    def kernels(*units: int) -> float:
        network = Network(tuple(Layer("lstm", size, 2, T) for size in units), B)
        return sum(amounts["kernels"] for amounts in work(network, ["own-loop"] * len(units)).values())

    assert [kernels(4), kernels(4, 4), kernels(4, 4, 4), kernels(4, 5, 4)] == pytest.approx([1, 2, 2, 3])


def test_k_copies_are_inside_the_kernels():
    layer = Layer("lstm", U, U, T)
    (amounts,) = work(Network((layer, layer, layer), B), [4, 4, 4]).values()
    assert (amounts["copies"], amounts["kernels"]) == (6, 2)


def test_a_setting_for_each_layer():
    network = Network((LSTM, Layer("lstm", U, U, T)), B)
    found = work(network, [False, True])
    assert [amounts.get("passing", 0) for amounts in found.values()] == [B * T * U, 0]
    assert found[("lstm", "loop")]["projection"] == 4 * B * T * U * F
    assert found[("lstm", "full")]["projection"] == 4 * B * T * U * U
    assert sum(amounts["network"] for amounts in found.values()) == 1


def test_auto_is_no_setting_to_choose_from():
    with pytest.raises(InputError, match="'auto' tries settings by itself"):
        of_one(LSTM, "auto")


def test_the_network_of_a_stack():
    stack = StackConfig(cell="gru", input_shape=(T, F), units=(8, 4), bidirectional=True)
    assert Network.of(stack, B).layers == (Layer("gru", 8, F, T, 2), Layer("gru", 4, 16, T, 2))


def test_tokens_are_seen_as_their_embedding():
    stack = StackConfig(cell="gru", input_shape=(T,), embedding=50, units=(8, 4))
    assert [layer.features for layer in Network.of(stack, B).layers] == [8, 8]


def saved(**layer) -> SavedModel:
    known = {"name": "first", "cell": "lstm", "units": U, "features": F, "timesteps": None} | layer
    return SavedModel(path="/mine.keras", sha256="0", takes=None, input_shape=(T, F), recurrent=[known], compiled=False)


def test_the_network_of_a_saved_model():
    network = Network.of(saved(bidirectional=True), B)
    assert network.layers == (Layer("lstm", U, F, T, 2),)
    assert network.others


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"cell": "ConvLSTM1D"}, "layer 'first' of '/mine.keras' is ConvLSTM1D. Measure it instead"),
        ({"units": None}, "does not say the shapes of layer 'first'"),
    ],
)
def test_what_cannot_be_predicted(layer, message):
    with pytest.raises(InputError, match=message):
        Network.of(saved(**layer), B)


def test_time_steps_must_be_known():
    with pytest.raises(InputError, match="Give timesteps"):
        Network.of(StackConfig(cell="gru", input_shape=(None, F)), B)
