import json

import keras
import numpy as np
import pytest

from kerasunroll.errors import InputError
from kerasunroll.inspection import masked_backwards_errors, parity
from kerasunroll.inspection.model_parity.differences import Reading, differences
from kerasunroll.models.conversion.with_unroll import with_unroll

B, T, F, U = 3, 5, 2, 3
layers = keras.layers
X = np.random.default_rng(0).normal(size=(B, T, F)).astype("float32")
Y = np.random.default_rng(1).normal(size=(B, 2)).astype("float32")


def build(*parts, loss="mse", name="model"):
    """A model whose weights depend on their shapes only."""
    model = keras.Sequential([keras.Input((T, F)), *parts], name=name)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape) / 2 for weight in model.weights])
    if loss:
        model.compile(keras.optimizers.Adam(0.01), loss)
    return model


def rnn(**arguments):
    return layers.SimpleRNN(U, name="rnn", **arguments)


def test_loop_and_full_are_equal_to_rounding_and_the_models_are_left_as_they_were():
    loop = build(layers.Masking(), layers.GRU(U), layers.Dense(2))
    x = X.copy()
    x[1, 3:] = 0
    loop.fit(x, Y, epochs=2, verbose=0)
    full = with_unroll(loop, True)
    before = [[v.numpy() for v in (*model.variables, *model.optimizer.variables)] for model in (loop, full)]
    loss = loop.evaluate(x, Y, verbose=0)

    found = parity(loop, full, (x, Y), training_steps=2)

    assert found.verdict == "equal to rounding"
    assert found.equal
    for model, values in zip((loop, full), before, strict=True):
        for variable, value in zip((*model.variables, *model.optimizer.variables), values, strict=True):
            np.testing.assert_array_equal(variable, value)
    assert found.worst_of("loss", "float32", 0).values[0] == pytest.approx(loss, rel=1e-6)
    moments = {(each.kind, each.dtype, each.training_steps) for each in (*found.own, *found.double)}
    kinds = ["output", "loss", "layer output", "state", "gradient", "input gradient", "weight"]
    assert moments == {(kind, dtype, step) for kind in kinds for dtype in ("float32", "float64") for step in (0, 2)}
    assert max(each.relative for each in found.double) < 1e-12
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["verdict"] == "equal to rounding"

    for _ in range(2):
        loop.train_on_batch(x, Y)
    trained = {weight.path.removeprefix("model/"): np.abs(weight.numpy()).max() for weight in loop.weights}
    after = {each.name: each.scale for each in found.own if each.kind == "weight" and each.training_steps == 2}
    assert after == pytest.approx(trained, rel=1e-6)


def test_a_model_and_its_copy_are_identical_also_without_targets():
    a, b = (build(rnn(), layers.Dense(2), loss=None) for _ in range(2))
    found = parity(a, b, X, training_steps=1)
    assert found.verdict == "identical"
    assert str(found).startswith("identical: 'model' computes what 'model' does, bit for bit.")
    assert "made up" in str(found)


def test_a_difference_in_one_weight_is_found_and_named():
    a, b = (build(rnn(), layers.Dense(2), loss=None) for _ in range(2))
    kernel = b.layers[0].cell.recurrent_kernel
    kernel.assign(kernel + 1e-6 * np.eye(U)[[1]].T @ np.eye(U)[[2]])  # one entry: [1, 2]

    found = parity(a, b, X, training_steps=0)

    assert found.verdict == "different"
    weights = [each for each in found.double if each.kind == "weight" and each.largest > 0]
    assert [(each.name, each.layer, each.at) for each in weights] == [
        ("rnn/simple_rnn_cell/recurrent_kernel", "rnn", (1, 2))
    ]
    assert weights[0].largest == pytest.approx(1e-6, rel=0.1)
    assert found.first.layer == "rnn"


@keras.saving.register_keras_serializable(package="test_parity")
class Disturbed(keras.layers.Layer):
    """Adds something to one sample at one time step."""

    def __init__(self, amount, **arguments):
        super().__init__(**arguments)
        self.amount = amount
        self.supports_masking = True

    def call(self, x):
        where = np.zeros((B, T, 1))
        where[2, 3] = self.amount
        return x + keras.ops.convert_to_tensor(where, x.dtype)

    def get_config(self):
        return {**super().get_config(), "amount": self.amount}


def test_a_difference_at_one_time_step_is_found_and_named():
    a, b = (build(Disturbed(amount), rnn(return_sequences=True), loss=None) for amount in (0.0, 1e-3))
    found = parity(a, b, X, training_steps=0)
    assert found.verdict == "different"
    states = found.worst_of("state", "float64", 0)
    assert (states.layer, states.sample, states.time_step) == ("rnn", 2, 3)
    assert (found.first.layer, found.first.sample, found.first.time_step) == ("rnn", 2, 3)
    assert "sample 2, time step 3" in str(found)


def test_dropout_is_compared_in_training_mode_where_the_same_numbers_are_drawn():
    loop, full = (
        build(rnn(unroll=unroll, dropout=0.5, recurrent_dropout=0.5), layers.Dropout(0.5), layers.Dense(2))
        for unroll in (False, True)
    )
    full.layers[1].seed_generator.state.assign([4, 2])  # the seeds of the first model count
    found = parity(loop, full, (X, Y), training_steps=1)
    assert found.verdict == "equal to rounding"
    training = [each for each in found.double if each.training]
    assert {each.kind for each in training} >= {"output", "loss", "gradient"}
    assert any("same random numbers, so" in note for note in found.notes)


