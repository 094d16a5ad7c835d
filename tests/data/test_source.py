import hashlib
import subprocess
import sys

import numpy as np
import pytest

from kerasunroll.data import Source, open_source
from kerasunroll.errors import DataError
from kerasunroll.tasks import Classification, Regression


@pytest.fixture(scope="module")
def tf():
    import tensorflow

    return tensorflow


@pytest.fixture
def counting():
    """23 training and 7 validation sequences; each holds its own number, and so does its target."""
    x = np.arange(30, dtype=np.float32)[:, np.newaxis, np.newaxis] * np.ones((1, 4, 2), np.float32)
    y = np.arange(30, dtype=np.int32)
    return Source(
        name="counting",
        task=Classification(30),
        seed=0,
        x_train=x[:23],
        y_train=y[:23],
        x_validation=x[23:],
        y_validation=y[23:],
    )


def epoch(dataset):
    """The numbers of the sequences, batch by batch; checks that inputs and targets stay together."""
    batches = []
    for x, y in dataset:
        assert np.array_equal(x.numpy()[:, 0, 0], y.numpy())
        batches.append(y.numpy().tolist())
    return batches


@pytest.mark.parametrize(("batch_size", "batches"), [(1, 23), (5, 4), (23, 1)])
def test_an_epoch_holds_every_training_sequence_once_in_batches_of_one_shape(counting, batch_size, batches):
    dataset = counting.train(batch_size)
    assert int(dataset.cardinality()) == batches
    assert [tuple(spec.shape) for spec in dataset.element_spec] == [(batch_size, 4, 2), (batch_size,)]
    found = epoch(dataset)
    assert [len(batch) for batch in found] == [batch_size] * batches
    numbers = [number for batch in found for number in batch]
    assert len(set(numbers)) == len(numbers)
    assert set(numbers) <= set(range(23))


def test_epochs_differ_and_every_call_starts_them_anew(counting):
    dataset, again = counting.train(5), counting.train(5)
    first, second = epoch(dataset), epoch(dataset)
    assert first != second
    assert [epoch(again), epoch(again)] == [first, second]
    assert epoch(counting.train(5).repeat(2)) == first + second


def test_the_order_does_not_depend_on_tensorflows_seed(counting, tf):
    tf.random.set_seed(1)
    first = epoch(counting.train(5))
    tf.random.set_seed(2)
    assert epoch(counting.train(5)) == first


def test_making_batches_does_not_use_up_tensorflows_random_numbers(counting, tf):
    tf.random.set_seed(7)
    expected = tf.random.uniform([3]).numpy()
    tf.random.set_seed(7)
    epoch(counting.train(5))
    epoch(counting.validation(5))
    assert np.array_equal(tf.random.uniform([3]).numpy(), expected)


def test_another_seed_gives_another_order():
    orders = []
    for seed in (0, 1):
        source = Source(
            name="same data",
            task=Regression(1),
            seed=seed,
            x_train=np.arange(50, dtype=np.float32).reshape(50, 1, 1),
            y_train=np.arange(50, dtype=np.float32).reshape(50, 1),
            x_validation=np.zeros((1, 1, 1), np.float32),
            y_validation=np.zeros((1, 1), np.float32),
        )
        orders.append([x.numpy().ravel().tolist() for x, _ in source.train(10)])
    assert orders[0] != orders[1]


TWO_EPOCHS = """
import hashlib
from kerasunroll.data import open_source
dataset = open_source("digits", timesteps=8, seed=11).train(100)
digest = hashlib.sha256()
for _ in range(2):
    for x, y in dataset:
        digest.update(x.numpy().tobytes() + y.numpy().tobytes())
"""


def test_another_process_sees_the_same_batches():
    done = subprocess.run(
        [sys.executable, "-c", TWO_EPOCHS + "print(digest.hexdigest())"],
        capture_output=True,
        text=True,
        check=True,
    )
    dataset = open_source("digits", timesteps=8, seed=11).train(100)
    digest = hashlib.sha256()
    for _ in range(2):
        for x, y in dataset:
            digest.update(x.numpy().tobytes() + y.numpy().tobytes())
    assert done.stdout.strip() == digest.hexdigest()


@pytest.mark.parametrize(("batch_size", "sizes"), [(1, [1] * 7), (3, [3, 3, 1]), (100, [7])])
def test_validation_is_in_order_and_complete(counting, batch_size, sizes):
    dataset = counting.validation(batch_size)
    found = epoch(dataset)
    assert [len(batch) for batch in found] == sizes
    assert [number for batch in found for number in batch] == list(range(23, 30))
    assert epoch(dataset) == found


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True, None])
@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_batch_size_that_is_no_number_of_sequences_is_refused(counting, part, batch_size):
    with pytest.raises(DataError, match=f"batch_size must be an integer of at least 1, got {batch_size}"):
        getattr(counting, part)(batch_size)


def test_a_batch_larger_than_the_training_part_is_refused(counting):
    expected = "batch_size=24 is more than the 23 training sequences of counting. Take at most 23"
    with pytest.raises(DataError, match=expected):
        counting.train(24)


def test_a_source_is_small_when_printed(counting):
    assert repr(counting) == "Source(name='counting', task=Classification(classes=30), seed=0, vocabulary=None)"


@pytest.mark.parametrize("spec", ["digits", "adding", "copy"])
def test_keras_trains_on_the_batches(spec):
    import keras

    source = open_source(spec, timesteps=None if spec == "digits" else 21)
    outputs = 1 if isinstance(source.task, Regression) else source.task.classes
    embedding = [keras.layers.Embedding(source.vocabulary, 4)] if source.vocabulary else []
    pooling = [] if source.return_sequences else [keras.layers.Flatten()]
    model = keras.Sequential([keras.Input(source.input_shape), *embedding, *pooling, keras.layers.Dense(outputs)])
    classification = isinstance(source.task, Classification)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if classification else "mse"
    model.compile("adam", loss)
    # Without shuffle=False, Keras 3.15 warns that it leaves the order of a dataset alone.
    training = model.fit(source.train(64), validation_data=source.validation(500), epochs=3, shuffle=False, verbose=0)
    history = training.history
    assert history["loss"][2] < history["loss"][0]
    assert np.isfinite(history["val_loss"]).all()
