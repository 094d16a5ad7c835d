import re
import subprocess
import sys

import numpy as np
import pytest

from kerasunroll.errors import InputError, SettingError
from kerasunroll.models import StackConfig
from kerasunroll.tasks import Classification, Regression


def config(**options):
    return StackConfig(**{"cell": "lstm", "input_shape": (5, 2), **options})


EVERY_OPTION = {
    "cell": "gru",
    "input_shape": (7, 3),
    "units": (4, 5),
    "unroll": (False, 8),
    "implementation": "kerasunroll",
    "head": Classification(3),
    "return_sequences": True,
    "bidirectional": True,
    "mask_value": -1.0,
    "dropout": 0.25,
    "recurrent_dropout": 0.5,
    "stateful": True,
    "batch_size": 6,
    "cell_kwargs": {"activation": "relu", "use_bias": False, "kernel_regularizer": {"config": {"l2": 0.1}}},
    "dtype": "float64",
    "seed": 3,
    "name": "mine",
}


def test_a_config_loads_without_tensorflow():
    code = (
        "import sys, kerasunroll.models as models;"
        "models.StackConfig(cell='lstm', input_shape=(5, 2));"
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "lstm", "input_shape": (5, 2)},
        {"cell": "simple_rnn", "input_shape": (None, 2), "units": 3, "head": Regression(2)},
        {"cell": "lstm", "input_shape": (5,), "embedding": 10, "mask_value": 0, "go_backwards": False},
        EVERY_OPTION,
    ],
)
def test_json_round_trip(options):
    before = StackConfig(**options)
    after = StackConfig.from_json(before.model_dump_json())
    assert after == before
    assert type(after.head) is type(before.head)
    assert repr(after.settings) == repr(before.settings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"Expected a stack's configuration as JSON, got '\{': "),
        ("[1]", r"Expected a stack's configuration as a JSON object, got '\[1\]'\."),
        ('{"cell": "lstm"}', r"Missing argument: input_shape\."),
    ],
)
def test_bad_json(text, message):
    with pytest.raises(InputError, match=message):
        StackConfig.from_json(text)


def test_a_config_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        config().units = (3,)


def test_what_is_given_loosely_is_kept_exactly():
    loose = config(units=np.int64(3), input_shape=[np.int32(5), 2], unroll=[True], dropout=0)
    assert (loose.units, loose.input_shape, loose.settings, loose.layers) == ((3,), (5, 2), (True,), 1)
    assert type(loose.units[0]) is int


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "lstm-L2-U64-T5"),
        ({"cell": "simple_rnn", "units": 8}, "simple_rnn-L1-U8-T5"),
        ({"cell": "gru", "units": (64, 32), "input_shape": (None, 2)}, "gru-L2-U64-32-Tany"),
        ({"unroll": True, "seed": 4, "head": Classification(3), "dtype": "float32"}, "lstm-L2-U64-T5"),
        ({"bidirectional": True, "return_sequences": True}, "lstm-L2-U64-T5-sequences-bidirectional"),
        ({"go_backwards": True}, "lstm-L2-U64-T5-backwards"),
        ({"stateful": True, "batch_size": 4}, "lstm-L2-U64-T5-stateful"),
        ({"mask_value": -1}, "lstm-L2-U64-T5-masked-1"),
        ({"mask_value": 1e20}, "lstm-L2-U64-T5-masked1e_20"),
        ({"embedding": 50, "input_shape": (5,), "mask_value": 0}, "lstm-L2-U64-T5-E50-masked0"),
        ({"dropout": 0.2, "recurrent_dropout": 0.1}, "lstm-L2-U64-T5-dropout0.2-recurrent_dropout0.1"),
        ({"dtype": "mixed_float16"}, "lstm-L2-U64-T5-mixed_float16"),
        (
            {"cell_kwargs": {"use_bias": False, "activation": "relu"}},
            "lstm-L2-U64-T5-activation_relu-use_bias_False",
        ),
        ({"name": "mine"}, "mine"),
    ],
)
def test_the_name_sets_networks_apart(options, name):
    assert config(**options).name == name


