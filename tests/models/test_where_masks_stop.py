"""What Keras 3.16 will do, simulated: its recurrent layers take a mask and pass none on (pull request 23235)."""

import runpy
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasunroll import compatibility
from kerasunroll.cli import main
from kerasunroll.errors import KerasunrollWarning
from kerasunroll.inspection import parity
from kerasunroll.models import StackConfig, with_unroll
from kerasunroll.models.factories.stack import build_stack
from kerasunroll.models.shipping.recipe import recipe_of

# Keras says so too, whenever such a layer runs.
pytestmark = pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask attached to it:UserWarning")

B, T, F, U = 3, 5, 2, 3
SETTINGS = ["full", "own-loop", "own-full", "k2"]
SCRIPT = Path(__file__).parents[2] / "docs" / "keras_masked_backwards_unroll.py"


@pytest.fixture
def masks_stop(monkeypatch):
    rnn, bidirectional = keras.layers.RNN.__init__, keras.layers.Bidirectional.__init__

    def make_rnn(self, *args, **options):
        rnn(self, *args, **options)
        self.supports_masking = False

    # Keras reads the arguments off the signature.
    def make_bidirectional(self, layer, merge_mode="concat", weights=None, backward_layer=None, **options):
        bidirectional(self, layer, merge_mode, weights, backward_layer, **options)
        self.supports_masking = False

    monkeypatch.setattr(keras.layers.RNN, "__init__", make_rnn)
    monkeypatch.setattr(keras.layers.Bidirectional, "__init__", make_bidirectional)


def padded():
    x = np.random.default_rng(0).normal(size=(B, T, F)).astype("float32")
    x[0, 3:] = 0
    x[1, 4:] = 0
    return x


def stacked(wrap=lambda layer: layer, **options):
    keras.utils.set_random_seed(0)
    lower, upper = (keras.layers.GRU(U, name=name, **options) for name in ("lower", "upper"))
    lower.return_sequences = True
    return keras.Sequential([keras.Input((T, F)), keras.layers.Masking(0.0), wrap(lower), wrap(upper)])


def outputs(model, x):
    return keras.ops.convert_to_numpy(model(x))


def by_hand(model, x):
    """The masking, the lower layer with the mask, the upper layer without."""
    _, lower, upper = model.layers
    return keras.ops.convert_to_numpy(upper(lower(x, mask=np.any(x != 0, axis=-1)), mask=None))


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_does_as_the_installed_keras_does(masks_stop, setting):
    model = stacked()
    x = padded()
    np.testing.assert_allclose(outputs(with_unroll(model, setting), x), by_hand(model, x), atol=1e-6)
    assert parity(model, with_unroll(model, setting), x, training_steps=1).equal


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_layer_that_is_told_to_pass_its_mask_on_does_so_after_conversion(masks_stop, setting):
    model = stacked()
    x = padded()
    stopped = outputs(model, x)
    model.get_layer("lower").supports_masking = True
    passed = outputs(model, x)
    assert np.abs(passed - stopped).max() > 0.01
    np.testing.assert_allclose(outputs(with_unroll(model, setting), x), passed, atol=1e-6)
    assert parity(model, with_unroll(model, setting), x, training_steps=1).equal


def test_a_layer_that_is_told_to_pass_its_mask_on_does_so_in_a_worker(masks_stop):
    model = stacked()
    model.get_layer("lower").supports_masking = True
    model.compile("sgd", "mse")
    x = padded()
    np.testing.assert_array_equal(outputs(recipe_of(model).build("loop"), x), outputs(model, x))


def test_both_directions_get_the_mask_and_it_stops_at_the_bidirectional(masks_stop):
    model = stacked(keras.layers.Bidirectional)
    x = padded()
    np.testing.assert_allclose(outputs(with_unroll(model, "own-full"), x), by_hand(model, x), atol=1e-6)


def stack(**options):
    defaults = {"cell": "gru", "input_shape": (T, F), "units": (U, U), "mask_value": 0}
    return StackConfig(**(defaults | options))


def warned_of(config):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build_stack(config)
    return [str(each.message) for each in caught if each.category is KerasunrollWarning]


def test_a_factory_says_where_the_mask_stops(masks_stop):
    (said,) = warned_of(stack())
    assert said.startswith(f"The mask stops at 'gru_1': recurrent layers of Keras {keras.__version__} pass none on.")
    assert "supports_masking = True" in said
    (said,) = warned_of(stack(bidirectional=True, units=U, return_sequences=True))
    assert said.startswith("The mask stops at 'bidirectional_1': ")


def test_a_factory_says_nothing_where_the_mask_has_nowhere_to_go(masks_stop):
    assert warned_of(stack(units=U)) == []
    assert warned_of(stack(mask_value=None)) == []


def test_only_a_layer_that_the_mask_reaches_is_unrolled_wrongly(masks_stop):
    said = " ".join(warned_of(stack(bidirectional=True, return_sequences=True, unroll=True)))
    assert "computes something else than the loop in 'bidirectional_1': " in said


@pytest.mark.parametrize("wrap", [keras.layers.Bidirectional, lambda layer: layer], ids=["bidirectional", "forward"])
def test_check_says_where_the_mask_stops(masks_stop, tmp_path, capsys, wrap):
    model = stacked(wrap)
    model.save(tmp_path / "model.keras")
    with pytest.raises(SystemExit):
        main(["check", str(tmp_path / "model.keras"), "--unroll", "own-full", "--training-steps", "0"])
    output = " ".join(capsys.readouterr().out.split())
    assert f"The mask stops at '{model.layers[1].name}': recurrent layers of Keras" in output


def test_check_says_nothing_where_masks_are_passed_on(tmp_path, capsys):
    model = stacked()
    for layer in model.layers:
        if not layer.supports_masking:
            pytest.skip("the installed Keras lets masks stop")
    model.save(tmp_path / "model.keras")
    with pytest.raises(SystemExit):
        main(["check", str(tmp_path / "model.keras"), "--unroll", "own-full", "--training-steps", "0"])
    assert "mask stops" not in capsys.readouterr().out


@pytest.fixture
def tried_anew():
    compatibility.unrolls_masked_backwards_wrongly.cache_clear()
    yield
    compatibility.unrolls_masked_backwards_wrongly.cache_clear()


def test_the_known_error_is_found_where_the_smallest_script_shows_it(tried_anew):
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(SCRIPT))
    assert compatibility.unrolls_masked_backwards_wrongly() is bool(end.value.code)


def test_a_keras_without_the_error_is_not_warned_of(tried_anew, monkeypatch):
    def loop(self, *args, **options):
        self.unroll = False
        return keras.layers.RNN.inner_loop(self, *args, **options)

    monkeypatch.setattr(keras.layers.SimpleRNN, "inner_loop", loop)
    config = stack(bidirectional=True, units=U, return_sequences=True, unroll=True)
    assert [text for text in warned_of(config) if "computes something else" in text] == []
