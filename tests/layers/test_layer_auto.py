import json
import logging
import random

import keras
import numpy as np
import pytest
from against_keras import F, U, assert_same, batch, pair, results

from kerasunroll import layers as own
from kerasunroll.cache import CACHE_VARIABLE
from kerasunroll.layers import auto


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "deep" / "folder"))
    return tmp_path / "deep" / "folder" / "auto.json"


def built(timesteps=5, **options):
    layer = own.SimpleRNN(U, unroll="auto", name="mine", **options)
    keras.Sequential([keras.Input((timesteps, F)), layer])
    return layer


@pytest.mark.timeout(120)
def test_what_is_found_is_said_kept_and_taken_again(cache, caplog):
    random.seed(5)
    keras.Sequential([keras.Input((5, F)), keras.layers.SimpleRNN(U)])
    expected = random.random()
    random.seed(5)
    with caplog.at_level(logging.INFO, "kerasunroll"):
        first = built()
    assert random.random() == expected  # the user's random state is as if nothing had been tried
    (kept,) = json.loads(cache.read_text()).values()
    assert first.chosen_setting == kept
    assert kept in {"loop", "own-loop", "k4", "own-full"}
    assert f"Layer 'mine' with unroll='auto' runs as '{kept}', assuming 32 sequences of 5 time steps." in caplog.text
    assert first.get_config()["unroll"] == "auto"

    # A fixed cache decides, whatever would be measured.
    for word, unroll in {"loop": False, "own-loop": False, "k4": 4, "own-full": True}.items():
        cache.write_text(json.dumps(dict.fromkeys(json.loads(cache.read_text()), word)))
        layer = built()
        assert (layer.chosen_setting, layer.unroll) == (word, unroll)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("damaged", ["", "{", "[1]", '{"a": 1}'])
def test_a_damaged_cache_is_mended(cache, damaged, monkeypatch):
    monkeypatch.setattr(auto, "_calibrate", lambda *_: "k4")
    cache.parent.mkdir(parents=True)
    cache.write_text(damaged)
    assert built().chosen_setting == "k4"
    assert "k4" in json.loads(cache.read_text()).values()


def test_where_nothing_can_be_kept_it_works_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(auto, "_calibrate", lambda *_: "own-loop")
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    assert built().chosen_setting == "own-loop"


def test_another_shape_another_answer(cache, monkeypatch):
    asked = []
    monkeypatch.setattr(auto, "_calibrate", lambda _, shape, words: asked.append((shape, words)) or words[-1])
    assert built(5).unroll is True
    assert built(None).unroll == 8
    assert built(50, truncate=5).unroll == 8
    built(5)
    assert asked == [
        ((32, 5, F), ["loop", "own-loop", "k4", "own-full"]),
        ((32, 100, F), ["loop", "own-loop", "k4", "k8"]),
        ((32, 50, F), ["own-loop", "k4", "k8"]),  # Keras's loop cannot truncate
    ]


@pytest.mark.parametrize("word", ["loop", "k4"])
def test_whatever_is_taken_computes_the_same(cache, word, monkeypatch):
    monkeypatch.setattr(auto, "_calibrate", lambda *_: word)
    keras_layer, layer = pair("GRU", unroll=False, return_sequences=True, dtype="float64")
    layer.run_as(word)
    x, states = batch(6)
    assert_same(results(layer, x, states), results(keras_layer, x, states))
    assert np.isfinite(results(layer, x)[0][0]).all()
