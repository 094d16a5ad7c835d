from inspect import Parameter, signature

import numpy as np
import pytest

import kerasunroll
from kerasunroll.errors import InputError
from kerasunroll.models import (
    StackConfig,
    build_stack,
    gru_stack,
    lstm_stack,
    recurrent_stack,
    simple_rnn_stack,
)
from kerasunroll.tasks import Classification, Regression

STACKS = {"simple_rnn": simple_rnn_stack, "lstm": lstm_stack, "gru": gru_stack}


def parameters(function):
    return {p.name: (p.kind, p.default) for p in signature(function).parameters.values()}


@pytest.mark.parametrize("stack", STACKS.values())
def test_the_three_take_what_the_general_one_takes_but_the_cell(stack):
    general = parameters(recurrent_stack)
    del general["cell"]
    assert parameters(stack) == general


def test_the_arguments_are_the_fields_of_the_config():
    assert set(parameters(recurrent_stack)) == set(StackConfig.model_fields)
    for name, (_, default) in parameters(recurrent_stack).items():
        field = StackConfig.model_fields[name]
        # None stands for a default that is made anew each time.
        made = default is None and field.default_factory is not None
        required = default is Parameter.empty and field.is_required()
        assert made or required or default == field.default


OPTIONS = {
    "units": (3, 2),
    "unroll": [False, True],
    "implementation": "kerasunroll",
    "head": Regression(2),
    "return_sequences": True,
    "bidirectional": True,
    "dropout": 0.1,
    "recurrent_dropout": 0.2,
    "stateful": True,
    "batch_size": 2,
    "cell_kwargs": {"activation": "relu"},
    "dtype": "float64",
    "seed": 4,
    "name": "mine",
}


@pytest.mark.parametrize("cell", STACKS)
@pytest.mark.parametrize(
    "options",
    [
        {"input_shape": (5, 2), **OPTIONS},
        {"input_shape": (5,), "embedding": 7, "mask_value": 0, "units": 3, "seed": 4},
        {"input_shape": (5, 2), "go_backwards": True, "seed": 4},
    ],
    ids=["real", "integer", "backwards"],
)
def test_every_argument_arrives(cell, options):
    expected = build_stack(StackConfig(cell=cell, **options))
    for model in (STACKS[cell](**options), recurrent_stack(cell=cell, **options)):
        assert model.name == expected.name
        assert [layer.get_config() for layer in model.layers] == [layer.get_config() for layer in expected.layers]
        for one, other in zip(model.get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_first_arguments_go_by_position():
    model = lstm_stack((5, 2), (4, 3), [True, False], Classification(3))
    assert [(layer.name, layer.unroll) for layer in model.layers[1:3]] == [("lstm_1", True), ("lstm_2", False)]
    assert (model.name, model.output_shape) == ("lstm-L2-U4-3-T5", (None, 3))


def test_the_package_offers_the_factories():
    assert kerasunroll.lstm_stack is lstm_stack
    assert kerasunroll.recurrent_stack is recurrent_stack


def test_errors_are_those_of_the_config():
    with pytest.raises(InputError, match=r"^Invalid cell: .* got 'rnn'\.$"):
        recurrent_stack("rnn", (5, 2))
    with pytest.raises(InputError, match=r"^Invalid units: .* got \[\]\.$"):
        gru_stack((5, 2), units=[])
    with pytest.raises(InputError, match=r"^Cannot unroll an unknown time dimension"):
        simple_rnn_stack((None, 2), unroll=True)


def test_an_unknown_argument_is_refused_by_python():
    with pytest.raises(TypeError, match="unrol"):
        lstm_stack((5, 2), unrol=True)
