"""What a built stack computes: against the loop in float64, against itself on cut sequences, by hand."""

import random
import warnings

import keras
import numpy as np
import pytest

from kerasunroll import layers as own
from kerasunroll.errors import InputError, KerasunrollWarning
from kerasunroll.models import StackConfig, build_stack, variants
from kerasunroll.tasks import Classification, Regression

B, T, F = 3, 5, 2
UNITS = (4, 3)
CELLS = ["simple_rnn", "lstm", "gru"]
LAYER_CLASSES = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


def config(**options):
    defaults = {"cell": "lstm", "input_shape": (T, F), "units": UNITS, "dtype": "float64", "seed": 1}
    return StackConfig(**{**defaults, **options})


def sequences(*, padded=False):
    x = np.random.default_rng(0).normal(size=(B, T, F))
    if padded:
        x[0, 3:] = 0
        x[1, :2] = 0
    return x


def outputs(model, x, **options):
    return keras.ops.convert_to_numpy(model(x, **options))


def quiet_variants(source, settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", KerasunrollWarning)
        return variants(source, settings)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "bidirectional"])
@pytest.mark.parametrize("many_to_many", [False, True], ids=["last", "sequences"])
@pytest.mark.parametrize("mask_value", [None, 0.0], ids=["unmasked", "masked"])
def test_every_setting_computes_what_the_loop_does(cell, bidirectional, many_to_many, mask_value):
    stack = config(
        cell=cell,
        bidirectional=bidirectional,
        return_sequences=many_to_many,
        mask_value=mask_value,
        head=Classification(3),
    )
    models = quiet_variants(stack, ["loop", "full", "loop,full", "full,loop"])
    x = sequences(padded=mask_value is not None)
    expected = outputs(models.pop("loop"), x)
    assert expected.shape == ((B, T, 3) if many_to_many else (B, 3))
    # Keras unrolls a backward layer that returns sequences wrongly under a mask: layer 1 does here always,
    # layer 2 in a many-to-many stack.
    backward_and_masked = bidirectional and mask_value is not None
    wrong = {"full", "full,loop", *(["loop,full"] if many_to_many else [])} if backward_and_masked else set()
    differing = {name for name, model in models.items() if np.abs(outputs(model, x) - expected).max() > 1e-12}
    assert differing == wrong


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("unroll", "many_to_many", "layers"),
    [
        (False, True, None),
        ([False, True], False, None),
        (True, False, "'bidirectional_1'"),
        ([False, True], True, "'bidirectional_2'"),
        (True, True, "'bidirectional_1', 'bidirectional_2'"),
    ],
)
def test_the_known_error_of_keras_is_warned_of_once(cell, unroll, many_to_many, layers):
    stack = config(cell=cell, unroll=unroll, return_sequences=many_to_many, bidirectional=True, mask_value=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build_stack(stack)
    expected = [
        f"Keras's unroll=True computes something else than the loop in {layers}: a backward layer that "
        "returns sequences zeroes the masked time steps in the wrong order. Use unroll=False there, or "
        "leave mask_value out."
    ] * (layers is not None)
    assert [str(warning.message) for warning in caught] == expected
    assert all(warning.category is KerasunrollWarning for warning in caught)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
def test_masked_time_steps_count_for_nothing(cell, unroll):
    model = build_stack(config(cell=cell, unroll=unroll, mask_value=-7.0, head=Regression()))
    cut = build_stack(config(cell=cell, unroll=unroll, input_shape=(T - 2, F), head=Regression()))
    x = sequences()
    x[:, 3:] = -7
    np.testing.assert_allclose(outputs(model, x), outputs(cut, x[:, :3]), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
def test_padding_of_an_embedding_counts_for_nothing(unroll):
    options = {"embedding": 10, "mask_value": 0, "unroll": unroll}
    model = build_stack(config(input_shape=(T,), **options))
    cut = build_stack(config(input_shape=(3,), **options))
    words = np.array([[3, 1, 9, 0, 0], [2, 2, 4, 0, 0]])
    assert model.input_shape == (None, T)
    np.testing.assert_allclose(outputs(model, words), outputs(cut, words[:, :3]), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
@pytest.mark.parametrize("many_to_many", [False, True], ids=["last", "sequences"])
def test_going_backwards_is_reading_the_reversed_sequence(unroll, many_to_many):
    forward = build_stack(config(unroll=unroll, return_sequences=many_to_many))
    backward = build_stack(config(unroll=unroll, return_sequences=many_to_many, go_backwards=True))
    x = sequences()
    assert [layer.go_backwards for layer in backward.layers[1:]] == [True, False]
    np.testing.assert_array_equal(outputs(backward, x), outputs(forward, x[:, ::-1]))


def test_a_single_masked_layer_going_backwards():
    models = variants(config(units=4, go_backwards=True, mask_value=0), ["loop", "full"])
    forward = build_stack(config(units=4, mask_value=0))
    x = sequences(padded=True)
    for model in models.values():
        np.testing.assert_allclose(outputs(model, x), outputs(forward, x[:, ::-1]), rtol=1e-12, atol=1e-14)


def test_each_layer_has_its_own_name_class_and_setting():
    for cell, layer_class in LAYER_CLASSES.items():
        layers = build_stack(config(cell=cell, units=(4, 3, 2), unroll=[True, False, True])).layers[1:]
        assert [layer.name for layer in layers] == [f"{cell}_1", f"{cell}_2", f"{cell}_3"]
        assert [layer.unroll for layer in layers] == [True, False, True]
        assert [layer.units for layer in layers] == [4, 3, 2]
        # Keras's own class, no subclass of it: that is what saves and loads everywhere.
        assert {type(layer) for layer in layers} == {layer_class}


def test_both_directions_take_the_setting_of_their_layer():
    wrappers = build_stack(config(cell="gru", unroll=[False, True], bidirectional=True)).layers[1:]
    directions = [(layer.forward_layer, layer.backward_layer) for layer in wrappers]
    assert [layer.name for layer in wrappers] == ["bidirectional_1", "bidirectional_2"]
    assert [[each.name for each in pair] for pair in directions] == [
        ["forward_gru_1", "backward_gru_1"],
        ["forward_gru_2", "backward_gru_2"],
    ]
    assert [[each.unroll for each in pair] for pair in directions] == [[False, False], [True, True]]


def parameters(cell, features, units):
    """Kernel, recurrent kernel and biases of each gate; Keras's GRU has two biases (`reset_after`)."""
    gates, biases = {"simple_rnn": (1, 1), "lstm": (4, 1), "gru": (3, 2)}[cell]
    return gates * units * (features + units + biases)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
@pytest.mark.parametrize("timesteps", [1, 3, 9])
def test_the_number_of_parameters_depends_neither_on_time_nor_on_the_setting(cell, unroll, timesteps):
    model = build_stack(config(cell=cell, unroll=unroll, input_shape=(timesteps, F), head=Classification(7)))
    by_hand = parameters(cell, F, 4) + parameters(cell, 4, 3) + (3 + 1) * 7
    assert model.count_params() == by_hand


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (None, 3)),
        ({"bidirectional": True}, (None, 6)),
        ({"return_sequences": True}, (None, T, 3)),
        ({"head": Classification(7)}, (None, 7)),
        ({"head": Regression(), "return_sequences": True}, (None, T, 1)),
        ({"input_shape": (None, F), "return_sequences": True}, (None, None, 3)),
        ({"batch_size": 8}, (8, 3)),
    ],
)
def test_output_shapes(options, shape):
    assert build_stack(config(**options)).output_shape == shape


