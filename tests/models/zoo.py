"""Small models of every kind that a user may bring, each with a batch: what converting and checking is held against.

`ZOO` is a dict from a name to a `Kind`; its `build` makes the model, in the dtype policy that is set, trained for one
training step, and the batch. All recurrent layers of the models loop.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

B, T, F, U = 3, 4, 2, 3


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    Args:
        build: Function without arguments that returns a tuple `(model, x, y)`.
        own: Boolean. Whether kerasunroll has layers for it (it has no ConvLSTM).
        full_is_wrong: Boolean. Whether Keras's own unroll=True computes something else here (a mask, backwards, with
            zero_output_for_mask).
        made_by_code: Boolean. Whether the recurrent layers are made by code, so that a setting is not saved.
        tolerance: Float. How closely the settings agree.
    """

    build: Callable[[], tuple[keras.Model, Any, Any]]
    own: bool = True
    full_is_wrong: bool = False
    made_by_code: bool = False
    tolerance: float = 1e-9


ZOO: dict[str, Kind] = {}


def kind(name: str | None = None, **facts: Any) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Enter a function that returns a model and its input, or a model alone, in the zoo."""

    def enter(make: Callable[[], Any]) -> Callable[[], Any]:
        def build() -> tuple[keras.Model, Any, Any]:
            keras.utils.set_random_seed(3)
            made = make()
            model, x = made if isinstance(made, tuple) else (made, sequences())
            return trained(model, x)

        ZOO[name or make.__name__] = Kind(build, **facts)
        return make

    return enter


def sequences(*shape: int, seed: int = 0) -> np.ndarray:
    """A batch of real numbers of shape (B, T, F), or of the given shape."""
    return np.random.default_rng(seed).normal(size=shape or (B, T, F)).astype(keras.config.floatx())


def padded() -> np.ndarray:
    """Sequences of different lengths, zero after their ends."""
    x = sequences()
    for sample, length in enumerate((2, 4, 3)):
        x[sample, length:] = 0
    return x


def trained(model: keras.Model, x: Any) -> tuple[keras.Model, Any, Any]:
    """Train a model for one training step, and return it with its batch."""
    outputs = model(x)
    y = keras.tree.map_structure(lambda out: None if out is None else sequences(*np.shape(out), seed=1), outputs)
    if not model.compiled:
        model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=True)
    model.train_on_batch(x, y)
    return model, x, y


@kind()
def lstm_stack():
    return keras.Sequential(
        [keras.Input((T, F)), layers.LSTM(U, return_sequences=True, name="low"), layers.LSTM(U), layers.Dense(1)]
    )


@kind()
def gru():
    return keras.Sequential([keras.Input((T, F)), layers.GRU(U), layers.Dense(1)])


@kind()
def gru_without_bias():
    gru = layers.GRU(U, use_bias=False, reset_after=False, recurrent_activation="hard_sigmoid")
    return keras.Sequential([keras.Input((T, F)), gru])


@kind()
def simple_rnn_with_relu():
    return keras.Sequential([keras.Input((T, F)), layers.SimpleRNN(U, activation="relu", return_sequences=True)])


@kind()
def shared_layer():
    one, other = keras.Input((T, F)), keras.Input((T, F))
    lstm = layers.LSTM(U)
    model = keras.Model([one, other], layers.Dense(1)(lstm(one) - lstm(other)))
    return model, [sequences(), sequences(seed=2)]


@kind()
def several_inputs_and_outputs():
    words, numbers = keras.Input((T,), name="words", dtype="int32"), keras.Input((F,), name="numbers")
    text = layers.LSTM(U)(layers.Embedding(7, F)(words))
    both = layers.concatenate([text, numbers])
    model = keras.Model({"words": words, "numbers": numbers}, {"a": layers.Dense(1)(both), "b": layers.Dense(2)(text)})
    model.compile("sgd", {"a": "mse", "b": "mae"}, loss_weights={"a": 0.3, "b": 2.0}, run_eagerly=True)
    return model, {"words": np.arange(B * T).reshape(B, T) % 7, "numbers": sequences(B, F)}


@kind()
def nested_and_shared_model():
    inside = keras.Sequential([keras.Input((T, F)), layers.GRU(U, name="gru"), layers.Dense(F)], name="inside")
    outside = keras.Input((T, F))
    both = layers.add([inside(outside), inside(outside * 2)])
    again = layers.GRU(U, name="outer")(layers.RepeatVector(T)(both))
    return keras.Model(outside, again)


class Subclassed(keras.Model):
    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units
        self.recurrent = [layers.LSTM(units, return_sequences=True), layers.GRU(units, return_sequences=True)]
        self.top = keras.Sequential([layers.SimpleRNN(units), layers.Dense(1)])

    def call(self, x):
        for layer in self.recurrent:
            x = layer(x)
        return self.top(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@kind(made_by_code=True)
def subclassed():
    return Subclassed(U)


class Residual(layers.Layer):
    """Makes its recurrent layer itself."""

    def __init__(self, features, **options):
        super().__init__(**options)
        self.features = features
        self.lstm = layers.LSTM(features, return_sequences=True)

    def call(self, x):
        return x + self.lstm(x)

    def get_config(self):
        return {**super().get_config(), "features": self.features}


@kind(made_by_code=True)
def own_layer_that_makes_its_recurrent_layer():
    return keras.Sequential([keras.Input((T, F)), Residual(F), Residual(F), layers.Dense(1)])


class Doubled(layers.Wrapper):
    """Has its recurrent layer in its configuration."""

    def call(self, x):
        return 2 * self.layer(x)


@kind()
def own_wrapper():
    return keras.Sequential([keras.Input((T, F)), Doubled(layers.GRU(U)), layers.Dense(1)])


class OwnSequential(keras.Sequential):
    def train_step(self, data):
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        return super().train_step((x, 2 * y))


@kind()
def subclass_of_sequential_with_a_train_step_of_its_own():
    return OwnSequential([keras.Input((T, F)), layers.SimpleRNN(U), layers.Dense(1)])


class OwnFunctional(keras.Model):
    def train_step(self, data):
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        return super().train_step((x, 2 * y))


@kind()
def subclass_of_functional_with_a_train_step_of_its_own():
    x = keras.Input((T, F))
    return OwnFunctional(x, layers.LSTM(U)(x))


def bidirectional(merge_mode):
    x = keras.Input((T, F))
    found = layers.Bidirectional(layers.SimpleRNN(U, return_sequences=True), merge_mode=merge_mode)(x)
    return keras.Model(x, found)


for mode in ("concat", "sum", "ave", "mul", None):
    kind(f"bidirectional_{mode}")(lambda mode=mode: bidirectional(mode))


@kind()
def bidirectional_with_a_backward_layer_of_its_own():
    backward = layers.LSTM(U, activation="relu", go_backwards=True, name="back")
    return keras.Sequential([keras.Input((T, F)), layers.Bidirectional(layers.LSTM(U), backward_layer=backward)])


@kind()
def time_distributed_around():
    model = keras.Sequential([keras.Input((2, T, F)), layers.TimeDistributed(layers.GRU(U)), layers.LSTM(U)])
    return model, sequences(B, 2, T, F)


@kind()
def time_distributed_below():
    return keras.Sequential([keras.Input((T, F)), layers.TimeDistributed(layers.Dense(3)), layers.LSTM(U)])


class Leaky(layers.Layer):
    """A cell of the user's own."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = self.state_size = units

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")

    def call(self, x, states):
        state = 0.5 * states[0] + keras.ops.tanh(keras.ops.matmul(x, self.kernel))
        return state, [state]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@kind()