def test_long_options_are_told_apart_by_a_checksum():
    names = {
        config(cell_kwargs={"bias_initializer": {"class_name": "Constant", "config": {"value": value}}}).name
        for value in (1, 2)
    }
    assert len(names) == 2
    assert all(re.fullmatch(r"lstm-L2-U64-T5-bias_initializer_[0-9a-f]{8}", name) for name in names)


def test_replace_renames_unless_the_name_was_given():
    assert config().replace(units=(3, 4, 5)).name == "lstm-L3-U3-4-5-T5"
    assert config(name="mine").replace(units=3).name == "mine"
    assert config(head=Classification(3)).replace(unroll=[True, 2]).settings == (True, 2)


def test_kerasunrolls_implementation_shows_in_the_settings():
    assert config(unroll=[False, 4]).settings == (False, 4)
    assert config(unroll=[False, 4], implementation="kerasunroll").settings == ("own-loop", 4)
    assert config(unroll=True, implementation="kerasunroll").settings == ("own-full",) * 2
    for unroll in ("own-loop", "auto", ("own-full", True)):
        assert StackConfig.from_json(config(unroll=unroll).model_dump_json()).unroll == unroll


def test_replace_validates():
    with pytest.raises(InputError, match=r"Invalid units: .* got \(0,\)"):
        config().replace(units=(0,))


INVALID = {
    "cell": ("'simple_rnn', 'lstm' or 'gru'", ["rnn", "LSTM", None, ["lstm"]]),
    "input_shape": (
        "a tuple of positive integers, whose first, the time steps, may be None",
        [5, (), (0, 2), (5, 0), (5, None), (5.0, 2), (True, 2), "5", (-1, 2), None],
    ),
    "units": (
        "one positive integer per layer, such as (64, 64), or one integer for one layer",
        [(), [], 0, -3, (64, 0), 2.5, (64, 2.0), "64", True, None, (None,)],
    ),
    "implementation": ("'keras' or 'kerasunroll'", ["Keras", "own", None, True]),
    "head": (
        "Classification(...), Regression(...) or None",
        [10, "classes", {}, {"class": 3}, Classification],
    ),
    "return_sequences": ("True or False", ["yes", 1, None]),
    "bidirectional": ("True or False", ["concat", 0]),
    "stateful": ("True or False", [1]),
    "go_backwards": ("True or False", ["False"]),
    "mask_value": ("a finite number or None", ["0", float("nan"), float("inf"), True, (0, 1)]),
    "embedding": ("a positive integer or None", [0, -1, 2.0, True, "10"]),
    "batch_size": ("a positive integer or None", [0, 1.5, False]),
    "dropout": ("a number of at least 0 and below 1", [1, -0.1, 1.5, float("nan"), "0.5", None, True]),
    "recurrent_dropout": ("a number of at least 0 and below 1", [1.0, -1]),
    "cell_kwargs": ("a dict of arguments for the recurrent layers", ["relu", None, [("a", 1)], {1: 2}]),
    "dtype": (
        "'float16', 'bfloat16', 'float32', 'float64', 'mixed_float16', 'mixed_bfloat16' or None "
        "(Keras's global policy)",
        ["float", "mixed_float32", 32, ["float32"]],
    ),
    "seed": ("an integer of at least 0 or None", [-1, 1.0, "3", True]),
    "name": (
        "letters, digits, '_', '.' and '-', beginning with a letter or digit",
        ["", "a/b", "..", "a b", "-a", None, 3],
    ),
}


@pytest.mark.parametrize(
    ("argument", "accepted", "value"),
    [(argument, accepted, value) for argument, (accepted, values) in INVALID.items() for value in values],
)
def test_an_invalid_argument_is_named_with_its_value_and_what_is_accepted(argument, accepted, value):
    with pytest.raises(InputError) as caught:
        config(**{argument: value})
    assert str(caught.value) == f"Invalid {argument}: expected {accepted}, got {value!r}."


def test_every_argument_has_its_invalid_values_tested():
    assert {*INVALID, "unroll"} == set(StackConfig.model_fields)


