import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasunroll.errors import InputError, SettingError
from kerasunroll.settings import (
    expand_settings,
    is_full,
    layer_arguments,
    own_setting,
    parse_settings,
    settings_name,
    validate_setting,
)

ACCEPTED = (
    "expected False (loop), True (full) or an integer k >= 2 (k time steps per loop iteration); "
    "for kerasunroll's layers also 'own-loop', 'own-full' or 'auto'"
)
ACCEPTED_TEXT = (
    "expected loop, full, or k8 (also written 8) for 8 time steps per loop iteration; "
    "for kerasunroll's layers also own-loop, own-full or auto"
)
ONE = " One time step per loop iteration is the loop: use False."

a_setting = st.booleans() | st.integers(min_value=2) | st.sampled_from(["own-loop", "own-full", "auto"])


def exactly(message):
    return f"^{re.escape(message)}$"


@pytest.mark.parametrize("value", [False, True, 2, 8, 10**6, "own-loop", "own-full", "auto"])
def test_a_setting_is_kept_as_it_is(value):
    setting = validate_setting(value)
    assert setting == value
    assert type(setting) is type(value)


def test_a_numpy_integer_becomes_a_plain_one():
    assert type(validate_setting(np.int64(8))) is int


@pytest.mark.parametrize(
    "value", [0, 1, -1, -8, 1.5, 2.0, float("nan"), None, "full", "k8", "", [True], (2,), {}, np.float32(4)]
)
def test_a_bad_setting_is_named_with_what_is_accepted(value):
    hint = ONE if value == 1 else ""
    message = f"Invalid unroll setting: {ACCEPTED}, got {value!r}.{hint}"
    with pytest.raises(SettingError, match=exactly(message)):
        validate_setting(value)


def test_a_setting_error_is_an_input_error_and_a_value_error():
    with pytest.raises(SettingError) as caught:
        validate_setting(0)
    assert isinstance(caught.value, InputError)
    assert isinstance(caught.value, ValueError)


def test_an_array_is_no_setting():
    with pytest.raises(SettingError, match=re.escape("got array([2, 3]).")):
        expand_settings(np.array([2, 3]), layers=2)


@given(setting=a_setting, layers=st.integers(1, 5))
def test_one_setting_is_for_every_layer(setting, layers):
    assert expand_settings(setting, layers) == (setting,) * layers


@given(st.lists(a_setting, min_size=1, max_size=5))
def test_one_setting_per_layer_stays_in_order(settings):
    assert expand_settings(settings, len(settings)) == tuple(settings)
    assert expand_settings(tuple(settings), len(settings)) == tuple(settings)


@pytest.mark.parametrize("unroll", [[], [True], [True, False, 8]])
def test_a_wrong_number_of_settings_is_counted(unroll):
    message = f"Expected one unroll setting, or one for each of the 2 layers, got {len(unroll)}: {unroll!r}."
    with pytest.raises(SettingError, match=exactly(message)):
        expand_settings(unroll, layers=2)


@pytest.mark.parametrize(
    ("unroll", "layer", "value"), [([1, True], 1, 1), ([True, 0], 2, 0), ((8, False, 1.5), 3, 1.5)]
)
def test_a_bad_setting_among_several_names_its_layer(unroll, layer, value):
    hint = ONE if value == 1 else ""
    message = f"Invalid unroll setting for layer {layer}: {ACCEPTED}, got {value!r}.{hint}"
    with pytest.raises(SettingError, match=exactly(message)):
        expand_settings(unroll, layers=len(unroll))


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("loop", False),
        ("full", True),
        ("k8", 8),
        ("8", 8),
        ("2", 2),
        (" full ", True),
        ("loop,full", (False, True)),
        ("loop, k4 ,16", (False, 4, 16)),
        ("own-loop", "own-loop"),
        ("full,own-full,auto", (True, "own-full", "auto")),
    ],
)
def test_text_is_read(text, settings):
    parsed = parse_settings(text)
    assert parsed == settings
    # 1 == True and 0 == False: the kinds must agree too.
    assert repr(parsed) == repr(settings)


@pytest.mark.parametrize(
    "word", ["", "unrolled", "Loop", "k", "k0", "k1", "0", "1", "-2", "k-2", "1.5", "8k", "true", "٨"]
)
def test_a_bad_word_is_named_with_what_is_accepted(word):
    with pytest.raises(SettingError, match=exactly(f"Invalid unroll setting: {ACCEPTED_TEXT}, got '{word}'.")):
        parse_settings(word)


@pytest.mark.parametrize(("text", "layer", "word"), [("loop,fast", 2, "fast"), (",full", 1, ""), ("k2,full,", 3, "")])
def test_a_bad_word_among_several_names_its_layer(text, layer, word):
    message = f"Invalid unroll setting for layer {layer}: {ACCEPTED_TEXT}, got '{word}'."
    with pytest.raises(SettingError, match=exactly(message)):
        parse_settings(text)


@pytest.mark.parametrize(
    ("unroll", "name"),
    [
        (False, "loop"),
        (True, "full"),
        (8, "k8"),
        ([True, True], "full"),
        ([2, 2, 2], "k2"),
        ((False, True), "loop,full"),
        ([True, 16, True], "full,k16,full"),
        ([False], "loop"),
        (["own-loop", "own-loop"], "own-loop"),
        ([False, "own-loop"], "loop,own-loop"),
    ],
)
def test_names(unroll, name):
    assert settings_name(unroll) == name


@pytest.mark.parametrize("unroll", [[], ()])
def test_no_settings_have_no_name(unroll):
    with pytest.raises(SettingError, match=exactly(f"Expected at least one unroll setting, got {unroll!r}.")):
        settings_name(unroll)


def test_an_invalid_setting_has_no_name():
    with pytest.raises(SettingError, match=r"for layer 2: .* got 1\.5\."):
        settings_name([True, 1.5])


@given(st.lists(a_setting, min_size=1, max_size=5))
def test_a_name_is_read_back_as_the_same_settings(settings):
    layers = len(settings)
    read = expand_settings(parse_settings(settings_name(settings)), layers)
    assert repr(read) == repr(tuple(settings))


@given(a_setting)
def test_the_name_of_one_setting_is_read_back(setting):
    assert repr(parse_settings(settings_name(setting))) == repr(setting)


@pytest.mark.parametrize(
    ("setting", "own", "arguments", "full"),
    [
        (False, "own-loop", ("keras", False), False),
        (True, "own-full", ("keras", True), True),
        (8, 8, ("kerasunroll", 8), False),
        ("own-loop", "own-loop", ("kerasunroll", False), False),
        ("own-full", "own-full", ("kerasunroll", True), True),
        ("auto", "auto", ("kerasunroll", "auto"), False),
    ],
)
def test_a_setting_says_whose_layer_it_is_and_how_that_runs(setting, own, arguments, full):
    assert layer_arguments(setting) == arguments
    assert own_setting(setting) == own
    assert is_full(setting) is full