def own_cell():
    return keras.Sequential([keras.Input((T, F)), layers.RNN(Leaky(U)), layers.Dense(1)])


@kind()
def stacked_cells():
    cells = [layers.LSTMCell(U), layers.GRUCell(2), layers.SimpleRNNCell(U)]
    return keras.Sequential([keras.Input((T, F)), layers.RNN(cells, return_sequences=True), layers.Dense(1)])


def conv_lstm(rank):
    conv = getattr(layers, f"ConvLSTM{rank}D")(2, 2, padding="same")
    space = (3,) * rank
    return keras.Sequential([keras.Input((T, *space, 1)), conv]), sequences(2, T, *space, 1)


for rank in (1, 2, 3):
    kind(f"conv_lstm_{rank}d", own=False)(lambda rank=rank: conv_lstm(rank))


@kind()
def masking():
    low = layers.LSTM(U, return_sequences=True)
    return keras.Sequential([keras.Input((T, F)), layers.Masking(), low, layers.GRU(U)]), padded()


@kind()
def embedding_with_mask():
    embedding = layers.Embedding(5, F, mask_zero=True)
    model = keras.Sequential([keras.Input((T,), dtype="int32"), embedding, layers.SimpleRNN(U), layers.Dense(1)])
    return model, np.array([[1, 2, 0, 0], [4, 3, 2, 1], [2, 0, 3, 0]], "int32")