def same_weights(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


SEEDED = [
    {"bidirectional": True, "dropout": 0.2, "head": Regression()},
    {"embedding": 10, "input_shape": (T,)},
    {
        "cell": "gru",
        "cell_kwargs": {
            "kernel_initializer": "uniform",
            "recurrent_initializer": {"class_name": "HeNormal", "config": {"seed": None}},
            "bias_initializer": "random_normal",
        },
    },
]


@pytest.mark.parametrize("options", SEEDED)
def test_the_seed_decides_every_weight(options):
    one, again, other = (build_stack(config(seed=seed, **options)) for seed in (1, 1, 2))
    assert same_weights(one, again)
    drawn = [weight.path for weight in one.weights if np.unique(weight.numpy()).size > 2]
    assert drawn
    for weight, different in zip(one.weights, other.weights, strict=True):
        assert (weight.path in drawn) != np.array_equal(weight.numpy(), different.numpy())


def test_the_seed_decides_every_dropout_mask():
    options = {"dropout": 0.5, "bidirectional": True}
    states = [
        [variable.numpy().tobytes() for variable in model.variables if "seed_generator" in variable.path]
        for model in (build_stack(config(seed=seed, **options)) for seed in (1, 1, 2))
    ]
    assert states[0] == states[1]
    # Two layers of two directions, under two seeds: eight different states.
    assert len({*states[0], *states[2]}) == 8


def test_no_two_weights_of_one_stack_are_drawn_alike():
    model = build_stack(config(units=(2, 2), bidirectional=True, input_shape=(T, 4)))
    kernels = [weight.numpy() for weight in model.weights if weight.path.endswith("/kernel")]
    assert len(kernels) == 4
    assert len({kernel.tobytes() for kernel in kernels}) == 4


@pytest.mark.parametrize("options", SEEDED)
def test_a_seeded_stack_leaves_the_global_random_state_alone(options):
    random.seed(5)
    np.random.seed(5)
    python, numpy = random.getstate(), np.random.get_state()[1].tolist()
    build_stack(config(**options))
    assert random.getstate() == python
    assert np.random.get_state()[1].tolist() == numpy


def test_without_a_seed_the_weights_are_those_of_keras_set_random_seed():
    stack = config(seed=None)
    keras.utils.set_random_seed(3)
    one, other = build_stack(stack), build_stack(stack)
    keras.utils.set_random_seed(3)
    assert same_weights(one, build_stack(stack))
    assert not same_weights(one, other)


def test_the_initialisers_are_those_of_keras():
    lstm = build_stack(config()).get_layer("lstm_1")
    assert isinstance(lstm.kernel_initializer, keras.initializers.GlorotUniform)
    assert isinstance(lstm.recurrent_initializer, keras.initializers.Orthogonal)
    # unit_forget_bias: of the four gates, the second one's bias begins at 1.
    np.testing.assert_array_equal(lstm.cell.bias.numpy(), np.repeat([0, 1, 0, 0], 4))


def test_a_seed_given_with_an_initialiser_is_kept():
    initializer = {"class_name": "RandomNormal", "config": {"seed": 9}}
    models = [build_stack(config(seed=seed, cell_kwargs={"kernel_initializer": initializer})) for seed in (1, 2)]
    kernels = [model.get_layer("lstm_1").cell.kernel.numpy() for model in models]
    np.testing.assert_array_equal(*kernels)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "options",
    [
        {"unroll": [True, False], "head": Classification(3)},
        {"bidirectional": True, "unroll": True, "return_sequences": True},
        {"mask_value": 0, "dropout": 0.1, "recurrent_dropout": 0.1},
        {"stateful": True, "batch_size": B, "go_backwards": True},
    ],
    ids=lambda options: "-".join(options),
)
def test_save_and_load_without_custom_objects(tmp_path, cell, options):
    model = build_stack(config(cell=cell, **options))
    x = sequences(padded=True)
    expected = outputs(model, x)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    if "stateful" in options:
        for layer in loaded.layers[1:]:
            layer.reset_state()
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    np.testing.assert_array_equal(outputs(loaded, x), expected)


