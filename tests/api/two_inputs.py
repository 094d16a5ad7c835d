"""A script of a user's, run as `__main__`: a model with two inputs and outputs, and everything in it their own."""

import sys

import keras
import numpy as np
import tensorflow as tf

import kerasunroll

SCALE = 0.5


class Doubled(keras.layers.Layer):
    def __init__(self, factor=2.0, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, x):
        return x * self.factor * SCALE

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class Power(keras.losses.Loss):
    def __init__(self, exponent):
        super().__init__(name="power")
        self.exponent = exponent
        self.raised = lambda value: value**self.exponent

    def call(self, y_true, y_pred):
        return keras.ops.mean(self.raised(keras.ops.abs(y_true - y_pred)), -1)


def scaled_error(y_true, y_pred):
    return SCALE * keras.ops.mean((y_true - y_pred) ** 2, -1)


class OwnStep(keras.Model):
    def train_step(self, data):
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True), weight)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


def make_model():
    keras.utils.set_random_seed(3)
    series, fixed = keras.Input((6, 3), name="series"), keras.Input((2,), name="fixed")
    hidden = Doubled()(keras.layers.LSTM(4, return_sequences=True)(series))
    hidden = keras.layers.Bidirectional(keras.layers.GRU(3))(hidden)
    hidden = keras.layers.Lambda(lambda tensor: tensor * SCALE)(hidden)
    both = keras.layers.Concatenate()([hidden, fixed])
    outputs = {"mean": keras.layers.Dense(1, name="mean")(both), "parts": keras.layers.Dense(2, name="parts")(both)}
    model = OwnStep({"series": series, "fixed": fixed}, outputs)
    model.compile("adam", {"mean": scaled_error, "parts": Power(2.0)})
    return model


def make_data(sequences=64):
    rng = np.random.default_rng(0)
    x = {"series": rng.normal(size=(sequences, 6, 3)), "fixed": rng.normal(size=(sequences, 2))}
    y = {"mean": rng.normal(size=(sequences, 1)), "parts": rng.normal(size=(sequences, 2))}
    return x, y


if __name__ == "__main__":
    model = make_model()
    x, y = make_data()
    comparison = kerasunroll.compare(
        model, x, y, sample_weight=np.linspace(0, 1, 64), folder=sys.argv[1], epochs=2, processes=1, max_rounds=10
    )
    # What the model itself learns in this process, on the same batches.
    model.fit(
        comparison.measured[0].variant.config.in_run(comparison.folder).open_source().train(32), epochs=2, verbose=0
    )
    print(comparison)
    print("LOSS", model.evaluate(x, y, verbose=0, return_dict=True)["loss"])
