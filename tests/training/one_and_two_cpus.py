"""Trains one network on one CPU and on two logical ones, from the same weights on the same batches.

A program of its own, because the CPU must be divided before TensorFlow starts. `test_distribution` runs it.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from kerasunroll.callbacks import comparison_callbacks
from kerasunroll.training.devices import strategy_for

T, TOKENS, CLASSES, BATCH, BATCHES = 3, 6, 3, 8, 3
CLIPNORM = 0.05


def data():
    rng = np.random.default_rng(7)
    x = rng.integers(1, TOKENS, size=(BATCHES * BATCH, T))
    x[::3, 2:] = 0  # these sequences end earlier
    return x, rng.integers(CLASSES, size=BATCHES * BATCH)


def network(optimizer):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((T,), dtype="int32"),
            keras.layers.Embedding(TOKENS, 3, mask_zero=True, name="embedding"),
            keras.layers.LSTM(3, return_sequences=True, unroll=True, name="lstm_1"),
            keras.layers.GRU(2, name="gru_1"),
            keras.layers.Dense(CLASSES, name="head"),
        ]
    )
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def train(strategy, folder: Path, *, logged: bool, **options) -> None:
    """Train for an epoch, and keep the losses and the weights before and after."""
    x, y = data()
    with strategy.scope():
        model = network(keras.optimizers.SGD(**options))
    before = model.get_weights()
    callbacks = comparison_callbacks(folder, update_freq=1, states_of=x[:1], strict=True) if logged else []
    validation = (x[:9], y[:9]) if logged else None
    history = model.fit(
        x, y, batch_size=BATCH, validation_data=validation, shuffle=False, verbose=0, callbacks=callbacks
    ).history
    folder.mkdir(exist_ok=True)
    np.savez(
        folder / "kept.npz",
        **{f"before_{index}": weight for index, weight in enumerate(before)},
        **{f"after_{index}": weight for index, weight in enumerate(model.get_weights())},
        loss=history["loss"],
        val_loss=history.get("val_loss", []),
    )
    model.save(folder / "model.keras")


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    folder = Path(sys.argv[1])
    two, one = strategy_for(2), strategy_for(None)
    for name, strategy in (("one", one), ("two", two)):
        train(strategy, folder / name, logged=True, learning_rate=0.1)
    train(two, folder / "clipped", logged=False, learning_rate=1.0, clipnorm=CLIPNORM)