def test_an_embedding_is_saved_and_loaded(tmp_path):
    model = build_stack(config(input_shape=(T,), embedding=10, mask_value=0))
    model.save(tmp_path / "model.keras")
    words = np.array([[3, 1, 9, 0, 0]])
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(outputs(loaded, words), outputs(model, words))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "bidirectional"])
def test_a_stateful_stack_goes_on_where_the_last_batch_ended(cell, bidirectional):
    options = {"cell": cell, "stateful": True, "batch_size": B, "bidirectional": bidirectional, "units": 4}
    x = sequences()
    for model in variants(config(**options), ["loop", "full"]).values():
        first, second = outputs(model, x), outputs(model, x)
        assert np.abs(first - second).max() > 1e-3
        model.layers[1].reset_state()
        np.testing.assert_array_equal(outputs(model, x), first)


def test_two_halves_of_a_stateful_stack_are_the_whole():
    x = sequences()
    whole = build_stack(config(input_shape=(4, F)))
    half = build_stack(config(input_shape=(2, F), stateful=True, batch_size=B, unroll=True))
    outputs(half, x[:, :2])
    np.testing.assert_allclose(outputs(half, x[:, 2:4]), outputs(whole, x[:, :4]), rtol=1e-12)


@pytest.mark.parametrize(
    ("policy", "compute", "variable"),
    [
        ("float32", "float32", "float32"),
        ("float64", "float64", "float64"),
        ("mixed_float16", "float16", "float32"),
        ("mixed_bfloat16", "bfloat16", "float32"),
        (None, "float32", "float32"),
    ],
)
def test_the_head_keeps_the_precision_of_the_variables(policy, compute, variable):
    model = build_stack(config(dtype=policy, head=Regression(), bidirectional=True, mask_value=0))
    assert model.get_layer("bidirectional_2").compute_dtype == compute
    assert {weight.dtype for weight in model.weights} == {variable}
    assert model.output.dtype == variable
    assert model(sequences()).dtype == variable


