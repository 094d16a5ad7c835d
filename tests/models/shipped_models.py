"""Models of a script's own, each a case of what a file of Keras's does not hold. Run as `__main__`, it pickles them."""

import sys
from pathlib import Path

import keras
import numpy as np

LIMIT = 0.7


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(16, 5, 3)).astype("float32"), rng.integers(0, 3, 16)


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.01 / (1 + keras.ops.cast(step, "float32"))

    def get_config(self):
        return {}


def squeezed(x):
    return keras.ops.softmax(x * LIMIT)


class Subclassed(keras.Model):
    squeeze = None  # what an attribute is by default does not make it Keras's

    def __init__(self, units=4, **options):
        super().__init__(**options)
        self.units = units
        self.squeeze = squeezed
        self.recurrent = keras.layers.GRU(units)
        self.head = keras.layers.Dense(3, activation=self.squeeze)

    def call(self, x):
        return self.head(self.recurrent(x))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class OwnCompile(keras.Sequential):
    def compile(self, rate, **options):
        self.rate = rate
        super().compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", **options)

    def get_compile_config(self):
        return {"rate": self.rate}

    def compile_from_config(self, config):
        self.compile(**config)


class Projected(keras.layers.Layer):
    """With a method `build`, in whose place Keras puts a wrapper."""

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 3), name="kernel")

    def call(self, x):
        return x @ self.kernel


class OwnCell(keras.layers.Layer):
    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1] + self.units, self.units), name="kernel")

    def call(self, inputs, states):
        state = keras.ops.tanh(keras.ops.concatenate([inputs, states[0]], -1) @ self.kernel)
        return state, [state]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def sequential(kind=keras.Sequential, *layers):
    layers = layers or (keras.layers.LSTM(4), keras.layers.Dense(3, activation="softmax"))
    return kind([keras.Input((5, 3)), *layers])


def loss_object(model):
    model.compile(keras.optimizers.Adam(Schedule()), keras.losses.SparseCategoricalCrossentropy(), metrics=["accuracy"])
    return model


def stateful():
    model = keras.Sequential([keras.Input(batch_shape=(16, 5, 3)), keras.layers.LSTM(4, stateful=True)])
    model.add(keras.layers.Dense(3, activation="softmax"))
    return loss_object(model)


def mixed():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return loss_object(sequential())
    finally:
        keras.config.set_dtype_policy("float32")


def frozen():
    model = sequential()
    model.layers[0].trainable = False
    return loss_object(model)


def own_compile():
    model = sequential(OwnCompile)
    model.compile(0.5)
    return model


def lambdas():
    def column(true):
        return keras.ops.reshape(keras.ops.cast(true, "float32"), (-1, 1))

    model = sequential()
    model.compile(
        "rmsprop",
        lambda true, predicted: keras.ops.mean((predicted * LIMIT - column(true)) ** 2, -1),
        metrics=[lambda true, predicted: predicted[:, 0] * LIMIT + column(true)[:, 0]],
    )
    return model


def own_layers():
    return loss_object(sequential(keras.Sequential, Projected(), keras.layers.LSTM(4), softmax()))


def own_cell():
    return loss_object(sequential(keras.Sequential, keras.layers.RNN(OwnCell(4)), softmax()))


def adapted():
    normalization = keras.layers.Normalization()
    normalization.adapt(data()[0])
    return loss_object(sequential(keras.Sequential, normalization, keras.layers.GRU(4), softmax()))


def softmax():
    return keras.layers.Dense(3, activation="softmax")


MODELS = {
    "own_layers": own_layers,
    "own_cell": own_cell,
    "adapted": adapted,
    "subclassed": lambda: loss_object(Subclassed()),
    "schedule": lambda: loss_object(sequential()),
    "stateful": stateful,
    "mixed": mixed,
    "frozen": frozen,
    "own_compile": own_compile,
    "lambdas": lambdas,
}


def main(folder):
    from kerasunroll.models.shipping.pickles import pickled, write_pickled
    from kerasunroll.models.shipping.recipe import recipe_of

    x, y = data()
    for name, make in MODELS.items():
        keras.utils.set_random_seed(1)
        model = make()
        model.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0)
        write_pickled(folder / f"{name}.pkl", pickled(name, recipe_of(model)))
        outputs = model.predict(x, batch_size=16, verbose=0)
        model.fit(x, y, batch_size=16, shuffle=False, verbose=0)
        np.savez(folder / f"{name}.npz", before=outputs, after=model.predict(x, batch_size=16, verbose=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
