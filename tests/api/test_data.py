"""Data that were passed in Python: what a worker reads is what `fit` would have been given."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import kerasunroll
from kerasunroll.api.request.data import data_of
from kerasunroll.errors import DataError, InputError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(10, 4, 2)), RNG.integers(0, 3, 10)


def passed(x, y=None, **options):
    options = {
        "sample_weight": None,
        "class_weight": None,
        "validation_data": None,
        "batch_size": 5,
        "steps_per_epoch": None,
        **options,
    }
    return data_of(x, y, **options)


def read(tmp_path, *arguments, **options):
    """Return what a worker opens, after it was written."""
    data = passed(*arguments, **options)
    return data.write(tmp_path), data


def batches(dataset):
    return list(dataset.as_numpy_iterator())


class Numbered(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, place):
        return X[5 * place : 5 * place + 5], Y[5 * place : 5 * place + 5]


class TestArrays:
    def test_nests_keep_their_names_and_order(self, tmp_path):
        x = {"b": X, "a": (X[:, 0], X[:, 1])}
        given, _ = read(tmp_path, x, [Y, Y], sample_weight=np.arange(10.0))
        (inputs, targets, weights) = given.batch(3)
        assert list(inputs) == ["b", "a"]
        np.testing.assert_array_equal(inputs["a"][1], X[:3, 1].astype("float32"))
        np.testing.assert_array_equal(targets[1], Y[:3])
        np.testing.assert_array_equal(weights, [0, 1, 2])

    def test_an_epoch_has_every_sequence_once_in_an_order_of_the_seed(self, tmp_path):
        given, _ = read(tmp_path, X, np.arange(10))
        epochs = given.train(5).repeat(2)
        order = [int(target) for _, targets in batches(epochs) for target in targets]
        assert sorted(order[:10]) == sorted(order[10:]) == list(range(10))
        assert order[:10] != order[10:]
        assert order == [int(target) for _, targets in batches(given.train(5).repeat(2)) for target in targets]

    def test_sequences_stay_with_their_targets(self, tmp_path):
        given, _ = read(tmp_path, X, X[:, 0, 0])
        for x, y in batches(given.train(5)):
            np.testing.assert_array_equal(x[:, 0, 0], y)

    def test_floating_point_numbers_are_as_fit_makes_them(self, tmp_path):
        given, _ = read(tmp_path, X, Y)
        x, y = given.batch(2)
        assert x.dtype == keras.config.floatx()
        assert y.dtype == Y.dtype

    def test_validation_is_apart(self, tmp_path):
        given, _ = read(tmp_path, X, Y, validation_data=(X[:3], Y[:3]))
        assert (given.training_sequences, given.validation_sequences) == (10, 3)
        np.testing.assert_array_equal(given.probed(2), X[:2].astype("float32"))
        ((x, _), *_) = batches(given.validation(8))
        assert len(x) == 3

    def test_data_frames_lists_and_tensors_are_arrays(self, tmp_path):
        for number, y in enumerate((pd.Series(Y), list(map(int, Y)), tf.constant(Y))):
            given, _ = read(tmp_path / str(number), X, y)
            np.testing.assert_array_equal(given.batch(10)[1], Y)

    def test_class_weights_weigh_as_in_fit(self, tmp_path):
        """The loss that Keras shows with `class_weight`, against its loss with the weights that a worker gets."""
        weights = {0: 3.0, 2: 0.5}
        given, _ = read(tmp_path, X, Y, class_weight=weights)
        x, y, sample_weight = given.batch(10)

        def loss(**options):
            keras.utils.set_random_seed(0)
            model = keras.Sequential([keras.Input((4, 2)), keras.layers.LSTM(3), keras.layers.Dense(3, "softmax")])
            model.compile("sgd", "sparse_categorical_crossentropy")
            return model.fit(x, y, batch_size=10, verbose=0, **options).history["loss"][0]

        assert loss(sample_weight=sample_weight) == pytest.approx(loss(class_weight=weights), rel=1e-6)
        assert loss() != pytest.approx(loss(class_weight=weights), rel=1e-3)

    def test_one_hot_classes_are_weighed_too(self, tmp_path):
        given, _ = read(tmp_path, X, np.eye(3)[Y], class_weight={1: 2.0})
        np.testing.assert_array_equal(given.batch(10)[2], np.where(Y == 1, 2.0, 1.0))

    @pytest.mark.parametrize(
        ("x", "says"),
        [
            (np.array(["a", None], dtype=object), "expected numbers or text"),
            (np.float32(3), "a single number"),
            ([[1.0], [1.0, 2.0]], "is no array"),
        ],
    )
    def test_what_is_no_array_is_refused(self, x, says):
        with pytest.raises(DataError, match=says):
            passed(x, Y)


class TestBatches:
    @pytest.mark.parametrize(
        "given",
        [
            lambda: tf.data.Dataset.from_tensor_slices((X, Y)).batch(5),
            Numbered,
            lambda: ((X[place : place + 5], Y[place : place + 5]) for place in (0, 5)),
        ],
        ids=["dataset", "PyDataset", "generator"],
    )
    def test_they_stay_as_they_are_in_every_epoch(self, tmp_path, given):
        kept, data = read(tmp_path, given(), batch_size=None)
        assert data.batch_size == 5
        for _ in range(2):
            first, second = batches(kept.train(5))
            np.testing.assert_allclose(np.concatenate([first[0], second[0]]), X, rtol=1e-6)
            np.testing.assert_array_equal(np.concatenate([first[1], second[1]]), Y)
        assert int(kept.train(5).cardinality()) == 2

    def test_a_shuffled_dataset_is_kept_in_one_order(self, tmp_path):
        dataset = tf.data.Dataset.from_tensor_slices((X, np.arange(10))).shuffle(10).batch(5)
        kept, _ = read(tmp_path, dataset, batch_size=None)
        order = [list(targets) for _, targets in batches(kept.train(5))]
        assert order == [list(targets) for _, targets in batches(kept.train(5))]

    def test_what_never_ends_is_cut(self, tmp_path):
        dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(5).repeat()
        kept, _ = read(tmp_path, dataset, batch_size=None, steps_per_epoch=7)
        assert (len(batches(kept.train(5))), kept.training_sequences) == (7, 35)

    def test_class_weights_become_weights_of_samples(self, tmp_path):
        dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(5)
        kept, _ = read(tmp_path, dataset, batch_size=None, class_weight={0: 4.0})
        for _, targets, weights in batches(kept.train(5)):
            np.testing.assert_array_equal(weights, np.where(targets == 0, 4.0, 1.0))

    def test_another_batch_size_is_refused(self):
        with pytest.raises(InputError, match="batches of 5"):
            passed(tf.data.Dataset.from_tensor_slices((X, Y)).batch(5), batch_size=4)


class TestASource:
    def test_its_name_and_the_source_itself_train_on_the_same(self, tmp_path):
        source = kerasunroll.open_source("digits")
        named, _ = read(tmp_path, "digits")
        kept, _ = read(tmp_path, source)
        for ours, theirs in zip(batches(kept.train(5).take(2)), batches(named.train(5).take(2)), strict=True):
            np.testing.assert_array_equal(ours[0], theirs[0])
        assert kept.validation_sequences == source.validation_sequences
