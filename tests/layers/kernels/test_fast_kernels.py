"""The fast kernels against Keras's loop in float64: outputs, last states and every gradient."""

from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kerasunroll.errors import InputError
from kerasunroll.layers.kernels import chunks, gru, lstm, simple_rnn

FEATURES, UNITS = 3, 4
KERNELS = {
    "lstm": (lstm, keras.layers.LSTM, 4, 2),
    "gru": (gru, keras.layers.GRU, 3, 1),
    "tanh": (simple_rnn, keras.layers.SimpleRNN, 1, 1),
    "relu": (simple_rnn, keras.layers.SimpleRNN, 1, 1),
    "linear": (simple_rnn, keras.layers.SimpleRNN, 1, 1),
}
CELLS = ("lstm", "gru", "tanh")


@pytest.fixture(autouse=True)
def several_chunks(monkeypatch):
    """Have 40 time steps of these small cases be cut as long sequences are; few time steps stay in one chunk."""
    monkeypatch.setattr(chunks, "ROWS", 3)


class Case(NamedTuple):
    """What is run: arguments of the kernel, in its order."""

    cell: str
    arguments: list
    mask: np.ndarray | None
    upstream: list
    """Weights of the outputs and the last states in the loss."""


def make_case(cell, batch, timesteps, mask="none", dtype="float64", seed=0, bias=True):
    rng = np.random.default_rng(seed)
    _, _, gates, states = KERNELS[cell]
    draw = lambda *shape: tf.constant(0.7 * rng.normal(size=shape), dtype)  # noqa: E731
    arguments = [draw(batch, timesteps, FEATURES)] + [draw(batch, UNITS) for _ in range(states)]
    arguments += [draw(FEATURES, gates * UNITS), draw(UNITS, gates * UNITS)]
    shape = (2, gates * UNITS) if cell == "gru" else (gates * UNITS,)
    arguments += [draw(*shape)] if bias else []
    upstream = [draw(batch, timesteps, UNITS)] + [draw(batch, UNITS) for _ in range(states)]
    return Case(cell, arguments, make_mask(mask, rng, batch, timesteps), upstream)


def make_mask(kind, rng, batch, timesteps):
    if kind == "none":
        return None
    lengths = rng.integers(0, timesteps + 1, size=(batch, 1))
    t = np.arange(timesteps)
    return {
        "right": t < lengths,
        "left": t >= lengths,
        "holes": rng.random((batch, timesteps)) < 0.5,
        "all": np.zeros((batch, timesteps), bool),
    }[kind]


def loss_of(outputs, states, upstream):
    first = upstream[0] if len(outputs.shape) == 3 else upstream[0][:, 0]
    return sum(tf.reduce_sum(a * b) for a, b in zip((outputs, *states), (first, *upstream[1:]), strict=True))


def everything(run, case):
    """Return outputs, last states and all gradients of the weighted sum of them, as arrays."""
    graph = tf.function(lambda *arguments: everything_in_graph(run, case, arguments), autograph=False)
    return [each.numpy() for each in graph(*case.arguments)]


def everything_in_graph(run, case, arguments):
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        outputs, states = run(*arguments)
        loss = loss_of(outputs, states, case.upstream)
    return [outputs, *states, *tape.gradient(loss, arguments)]


def keras_loop(case, cut=None, **options):
    """Return the same of Keras's loop; with `cut` called on so many time steps at a time, no gradient between."""
    _, make, _, count = KERNELS[case.cell]
    if make is keras.layers.SimpleRNN:
        options["activation"] = case.cell
    x, states, weights = case.arguments[0], case.arguments[1 : count + 1], case.arguments[count + 1 :]
    layer = make(UNITS, return_state=True, use_bias=len(weights) == 3, dtype=x.dtype.name, **options)
    layer.build(x.shape)
    layer.set_weights([each.numpy() for each in weights])

    @tf.function(autograph=False)
    def run():
        with tf.GradientTape() as tape:
            tape.watch([x, *states])
            last, pieces, length = states, [], cut or x.shape[1]
            for start in range(0, x.shape[1], length):
                piece = slice(start, start + length)
                mask = None if case.mask is None else case.mask[:, piece]
                before = last if start == 0 else [tf.stop_gradient(each) for each in last]
                outputs, *last = layer(x[:, piece], initial_state=list(before), mask=mask)
                pieces.append(outputs)
            outputs = pieces[0] if cut is None else tf.concat(pieces, axis=1)
            loss = loss_of(outputs, last, case.upstream)
        variables = [each.value for each in layer.trainable_variables]
        return [outputs, *last, *tape.gradient(loss, [x, *states, *variables])]

    return [each.numpy() for each in run()]


