"""Every way in which people call `fit`: with all callbacks, strict, so that whatever cannot be logged is an error."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import BATCH, CLASSES, F, T, compiled, data, fit, stack

from kerasunroll.callbacks import comparison_callbacks


def gru(timesteps: int | None = T, **options) -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = [keras.Input((timesteps, F)), keras.layers.GRU(2, name="gru"), keras.layers.Dense(CLASSES)]
    return compiled(keras.Sequential(layers), **options)


def train(model: keras.Model, callbacks, **options) -> None:
    x, y = data(6)
    model.fit(x, y, batch_size=BATCH, verbose=0, callbacks=callbacks, **options)


def weighted_classes_and_a_validation_split(callbacks, folder):
    train(gru(), callbacks, class_weight={0: 1.0, 1: 2.0, 2: 0.5}, validation_split=0.25)


def weighted_samples_eagerly(callbacks, folder):
    train(gru(run_eagerly=True), callbacks, sample_weight=np.linspace(0, 1, 6 * BATCH))


def an_endless_dataset(callbacks, folder):
    batches = tf.data.Dataset.from_tensor_slices(data(6)).batch(BATCH).repeat()
    gru().fit(batches, steps_per_epoch=3, epochs=2, shuffle=False, verbose=0, callbacks=callbacks)


def several_training_steps_an_execution(callbacks, folder):
    train(gru(steps_per_execution=4), callbacks)


def xla(callbacks, folder):
    train(gru(jit_compile=True), callbacks)


def half_precision(callbacks, folder):
    train(compiled(stack(policy="mixed_float16")), callbacks)


def batches_of_several_lengths(callbacks, folder):
    def batches():
        x, y = data(3)
        for index, length in enumerate((5, 3, 4)):
            part = slice(index * BATCH, (index + 1) * BATCH)
            yield x[part, :length], y[part]

    spec = (tf.TensorSpec((None, None, F), "float32"), tf.TensorSpec((None,), "int64"))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=spec)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(3))
    gru(timesteps=None).fit(dataset, shuffle=False, verbose=0, callbacks=callbacks)


def two_inputs_and_two_outputs(callbacks, folder):
    a, b = keras.Input((T, F), name="a"), keras.Input((T, F), name="b")
    joined = keras.layers.concatenate([keras.layers.LSTM(2, name="left")(a), keras.layers.GRU(2, name="right")(b)])
    model = keras.Model({"a": a, "b": b}, {name: keras.layers.Dense(CLASSES, name=name)(joined) for name in ("c", "d")})
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", {"c": loss, "d": loss}, metrics={"c": ["accuracy"]})
    x, y = data(2)
    both = {"a": x, "b": x}, {"c": y, "d": y}
    model.fit(*both, validation_data=both, verbose=0, callbacks=callbacks)


def beside_callbacks_of_keras(callbacks, folder):
    others = [
        keras.callbacks.EarlyStopping("val_loss"),
        keras.callbacks.BackupAndRestore(folder / "backup"),
        keras.callbacks.TensorBoard(folder),
    ]
    train(gru(), [*callbacks, *others], validation_split=0.25, epochs=2)


@pytest.mark.parametrize(
    "way",
    [
        weighted_classes_and_a_validation_split,
        weighted_samples_eagerly,
        an_endless_dataset,
        several_training_steps_an_execution,
        xla,
        half_precision,
        batches_of_several_lengths,
        two_inputs_and_two_outputs,
        beside_callbacks_of_keras,
    ],
    ids=lambda way: way.__name__,
)
def test_every_way_to_fit_is_logged_whole(tmp_path, events, way):
    way(comparison_callbacks(tmp_path, update_freq=1, strict=True), tmp_path)
    tags = events(tmp_path / "train").tags
    assert {"batch_loss", "epoch_loss", "gradient_norm/global", "memory/process_bytes"} <= tags
    assert [tag for tag in tags if tag.startswith("gradient_through_time/") and tag.endswith("vanished_share")]


def test_a_model_saved_after_fit_loads_where_kerasunroll_is_not(tmp_path):
    model, (x, _) = compiled(stack()), data(1)
    fit(model, comparison_callbacks(tmp_path / "logs", strict=True))
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", x)
    program = (
        "import sys; sys.modules['kerasunroll'] = None; import keras, numpy as np;"
        f"model = keras.saving.load_model({str(tmp_path / 'model.keras')!r});"
        f"np.save({str(tmp_path / 'y.npy')!r}, model.predict(np.load({str(tmp_path / 'x.npy')!r}), verbose=0))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
