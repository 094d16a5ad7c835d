"""A small network and data for the tests of the callbacks."""

import keras
import numpy as np

T, F, CLASSES, BATCH = 5, 2, 3, 4


def data(batches: int = 6):
    rng = np.random.default_rng(7)
    x = rng.normal(size=(batches * BATCH, T, F)).astype("float32")
    y = rng.integers(CLASSES, size=batches * BATCH)
    return x, y


def stack(unroll: bool = False, policy: str = "float32", units: int = 3) -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((T, F)),
            keras.layers.LSTM(units, return_sequences=True, unroll=unroll, name="lstm_1", dtype=policy),
            keras.layers.LSTM(units, unroll=unroll, name="lstm_2", dtype=policy),
            keras.layers.Dense(CLASSES, name="head", dtype=policy),
            keras.layers.Activation("linear", dtype="float32"),
        ]
    )


def compiled(model: keras.Model, optimizer=None, **options) -> keras.Model:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer or keras.optimizers.SGD(0.1), loss, metrics=["accuracy"], **options)
    return model


def fit(model: keras.Model, callbacks, batches: int = 6, **options) -> None:
    x, y = data(batches)
    model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=callbacks, **options)
