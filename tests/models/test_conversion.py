import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from zoo import ZOO, B, F, T, U, sequences

from kerasunroll import layers as own
from kerasunroll import with_unroll
from kerasunroll.errors import InputError, KerasunrollWarning, SettingError


@pytest.fixture
def double():
    """Models built in the test compute in float64."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


def converted(kind, model, setting, **options):
    with warnings.catch_warnings():
        if kind.made_by_code:
            warnings.simplefilter("ignore", KerasunrollWarning)
        return with_unroll(model, setting, **options)


def recurrent(model):
    return [each for each in model._flatten_layers() if isinstance(each, keras.layers.RNN)]


def variables(model):
    states = [keras.tree.flatten(each.states) for each in recurrent(model) if each.stateful]
    return [*model.variables, *model.optimizer.variables, *keras.tree.flatten(states)]


def values(model):
    return [variable.numpy() for variable in variables(model)]


def results(model, x, y, monkeypatch):
    """Outputs; then of a training step the gradients and all variables after it. The model is put back where it was."""
    before = values(model)
    outputs = [each.numpy() for each in tf.nest.flatten(model(x))]
    gradients = []
    apply = model.optimizer.apply

    def listen(given, trained):
        gradients.extend(tf.convert_to_tensor(each).numpy() for each in given)
        return apply(given, trained)

    with monkeypatch.context() as patch:
        patch.setattr(model.optimizer, "apply", listen)
        model.train_on_batch(x, y)
    after = values(model)
    for variable, value in zip(variables(model), before, strict=True):
        variable.assign(value)
    return outputs, gradients, after


def assert_same(one, other, tolerance):
    for a, b in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
        np.testing.assert_allclose(a.astype("float64"), b.astype("float64"), rtol=tolerance, atol=tolerance)


def described(model):
    return (
        type(model),
        [(each.name, each.path, each.trainable, each.dtype_policy.name) for each in model._flatten_layers()],
        [(each.path, each.shape, each.dtype, each.trainable) for each in model.variables],
    )


def test_layers_that_code_makes_are_of_the_models_dtype_and_not_of_the_global_one():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        model, *_ = ZOO["subclassed"].build()
    finally:
        keras.config.set_dtype_policy(before)
    assert described(converted(ZOO["subclassed"], model, 2)) == described(model)
    assert keras.config.dtype_policy() == before


OWN = (own.RNN, own.LSTM, own.GRU, own.SimpleRNN)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("name", ZOO)
def test_a_model_in_another_setting_computes_and_trains_the_same(name, monkeypatch):
    kind = ZOO[name]
    model, x, y = kind.build()
    expected, untouched, before = results(model, x, y, monkeypatch), described(model), values(model)
    copy = model
    for setting in ["own-full" if kind.full_is_wrong else True, *([3] if kind.own else []), False]:
        copy = converted(kind, copy, setting)
        assert described(copy) == untouched
        for layer in recurrent(copy):
            assert isinstance(layer, OWN) == (not isinstance(setting, bool))
            assert layer.unroll == (True if setting == "own-full" else setting)
        assert_same(results(copy, x, y, monkeypatch), expected, kind.tolerance)
    assert [type(each) for each in recurrent(copy)] == [type(each) for each in recurrent(model)]
    # The original still is where it was, after its copies were trained.
    assert_same(values(model), before, 0)
    assert not {id(each) for each in variables(model)} & {id(each) for each in variables(copy)}


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("name", [name for name, kind in ZOO.items() if kind.full_is_wrong])
def test_kerass_own_error_in_full_unrolling_is_kept_and_ours_has_it_not(name):
    model, x, _ = ZOO[name].build()
    expected = model(x).numpy()
    assert np.abs(with_unroll(model, True)(x) - expected).max() > 1e-2
    np.testing.assert_allclose(with_unroll(model, "own-full")(x), expected, rtol=1e-9, atol=1e-9)


def model_of(*inner, shape=(T, F)):
    return keras.Sequential([keras.Input(shape), *inner])


def stack():
    both = layers.Bidirectional(layers.LSTM(U, return_sequences=True, name="lstm"), name="both")
    inside = keras.Sequential([keras.Input((T, U)), layers.GRU(U, return_sequences=True, name="deep")], name="inside")
    return model_of(
        layers.LSTM(U, return_sequences=True, name="low"), both, layers.Dense(U), inside, layers.GRU(U, name="top")
    )


def settings(model):
    return {each.name: int(each.unroll) if isinstance(each, OWN) else each.unroll for each in recurrent(model)}


LOOPS = {"low": False, "forward_lstm": False, "backward_lstm": False, "deep": False, "top": False}


@pytest.mark.parametrize(
    ("setting", "chosen", "changed"),
    [
        (2, None, dict.fromkeys(LOOPS, 2)),
        ([True, 2, False, 3], None, {"low": True, "forward_lstm": 2, "backward_lstm": 2, "top": 3}),
        (True, "top", {"top": True}),
        (4, ["t*", "deep"], {"top": 4, "deep": 4}),
        (True, "both", {"forward_lstm": True, "backward_lstm": True}),
        (True, "forward_*", {"forward_lstm": True}),
        (True, "inside", {"deep": True}),
        ([2, True], ["low", "inside"], {"low": 2, "deep": True}),
        (
            {"*": True, "both": 2, "low": False},
            None,
            {"forward_lstm": 2, "backward_lstm": 2, "deep": True, "top": True},
        ),
    ],
)
def test_the_setting_goes_to_the_chosen_layers(setting, chosen, changed):
    assert settings(with_unroll(stack(), setting, layers=chosen)) == {**LOOPS, **changed}


@pytest.mark.parametrize(
    ("setting", "chosen", "error", "message"),
    [
        (1, None, SettingError, "One time step per loop iteration is the loop: use False"),
        ([True, False], None, SettingError, "one for each of the 4 layers, got 2"),
        (True, "lstm_7", InputError, "No recurrent layer is named 'lstm_7'.*'low'.*'top'"),
        ({"nothing*": 2}, None, InputError, r"No recurrent layer is named 'nothing\*'"),
    ],
)
def test_a_wrong_choice_is_one_clear_error(setting, chosen, error, message):
    with pytest.raises(error, match=message):
        with_unroll(stack(), setting, layers=chosen)


def test_a_converted_model_is_brought_back_to_plain_keras():
    model = stack()
    fast = with_unroll(model, {"*": "own-loop", "top": "own-full"})
    assert all(isinstance(each, OWN) for each in recurrent(fast))
    plain = with_unroll(fast, {"*": "own-loop", "top": "own-full"}, implementation="keras")
    assert [type(each) for each in recurrent(plain)] == [type(each) for each in recurrent(model)]
    assert settings(plain) == {**LOOPS, "top": True}
    assert all(isinstance(each, OWN) for each in recurrent(with_unroll(model, True, implementation="kerasunroll")))
    with pytest.raises(SettingError, match="Keras's layers have no setting k8"):
        with_unroll(fast, 8, implementation="keras")


def test_our_layers_keep_their_other_options_and_warn_where_keras_has_none():
    model = model_of(own.LSTM(U, unroll=2, truncate=2, recompute=4, name="cut"))
    (layer,) = recurrent(with_unroll(model, 4))
    assert (layer.unroll, layer.truncate, layer.recompute) == (4, 2, 4)
    with pytest.warns(KerasunrollWarning, match="cannot cut the gradient .*'cut' did"):
        plain = with_unroll(model, False)
    assert type(recurrent(plain)[0]) is layers.LSTM


def test_use_cudnn_is_kept_also_where_a_layer_is_not_converted():
    model = model_of(layers.LSTM(U, use_cudnn=False, return_sequences=True, name="low"), layers.GRU(U, use_cudnn=False))
    assert [each.use_cudnn for each in recurrent(with_unroll(model, 2, layers="low"))] == [False, False]


def test_compile_state_is_kept():
    model = model_of(layers.SimpleRNN(U), layers.Dense(1))
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    optimizer = keras.optimizers.Adam(schedule, clipnorm=0.5, use_ema=True)

    def loss(y, prediction):
        return keras.ops.mean((y - prediction) ** 4)

    metrics = ["mae", keras.metrics.MeanSquaredError(name="squared")]
    model.compile(optimizer, loss, loss_weights=0.5, metrics=metrics, steps_per_execution=2, run_eagerly=True)
    x, y = sequences(4 * B, T, F), sequences(4 * B, 1)
    model.fit(x, y, batch_size=B, verbose=0)
    copy = with_unroll(model, 2)
    assert copy.optimizer.iterations == 4
    assert copy.optimizer.get_config() == model.optimizer.get_config()
    assert (copy.steps_per_execution, copy.jit_compile, copy.run_eagerly) == (2, False, True)
    assert_same(
        [each.numpy() for each in copy.optimizer.variables], [each.numpy() for each in model.optimizer.variables], 0
    )
    fitted = [each.fit(x, y, batch_size=B, shuffle=False, verbose=0).history for each in (model, copy)]
    assert fitted[0].keys() == fitted[1].keys() == {"loss", "mae", "squared"}
    for key in fitted[0]:
        np.testing.assert_allclose(fitted[0][key], fitted[1][key], rtol=1e-4)


def test_what_is_not_compiled_or_not_trained_yet_stays_so():
    model = model_of(layers.GRU(U))
    assert not with_unroll(model, 2).compiled
    model.compile("adam", "mse")
    copy = with_unroll(model, 2)
    assert copy.compiled
    assert not copy.optimizer.built


class CompiledItsWay(keras.Model):
    def compile(self, extra, **options):
        super().compile("sgd", "mse", **options)
        self.extra = extra


class CompiledItsWayAgain(CompiledItsWay):
    def get_compile_config(self):
        return {"extra": self.extra}

    def compile_from_config(self, config):
        self.compile(config["extra"])


def test_a_compile_of_the_models_own_is_repeated_where_it_can_be():
    x = keras.Input((T, F))
    model = CompiledItsWayAgain(x, layers.GRU(U)(x))
    model.compile(3)
    assert with_unroll(model, 2).extra == 3
    model = CompiledItsWay(x, layers.GRU(U)(x))
    model.compile(3)
    with pytest.raises(InputError, match=r"is compiled by CompiledItsWay\.compile, which cannot be repeated"):
        with_unroll(model, 2)


def test_a_layer_frozen_after_training_began_keeps_its_slots(monkeypatch):
    model = model_of(layers.GRU(U, name="gru"), layers.Dense(1))
    x, y = sequences(), sequences(B, 1)
    model.compile(keras.optimizers.Adam(0.1), "mse", run_eagerly=True)
    model.train_on_batch(x, y)
    model.get_layer("gru").trainable = False
    model.compile(model.optimizer, "mse", run_eagerly=True)
    copy = with_unroll(model, 2)
    assert not copy.get_layer("gru").trainable
    assert_same(results(copy, x, y, monkeypatch), results(model, x, y, monkeypatch), 1e-5)


def test_auto_is_calibrated_for_the_model(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASUNROLL_CACHE", str(tmp_path))
    model = model_of(layers.SimpleRNN(U))
    copy = with_unroll(model, "auto")
    assert recurrent(copy)[0].get_config()["unroll"] == "auto"
    np.testing.assert_allclose(copy(sequences()), model(sequences()), rtol=1e-5, atol=1e-6)


def test_fully_unrolling_an_unknown_number_of_time_steps_is_refused_by_name():
    model = model_of(layers.LSTM(U, return_sequences=True, name="open"), shape=(None, F))
    for setting in (True, "own-full"):
        with pytest.raises(InputError, match="Layer 'open' cannot be fully unrolled"):
            with_unroll(model, setting)
    np.testing.assert_allclose(with_unroll(model, 2)(sequences()), model(sequences()), rtol=1e-5, atol=1e-6)


def test_a_layer_that_has_no_such_setting_is_refused_with_what_is_possible():
    with pytest.raises(SettingError, match=r"'conv' is a ConvLSTM1D, .* setting k2: it has False \(loop\) and True"):
        with_unroll(model_of(layers.ConvLSTM1D(1, 2, name="conv"), shape=(T, 4, 1)), 2)

    class Mine(own.LSTM):
        pass

    with pytest.raises(SettingError, match=r"'mine' is a Mine, .* setting loop: it has 'own-loop'"):
        with_unroll(model_of(Mine(U, name="mine")), False)
    assert settings(with_unroll(model_of(Mine(U, name="mine")), 2)) == {"mine": 2}


def test_what_is_no_built_recurrent_model_is_refused():
    with pytest.raises(InputError, match=r"Expected a keras\.Model, got LSTM"):
        with_unroll(layers.LSTM(U), True)
    with pytest.raises(InputError, match="is not built"):
        with_unroll(keras.Sequential([layers.LSTM(U)]), True)
    with pytest.raises(InputError, match="has no recurrent layer"):
        with_unroll(model_of(layers.Dense(1)), True)


class Hidden(keras.Model):
    """Keeps its recurrent layer where nobody can exchange it."""

    def __init__(self, **options):
        super().__init__(**options)
        recurrent = layers.LSTM(U, name="hidden_lstm")
        self._tracker.add_to_store("layers", recurrent)
        self.run = lambda x: recurrent(x)

    def call(self, x):
        return self.run(x)


class Taking(keras.Model):
    """Takes a layer, and says nothing of it in its configuration."""

    def __init__(self, recurrent, **options):
        super().__init__(**options)
        self.recurrent = recurrent

    def call(self, x):
        return self.recurrent(x)


class Growing(keras.Model):
    """Is rebuilt as something else."""

    def __init__(self, depth=1, **options):
        super().__init__(**options)
        self.deep = [layers.GRU(U, return_sequences=True) for _ in range(depth)]

    def call(self, x):
        for layer in self.deep:
            x = layer(x)
        return x

    def get_config(self):
        return {"name": self.name}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            Hidden,
            "Recurrent layer 'hidden_lstm' cannot be exchanged: Hidden 'hidden.*', which contains it, has it neither",
        ),
        (
            lambda: Taking(layers.LSTM(U)),
            "Keras cannot rebuild '.*' .Taking. .*(NotImplementedError|TypeError): .* Give the class a get_config",
        ),
        (lambda: Growing(2), r"Keras rebuilds 'growing.*' \(Growing\) from its configuration as something else"),
    ],
)
def test_a_model_that_keras_cannot_rebuild_is_refused(make, message):
    model = make()
    model(sequences())
    with pytest.raises(InputError, match=message):
        with_unroll(model, True)


def test_a_layer_shared_between_nested_models_is_refused():
    shared = layers.GRU(U, return_sequences=True, name="shared")
    parts = []
    for _ in range(2):
        x = keras.Input((T, U))
        parts.append(keras.Model(x, shared(x)))
    x = keras.Input((T, U))
    with pytest.raises(InputError, match="Layer 'shared' is shared between two models"):
        with_unroll(keras.Model(x, parts[1](parts[0](x))), 2)


def test_layers_of_one_name_can_have_one_setting_only():
    def part():
        return model_of(layers.GRU(F, return_sequences=True, name="same"))

    one, other = part(), part()
    model = model_of(one, other)
    assert [each.unroll for each in recurrent(with_unroll(model, 2))] == [2, 2]
    with pytest.raises(InputError, match="2 recurrent layers are called 'same'"):
        with_unroll(model, [2, 3])


def test_a_setting_that_will_not_be_saved_is_told():
    model, *_ = ZOO["subclassed"].build()
    with pytest.warns(KerasunrollWarning, match="The setting of 'lstm.*' is not saved with model"):
        with_unroll(model, 2)
