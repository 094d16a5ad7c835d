"""`kerasunroll check` and `kerasunroll convert`, called in this process."""

import json
import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasunroll.cli import main

layers = keras.layers
T, F, U = 4, 2, 3
SCRIPT = Path(__file__).parents[1] / "docs" / "keras_masked_backwards_unroll.py"


def run(*arguments):
    """Return the exit status."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code or 0


def save(path, *parts, loss=None):
    model = keras.Sequential([*parts])
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape) / 2 for weight in model.weights])
    if loss:
        model.compile("sgd", loss)
    model.save(path)
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "plain.keras"
    return save(path, keras.Input((T, F)), layers.SimpleRNN(U, name="rnn"), layers.Dense(2), loss="mse")


def save_masked_backwards(path, cell):
    inner = cell(U, return_sequences=True, name="rnn")
    return save(path, keras.Input((T, F)), layers.Masking(), layers.Bidirectional(inner))


@pytest.fixture(scope="module")
def masked_backwards(tmp_path_factory):
    return save_masked_backwards(tmp_path_factory.mktemp("models") / "masked.keras", layers.SimpleRNN)


def test_the_smallest_script_shows_the_error_of_keras(capsys):
    """If Keras is mended this fails: then say so in the documents, and look at `kerasunroll check`."""
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(SCRIPT))
    assert end.value.code == 1
    output = capsys.readouterr().out
    assert "WRONG" in output
    assert [line.split()[0] for line in output.splitlines()] == ["SimpleRNN", "LSTM", "GRU", "Keras"]


def test_check_says_that_full_computes_the_same_and_ends_with_0(plain, capsys):
    assert run("check", plain, "--training-steps", 1) == 0
    output = capsys.readouterr().out
    for words in ("loop → full", "while →", "unrolled", "8×4×2", "8×3", "equal to rounding: 'full' computes what"):
        assert words in output
    assert "generated data of shape (8, 4, 2)" in output


@pytest.mark.parametrize("cell", [layers.SimpleRNN, layers.LSTM, layers.GRU])
def test_check_finds_what_keras_unrolls_wrongly_and_ends_with_1(cell, tmp_path, capsys):
    path = save_masked_backwards(tmp_path / "masked.keras", cell)
    assert run("check", path, "--training-steps", 0, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["equal"] is False
    assert found["batches"][0]["verdict"] == "different"
    assert found["batches"][0]["first_layer"] == "backward_rnn"
    assert "padded at the end" in found["batches"][0]["data"]
    (error,) = found["keras_errors"]
    assert error["layer"] == "backward_rnn"
    assert "The way out" in error["text"]
    settings = {
        each["before"]["name"]: (each["before"]["setting"], each["after"]["setting"]) for each in found["layers"]
    }
    assert settings == dict.fromkeys(["backward_rnn", "forward_rnn"], ("loop", "full"))
    assert all(each["before"]["masked"] for each in found["layers"])


def test_only_the_named_layers_are_converted_and_ours_is_right(masked_backwards, capsys):
    options = ["--unroll", "own-full", "--layer", "backward_*", "--training-steps", 0, "--json"]
    assert run("check", masked_backwards, *options) == 0
    found = json.loads(capsys.readouterr().out)
    settings = {each["after"]["name"]: each["after"]["setting"] for each in found["layers"]}
    assert settings == {"backward_rnn": "own-full", "forward_rnn": "loop"}
    assert found["keras_errors"] == []


def test_any_length_is_checked_with_a_remainder_and_without(tmp_path, capsys):
    path = save(
        tmp_path / "tokens.keras",
        keras.Input((None,), dtype="int32"),
        layers.Embedding(6, 2, mask_zero=True),
        layers.SimpleRNN(U),
    )
    assert run("check", path, "--unroll", "k8", "--training-steps", 0, "--batch-size", 3) == 0
    output = capsys.readouterr().out
    assert "generated data of shape (3, 16), padded" in output
    assert "generated data of shape (3, 17), padded" in output


def test_data_of_the_user_is_taken(plain, tmp_path, capsys):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "mine.npz", x=rng.normal(size=(20, T, F)), y=rng.normal(size=(20, 2)))
    options = ["--data", f"npz:{tmp_path / 'mine.npz'}", "--training-steps", 0]
    assert run("check", plain, *options, "--batch-size", 4) == 0
    assert "On 4 training sequences of npz:mine.npz" in capsys.readouterr().out
    assert run("check", plain, *options, "--batch-size", 400) == 2
    assert "16 training sequences, got --batch-size 400" in capsys.readouterr().err


def test_a_bad_file_ends_with_2_and_one_message(tmp_path, capsys):
    bad = tmp_path / "bad.keras"
    bad.write_bytes(b"no model")
    for command in (["check", bad], ["convert", bad, "--unroll", "k8", "-o", tmp_path / "new.keras"]):
        assert run(*command) == 2
        error = capsys.readouterr().err.strip()
        assert error.startswith("kerasunroll: ")
        assert str(bad) in error
        assert "\n" not in error
    assert run("check", plain_name := tmp_path / "none.keras") == 2
    assert str(plain_name) in capsys.readouterr().err


def test_convert_writes_what_computes_the_same(plain, tmp_path, capsys):
    new = tmp_path / "k2.keras"
    assert run("convert", plain, "--unroll", "k2", "-o", new, "--training-steps", 0) == 0
    assert f"Written: {new}" in capsys.readouterr().out.replace("\n", " ")
    x = np.random.default_rng(0).normal(size=(4, T, F))
    given, converted = keras.models.load_model(plain), keras.models.load_model(new)
    np.testing.assert_allclose(converted.predict(x, verbose=0), given.predict(x, verbose=0), atol=1e-6)
    assert converted.get_layer("rnn").unroll == 2
    assert [path.name for path in tmp_path.iterdir()] == ["k2.keras"]


def test_convert_does_not_write_what_computes_something_else_unless_forced(masked_backwards, tmp_path, capsys):
    new = tmp_path / "full.keras"
    options = ["convert", masked_backwards, "--unroll", "full", "-o", new]
    assert run(*options, "--training-steps", 0) == 1
    assert not new.exists()
    assert "--force" in capsys.readouterr().out
    assert run(*options, "--force") == 0
    assert "not proven" in capsys.readouterr().out
    assert new.exists()


def test_convert_replaces_no_file_unless_told(plain, tmp_path, capsys):
    new = tmp_path / "new.keras"
    new.write_bytes(b"precious")
    options = ["--unroll", "loop", "--force"]
    assert run("convert", plain, "-o", new, *options) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert new.read_bytes() == b"precious"
    assert run("convert", plain, "-o", plain, *options, "--overwrite") == 2
    assert "is the model that is converted" in capsys.readouterr().err
    assert run("convert", plain, "-o", tmp_path / "new.h5", *options) == 2
    assert "ends in .keras" in capsys.readouterr().err
    assert run("convert", plain, "-o", new, *options, "--overwrite") == 0
    assert keras.models.load_model(new).get_layer("rnn").unroll is False