def kernel_of(case, **options):
    kernel = KERNELS[case.cell][0]
    if case.cell in ("relu", "linear"):
        options["activation"] = case.cell
    mask = None if case.mask is None else tf.constant(case.mask)
    options = {"steps_per_iteration": None, "mask": mask, **options}

    def run(*arguments):
        bias = () if len(arguments) == KERNELS[case.cell][3] + 4 else (None,)
        return kernel(*arguments, *bias, **options)

    return run


def assert_same(ours, theirs, tolerance=1e-9):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def check(cell, batch, timesteps, mask, backwards, sequences, steps, segment, seed):
    case = make_case(cell, batch, timesteps, mask, seed=seed)
    options = {"go_backwards": backwards, "return_sequences": sequences}
    ours = kernel_of(case, steps_per_iteration=steps, segment=segment, **options)
    assert_same(everything(ours, case), keras_loop(case, **options))


CASES = {
    "cell": st.sampled_from(sorted(KERNELS)),
    "batch": st.sampled_from([1, 2, 3]),
    "timesteps": st.sampled_from([1, 2, 5, 7, 40]),
    "mask": st.sampled_from(["none", "right", "left", "holes", "all"]),
    "backwards": st.booleans(),
    "sequences": st.booleans(),
    "steps": st.sampled_from([1, 2, 3, 50, None]),
    "segment": st.sampled_from([None, 1, 3, 100]),
    "seed": st.integers(0, 100),
}
SLOW = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.generate],
}  # shrinking takes minutes


@settings(max_examples=4, derandomize=True, **SLOW)
@given(**CASES)
def test_equals_keras_loop(**case):
    check(**case)


@pytest.mark.slow
@settings(max_examples=300, **SLOW)
@given(**CASES)
def test_equals_keras_loop_thoroughly(**case):
    check(**case)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("batch", "timesteps", "mask", "steps", "segment"), [(2, 40, "none", 1, None), (3, 5, "holes", 3, 2)]
)
def test_compiled_equals_keras_loop(cell, batch, timesteps, mask, steps, segment):
    check(cell, batch, timesteps, mask, True, True, steps, segment, 0)


@pytest.mark.parametrize(("cell", "batch", "steps"), [("lstm", 1, 3), ("gru", 3, 1), ("tanh", 3, 3)])
def test_unknown_timesteps_and_batch_equal_keras_loop(cell, batch, steps):
    case = make_case(cell, batch, 40, "right")
    unknown = [tf.TensorSpec((None, None, FEATURES), "float64"), tf.TensorSpec((None, None), "bool")]
    states = [tf.TensorSpec((None, UNITS), "float64")] * KERNELS[cell][3]
    weights = [tf.TensorSpec(each.shape, "float64") for each in case.arguments[-3:]]

    @tf.function(input_signature=[*unknown, *states, *weights])
    def run(x, mask, *rest):
        return kernel_of(case, mask=mask, steps_per_iteration=steps)(x, *rest)

    ours = everything(lambda x, *rest: run(x, tf.constant(case.mask), *rest), case)
    assert_same(ours, keras_loop(case, return_sequences=True))


@pytest.mark.parametrize("cell", CELLS)
def test_without_bias_equals_keras_loop(cell):
    case = make_case(cell, 2, 5, bias=False)
    assert_same(everything(kernel_of(case), case), keras_loop(case, return_sequences=True))


@pytest.mark.parametrize(("cell", "segment"), [("lstm", None), ("gru", 7), ("tanh", None)])
def test_inside_a_function_compiled_by_xla_equals_keras_loop(cell, segment):
    case = make_case(cell, 2, 40, "holes")
    run = kernel_of(case, steps_per_iteration=1, segment=segment)
    whole = tf.function(lambda *arguments: everything_in_graph(run, case, arguments), jit_compile=True)
    assert_same([each.numpy() for each in whole(*case.arguments)], keras_loop(case, return_sequences=True))


