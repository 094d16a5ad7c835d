"""Grids: which training runs come out of lists of values."""

import pytest

from kerasunroll.data import open_source
from kerasunroll.errors import InputError
from kerasunroll.measurement.planning.grid import Grid
from kerasunroll.measurement.planning.variant import group_name

OPTIONS = {"source": "adding", "examples": 100, "seed": 0}


def adding(timesteps):
    return open_source("adding", timesteps=timesteps, examples=100)


def configs(**lists):
    usual = {
        "cells": ["lstm"],
        "units": [(3,)],
        "layers": [],
        "timesteps": [5],
        "batch_sizes": [32],
        "jit": [False],
        "dtypes": [None],
        "settings": ["loop"],
    }
    return Grid(**usual | lists).configs(adding, OPTIONS)


def test_every_combination_comes_once_with_the_settings_of_a_group_in_a_row():
    found = configs(cells=["lstm", "gru"], timesteps=[5, 9], settings=["loop", "full"], batch_sizes=[8, 16])
    names = [(group_name(config), config.setting) for config in found]
    assert len(set(names)) == len(names) == 16
    assert names[:4] == [
        ("lstm-L1-U3-T5-B8", "loop"),
        ("lstm-L1-U3-T5-B8", "full"),
        ("lstm-L1-U3-T5-B16", "loop"),
        ("lstm-L1-U3-T5-B16", "full"),
    ]
    assert [config.timesteps for config in found] == [5] * 8 + [9] * 8


def test_a_value_that_is_listed_twice_is_measured_once():
    assert len(configs(settings=["full", "full"], timesteps=[5, 5])) == 1
    assert len(configs(jit=[True, True], cells=["gru", "gru"])) == 1


def test_layers_stack_the_units():
    assert [config.stack.units for config in configs(layers=[1, 3], units=[(4,), (8,)])] == [
        (4,),
        (8,),
        (4, 4, 4),
        (8, 8, 8),
    ]


def test_layers_need_units_of_one_layer():
    with pytest.raises(InputError, match="With --layers, units are for one layer, such as --units 64, got 4,4"):
        configs(layers=[2], units=[(4, 4)])


def test_what_makes_a_group_is_in_its_name():
    found = configs(jit=[False, True], dtypes=[None, "mixed_bfloat16"], batch_sizes=[32, 64])
    assert [group_name(config) for config in found] == [
        "lstm-L1-U3-T5",
        "lstm-L1-U3-T5-B64",
        "lstm-L1-U3-T5-xla",
        "lstm-L1-U3-T5-B64-xla",
        "lstm-L1-U3-T5-mixed_bfloat16",
        "lstm-L1-U3-T5-mixed_bfloat16-B64",
        "lstm-L1-U3-T5-mixed_bfloat16-xla",
        "lstm-L1-U3-T5-mixed_bfloat16-B64-xla",
    ]


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"batch_sizes": [32, 4000]}, "batch_size=4,000 is more than the 80 training sequences"),
        ({"settings": ["loop", "quick"]}, "got 'quick'"),
        ({"units": [(3,), (0,)]}, "Invalid units"),
        ({"timesteps": [5, 0]}, "timesteps"),
        ({"settings": ["loop,full"]}, "each of the 1 layers, got 2"),
    ],
)
def test_one_value_that_cannot_be_used_refuses_the_whole_grid(lists, message):
    with pytest.raises(InputError, match=message):
        configs(**lists)