def masked_backwards(cell):
    back = getattr(layers, cell)(U, go_backwards=True, return_sequences=True, zero_output_for_mask=True, name="back")
    return keras.Sequential([keras.Input((T, F)), layers.Masking(), back]), padded()


for cell in ("SimpleRNN", "LSTM", "GRU"):
    kind(f"masked_backwards_{cell}", full_is_wrong=True)(lambda cell=cell: masked_backwards(cell))


@kind(full_is_wrong=True)
def masked_bidirectional():
    both = layers.Bidirectional(layers.LSTM(U, return_sequences=True), name="both")
    return keras.Sequential([keras.Input((T, F)), layers.Masking(), both, layers.GRU(U)]), padded()


@kind()
def stateful():
    model = keras.Sequential([keras.Input(batch_shape=(B, T, F)), layers.LSTM(U, stateful=True), layers.Dense(1)])
    model(sequences())
    return model


@kind()
def backwards():
    back = layers.GRU(U, go_backwards=True, return_sequences=True)
    return keras.Sequential([keras.Input((T, F)), back, layers.Dense(1)])


@kind()
def encoder_and_decoder():
    source, target = keras.Input((T, F)), keras.Input((4, 1))
    _, *states = layers.LSTM(U, return_state=True, name="encoder")(source)
    decoded, *_ = layers.LSTM(U, return_sequences=True, return_state=True, name="decoder")(target, initial_state=states)
    return keras.Model([source, target], layers.Dense(1)(decoded)), [sequences(), sequences(B, 4, 1)]


@kind()
def dropout():
    low = layers.LSTM(U, dropout=0.4, return_sequences=True)
    return keras.Sequential([keras.Input((T, F)), low, layers.Dropout(0.3), layers.GRU(U, dropout=0.4, seed=5)])


@kind()
def recurrent_dropout():
    low = layers.SimpleRNN(U, recurrent_dropout=0.4, return_sequences=True)
    return keras.Sequential([keras.Input((T, F)), low, layers.GRU(U, recurrent_dropout=0.4)])


@kind()
def batch_normalisation():
    return keras.Sequential(
        [keras.Input((T, F)), layers.BatchNormalization(), layers.GRU(U), layers.BatchNormalization(), layers.Dense(1)]
    )


@kind(tolerance=2e-3)
def mixed_precision():
    low = layers.LSTM(U, return_sequences=True, dtype="mixed_float16")
    top = layers.Dense(1, dtype="float32")
    model = keras.Sequential([keras.Input((T, F)), low, layers.GRU(U, dtype="mixed_float16"), top])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=16.0)
    model.compile(optimizer, "mse", run_eagerly=True)
    return model


@kind()
def regularisers_and_constraints():
    options = {"kernel_regularizer": keras.regularizers.L2(0.1), "recurrent_constraint": keras.constraints.MaxNorm(0.5)}
    return keras.Sequential([keras.Input((T, F)), layers.LSTM(U, activity_regularizer="l2", **options)])


@kind()
def frozen_layers():
    inside = keras.Sequential([keras.Input((T, F)), layers.LSTM(U, return_sequences=True), layers.Dense(2)])
    inside.trainable = False
    return keras.Sequential([keras.Input((T, F)), inside, layers.GRU(U), layers.Dense(1, trainable=False)])


@kind()
def functions_of_the_users_own():
    def bent(x):
        return keras.ops.tanh(x) / 2

    gru = layers.GRU(U, activation=lambda x: keras.ops.tanh(x) / 3)
    return keras.Sequential(
        [keras.Input((T, F)), layers.Lambda(lambda x: keras.ops.sin(x)), gru, layers.Dense(1, activation=bent)]
    )