def test_cell_kwargs_reach_every_layer():
    kwargs = {"activation": "relu", "unit_forget_bias": False, "kernel_regularizer": "l2"}
    model = build_stack(config(cell_kwargs=kwargs))
    for layer in model.layers[1:]:
        assert layer.activation is keras.activations.relu
        assert not layer.cell.bias.numpy().any()
        assert isinstance(layer.kernel_regularizer, keras.regularizers.L2)


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({"activaton": "relu"}, "Unrecognized keyword arguments passed to LSTM: {'activaton': 'relu'}"),
        ({"activation": "rleu"}, "Could not interpret activation function identifier: rleu"),
        ({"kernel_initializer": "hee"}, "Could not interpret initializer identifier: hee"),
    ],
)
def test_what_keras_refuses_is_said_with_its_layer(kwargs, reason):
    with pytest.raises(InputError) as caught:
        build_stack(config(cell_kwargs=kwargs))
    assert str(caught.value) == f"Keras refused cell_kwargs={kwargs!r} for layer 'lstm_1': {reason}"


def test_settings_of_ours_are_run_by_our_layers():
    stack = config(units=(4, 3, 2), unroll=[True, 4, "own-full"])
    layers = build_stack(stack).layers[1:]
    assert [type(layer) for layer in layers] == [keras.layers.LSTM, own.LSTM, own.LSTM]
    assert [layer.unroll for layer in layers] == [True, 4, True]
    layers = build_stack(stack.replace(unroll=[True, 4, False], implementation="kerasunroll")).layers[1:]
    assert [type(layer) for layer in layers] == [own.LSTM] * 3
    assert [layer.unroll for layer in layers] == [True, 4, False]


@pytest.mark.parametrize("cell", CELLS)
def test_our_layers_compute_what_the_loop_does(cell):
    models = variants(
        config(cell=cell, bidirectional=True, mask_value=0.0, return_sequences=True, head=Regression()),
        ["loop", "own-loop", "own-full", "k2"],
    )
    x = sequences(padded=True)
    expected = outputs(models.pop("loop"), x)
    for model in models.values():
        np.testing.assert_allclose(outputs(model, x), expected, rtol=1e-12, atol=1e-14)


def test_an_untrained_stack_can_be_fitted():
    model = build_stack(config(unroll=True, head=Classification(3)))
    assert not model.compiled
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = model.get_weights()
    model.fit(sequences(), np.array([0, 1, 2]), verbose=0)
    assert not any(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize:UserWarning")
def test_the_head_can_be_quantised():
    model = build_stack(config(dtype="float32", head=Regression()))
    expected = outputs(model, sequences())
    model.quantize("int8")
    assert model.get_layer("head").kernel.dtype == "int8"
    np.testing.assert_allclose(outputs(model, sequences()), expected, atol=0.01)
