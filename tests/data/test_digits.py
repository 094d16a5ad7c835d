import numpy as np
import pytest
from sklearn import datasets

from kerasunroll.data import open_source
from kerasunroll.errors import DataError


def pairs(x, y):
    """Every sequence with its label, as a set: independent of order."""
    return {(sequence.tobytes(), int(label)) for sequence, label in zip(x, y, strict=True)}


@pytest.mark.parametrize("timesteps", [None, 64, 8, 1])
def test_sequences_are_the_pixels_of_the_images_in_reading_order(timesteps):
    source = open_source("digits", timesteps=timesteps)
    length = timesteps or 64
    x = np.concatenate([source.x_train, source.x_validation])
    y = np.concatenate([source.y_train, source.y_validation])
    digits = datasets.load_digits()
    expected = np.array(
        [[image[row, column] / 8 - 1 for row in range(8) for column in range(8)] for image in digits.images],
        dtype=np.float32,
    )
    assert source.input_shape == x.shape[1:] == (length, 64 // length)
    assert x.dtype == np.float32
    assert y.dtype == np.int32
    assert (x.min(), x.max()) == (-1, 1)
    assert pairs(x.reshape(-1, 64), y) == pairs(expected, digits.target)


def test_it_says_its_shapes():
    source = open_source("digits")
    expected = "digits: 1,437 training and 360 validation sequences, T=64, F=1, 10 classes"
    assert source.describe() == expected
    assert (source.timesteps, source.features, source.vocabulary) == (64, 1, None)
    assert not source.return_sequences


@pytest.mark.parametrize("seed", [0, 1])
def test_no_validation_image_is_trained_on(seed):
    source = open_source("digits", seed=seed)
    assert not {x.tobytes() for x in source.x_train} & {x.tobytes() for x in source.x_validation}


def test_the_seed_draws_the_validation_images():
    first, again, other = (open_source("digits", seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.x_train, again.x_train)
    assert np.array_equal(first.y_validation, again.y_validation)
    assert not np.array_equal(first.x_validation, other.x_validation)


@pytest.mark.parametrize("timesteps", [3, 10, 65, 128])
def test_timesteps_that_do_not_divide_the_pixels_are_refused(timesteps):
    expected = f"digits have 64 pixels, so timesteps must be one of 1, 2, 4, 8, 16, 32, 64; got {timesteps}"
    with pytest.raises(DataError, match=expected):
        open_source("digits", timesteps=timesteps)