@pytest.mark.parametrize(
    ("unroll", "message"),
    [
        (1, r"Invalid unroll setting: expected .* got 1\. One time step"),
        ([True, 0], r"Invalid unroll setting for layer 2: expected .* got 0\."),
        ([True], r"Expected one unroll setting, or one for each of the 2 layers, got 1: \[True\]\."),
        ("full", r"Invalid unroll setting: expected .* got 'full'\."),
    ],
)
def test_an_invalid_setting_is_a_setting_error(unroll, message):
    with pytest.raises(SettingError, match=message):
        config(unroll=unroll)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"input_shape": (5,)},
            "Invalid input_shape: expected (timesteps, features) with embedding=None, without the batch size, "
            "got (5,).",
        ),
        (
            {"input_shape": (8, 5, 2)},
            "Invalid input_shape: expected (timesteps, features) with embedding=None, without the batch size, "
            "got (8, 5, 2).",
        ),
        (
            {"embedding": 10},
            "Invalid input_shape: expected (timesteps,) with embedding=10, without the batch size, got (5, 2).",
        ),
        (
            {"embedding": 10, "input_shape": (5,), "mask_value": 3},
            "Invalid mask_value: with embedding only index 0 can be masked (mask_value=0), got 3.0.",
        ),
        (
            {"input_shape": (None, 2), "unroll": "own-full"},
            "Cannot unroll an unknown time dimension: got input_shape=(None, 2) with unroll='own-full'. "
            "Give the number of time steps, such as input_shape=(100, 2), or unroll=False.",
        ),
        (
            {"input_shape": (None, 2), "unroll": [False, True]},
            "Cannot unroll an unknown time dimension: got input_shape=(None, 2) with unroll=(False, True). "
            "Give the number of time steps, such as input_shape=(100, 2), or unroll=False.",
        ),
        (
            {"stateful": True},
            "stateful=True needs the batch size: give batch_size as a positive integer.",
        ),
        (
            {"bidirectional": True, "go_backwards": True},
            "bidirectional=True and go_backwards=True do not go together: a bidirectional layer reads in "
            "both directions already. Give one of the two.",
        ),
        (
            {"go_backwards": True, "mask_value": 0},
            "go_backwards=True with mask_value=0.0 needs units of one layer and return_sequences=False, got "
            "units=(64, 64) and return_sequences=False: Keras returns the sequence reversed but its mask "
            "unreversed. Reverse the time steps of the data instead; the network is the same.",
        ),
        (
            {"cell_kwargs": {"units": 3}},
            "Invalid cell_kwargs: 'units' is decided by the stack, got units=3. Give the stack's own argument instead.",
        ),
        (
            {"cell_kwargs": {"return_state": True}},
            "Invalid cell_kwargs: a stack passes one sequence from layer to layer, got return_state=True. "
            "Leave it out.",
        ),
        (
            {"cell_kwargs": {"kernel_regularizer": 1j}},
            "Invalid cell_kwargs: expected 'kernel_regularizer' as Keras writes it in JSON, got 1j. "
            "Give its name, or keras.saving.serialize_keras_object(...) of it.",
        ),
        ({"head": {"classes": 1}}, "Classification needs at least 2 classes, got classes=1."),
        (
            {"unit": 3},
            "Unknown argument: unit=3. Known are cell, embedding, input_shape, units, unroll, implementation, head, "
            "return_sequences, bidirectional, mask_value, dropout, recurrent_dropout, stateful, batch_size, "
            "go_backwards, cell_kwargs, dtype, seed, name.",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(options, message):
    with pytest.raises(InputError) as caught:
        config(**options)
    assert str(caught.value) == message


@pytest.mark.parametrize("missing", ["cell", "input_shape"])
def test_a_missing_argument_is_named(missing):
    options = {"cell": "lstm", "input_shape": (5, 2)}
    del options[missing]
    with pytest.raises(InputError, match=rf"^Missing argument: {missing}\.$"):
        StackConfig(**options)


def test_a_masked_layer_may_go_backwards_where_it_passes_no_sequence_on():
    assert config(go_backwards=True, mask_value=0, units=3).go_backwards