def test_dropout_that_draws_otherwise_is_left_out_and_said():
    a, b = (build(rnn(), layers.Dropout(0.5, noise_shape=shape), layers.Dense(2)) for shape in (None, (B, 1)))
    found = parity(a, b, (X, Y), training_steps=1)
    assert found.verdict == "identical"
    assert not any(each.training for each in found.own)
    assert any("in inference mode only" in note for note in found.notes)


def reading(*values):
    return [Reading("output", "y", "", 0, training=False, value=np.array(values), batch=True)]


@pytest.mark.parametrize(
    ("a", "b", "largest", "hidden"),
    [
        ((np.nan, 1.0), (np.nan, 1.0), 0, 1),
        ((np.inf, 1.0), (np.inf, 3.0), 2, 1),
        ((np.nan, 1.0), (2.0, 1.0), np.inf, 0),
        ((np.inf, 1.0), (-np.inf, 1.0), np.inf, 0),
    ],
)
def test_what_is_not_finite_differs_only_where_it_is_not_so_in_both(a, b, largest, hidden):
    (found,) = differences(reading(*a), reading(*b), dtype="float64", eps=2e-16, timesteps=1)
    assert (found.largest, found.not_finite) == (largest, hidden)
    assert np.isnan(found.relative) == np.isinf(largest)


def test_nan_in_both_is_told():
    a, b = (build(rnn(unroll=unroll), loss=None) for unroll in (False, True))
    x = X.copy()
    x[1, 2] = np.nan
    found = parity(a, b, x, training_steps=0)
    assert found.equal
    assert "NaN or infinite in both models at the same places" in str(found)


@keras.saving.register_keras_serializable(package="test_parity")
class Single(keras.layers.Dense):
    """A layer that computes in float32, whatever it is told."""

    def __init__(self, units, **arguments):
        super().__init__(units, **{**arguments, "dtype": "float32"})


def test_optimizers_in_different_states_are_told():
    a, b = (build(rnn(), layers.Dense(2)) for _ in range(2))
    a.optimizer.iterations.assign(5)
    assert any("optimizers" in note for note in parity(a, b, (X, Y), training_steps=1).notes)


def test_what_has_no_copy_in_float64_is_compared_in_its_own_precision():
    a, b = (build(rnn(unroll=unroll), Single(2, name="single"), loss=None) for unroll in (False, True))
    found = parity(a, b, X, training_steps=0)
    assert found.equal
    assert found.double == ()
    assert found.tolerance == pytest.approx(100 * 2**-23 * T)
    assert any("'single' keeps its dtype float32" in note for note in found.notes)


def test_models_and_batches_that_do_not_match_are_refused():
    model = build(rnn(), layers.Dense(2))
    with pytest.raises(InputError, match=r"dense_\d+/kernel of shape \(3, 2\) in 'model', .* of shape \(3, 1\) in"):
        parity(model, build(rnn(), layers.Dense(1)), (X, Y))
    with pytest.raises(InputError, match=r"3 in 'model', 5 in 'other', of which .*kernel of shape"):
        parity(build(rnn()), build(rnn(), layers.Dense(2), name="other"), X)
    with pytest.raises(InputError, match="takes the shape"):
        parity(model, model, (X[:, :2], Y))
    with pytest.raises(InputError, match="could not be run on this batch"):
        parity(model, model, (X, np.zeros((B, 7), "float32")))
    with pytest.raises(InputError, match="tuple of 3"):
        parity(model, model, (X, Y, Y))
    with pytest.raises(InputError, match=r"Expected a keras\.Model"):
        parity(model, "model", X)


@pytest.mark.parametrize("cell", [layers.SimpleRNN, layers.LSTM, layers.GRU])
def test_keras_unrolls_wrongly_what_is_masked_backwards_and_zeroed(cell):
    def model(mask, **arguments):
        inner = cell(U, name="rnn", return_sequences=True, **arguments)
        return build(*([layers.Masking()] if mask else []), layers.Bidirectional(inner, name="both"), loss=None)

    (error,) = masked_backwards_errors(model(mask=True, unroll=True), X)
    assert (error.layer, error.kind, error.wrapper) == ("backward_rnn", cell.__name__, "both")
    assert error.largest > 0.01
    assert min(abs(value) for value in error.values) == 0
    assert "own-full" in str(error)
    assert masked_backwards_errors(model(mask=False, unroll=True), X) == ()
    assert masked_backwards_errors(model(mask=True, unroll=False), X) == ()


def test_it_shows_itself():
    a, b = (build(rnn(), layers.Dense(2), loss=None, name=name) for name in ("a", "b>c"))
    b.layers[0].cell.bias.assign(b.layers[0].cell.bias + 0.1)
    found = parity(a, b, X, training_steps=0)
    assert repr(found) == str(found)
    html = found._repr_html_()
    assert "different: &#x27;b&gt;c&#x27; does not compute what &#x27;a&#x27; does." in html
    assert "b>c" not in html
    assert found.table.rows[0][0] == "output"
    assert all(f">{text}</td>" in html for row in found.table.rows for text in row)
    assert "<svg" in html
    assert "layer output before training" in html
    same = parity(a, a, X, training_steps=0)  # no difference has a logarithm
    assert "identical" in same._repr_html_()