@pytest.mark.parametrize("cell", CELLS)
def test_single_precision_is_within_1e_minus_5(cell):
    case = make_case(cell, 3, 20, dtype="float32")
    assert_same(everything(kernel_of(case), case), keras_loop(case, return_sequences=True), 1e-5)


@pytest.mark.parametrize(("cell", "dtype"), [("lstm", "bfloat16"), ("gru", "float16"), ("tanh", "bfloat16")])
def test_half_precision_stays_near_double(cell, dtype):
    half, double = make_case(cell, 2, 6, dtype=dtype), make_case(cell, 2, 6)
    ours = everything(kernel_of(half, steps_per_iteration=1), half)
    for a, b in zip(ours, keras_loop(double, return_sequences=True), strict=True):
        assert np.abs(a.astype("float64") - b).max() <= 0.05 * max(1, np.abs(b).max())


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("k", "steps", "segment"),
    [(3, 2, 4), *(pytest.param(*case, marks=pytest.mark.slow) for case in [(1, None, None), (3, 1, None)])],
)
def test_truncation_equals_cutting_the_sequence_by_hand(cell, k, steps, segment):
    case = make_case(cell, 2, 8)
    ours = kernel_of(case, truncate=k, steps_per_iteration=steps, segment=segment)
    assert_same(everything(ours, case), keras_loop(case, cut=k, return_sequences=True))


def test_truncation_over_many_chunks_and_masks_changes_no_output_but_the_gradient():
    case = make_case("lstm", 2, 20, "right")
    plain, cut = (everything(kernel_of(case, truncate=k), case) for k in (None, 10))
    assert_same(cut[:3], plain[:3])
    assert not np.allclose(cut[3], plain[3])
    assert_same(cut, everything(kernel_of(case, truncate=10, segment=7), case))


def test_time_steps_have_scopes_of_their_own_inside_the_kernels_scope():
    case = make_case("lstm", 2, 3)
    names = lambda steps: {  # noqa: E731
        node.name
        for node in tf.function(kernel_of(case, steps_per_iteration=steps))
        .get_concrete_function(*case.arguments)
        .graph.as_graph_def()
        .node
    }
    assert {name.split("/")[1] for name in names(None) if "/t0" in name} == {"t000", "t001", "t002"}
    assert all(name.split("/")[0] == "fast_lstm" for name in names(None) if "/t0" in name)


def test_layers_of_the_same_shape_share_one_compiled_function():
    case = make_case("gru", 2, 40)

    @tf.function
    def two(x, *rest):
        run = kernel_of(case, steps_per_iteration=1)
        return run(x, *rest)[0] + run(2 * x, *rest)[0]

    functions = two.get_concrete_function(*case.arguments).graph.as_graph_def().library.function
    assert sum("_XlaMustCompile" in function.attr for function in functions) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps_per_iteration": 0}, "Expected steps_per_iteration to be None or an integer of at least 1, got 0"),
        ({"truncate": -1}, "Expected truncate to be None or an integer of at least 1, got -1"),
        ({"segment": 0}, "Expected segment to be None or an integer of at least 1, got 0"),
    ],
)
def test_an_option_out_of_range_is_refused(options, message):
    case = make_case("lstm", 2, 3)
    with pytest.raises(InputError, match=message):
        kernel_of(case, **options)(*case.arguments)


def test_laying_out_an_unknown_number_of_time_steps_is_refused():
    case = make_case("lstm", 2, 3)
    run = tf.function(kernel_of(case, steps_per_iteration=None), autograph=False)
    with pytest.raises(InputError, match="only where their number is known, got x of shape"):
        run.get_concrete_function(tf.TensorSpec((2, None, FEATURES), "float64"), *case.arguments[1:])


def test_another_activation_is_refused():
    case = make_case("tanh", 2, 3)
    with pytest.raises(InputError, match="'tanh', 'relu' or 'linear', got 'selu'"):
        simple_rnn(*case.arguments, activation="selu")
