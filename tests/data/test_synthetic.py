import numpy as np
import pytest

from kerasunroll.data import open_source
from kerasunroll.errors import DataError
from kerasunroll.tasks import Classification, Regression


def everything(source):
    return (
        np.concatenate([source.x_train, source.x_validation]),
        np.concatenate([source.y_train, source.y_validation]),
    )


@pytest.mark.parametrize("timesteps", [2, 3, 50])
def test_adding_asks_for_the_sum_of_the_two_marked_values(timesteps):
    x, y = everything(open_source("adding", timesteps=timesteps, examples=200))
    assert (x.shape, y.shape) == ((200, timesteps, 2), (200, 1))
    assert x.dtype == y.dtype == np.float32
    for sequence, target in zip(x, y, strict=True):
        first, second = (t for t in range(timesteps) if sequence[t, 1] == 1)
        assert first < timesteps // 2 <= second
        assert (sequence[:, 1] != 0).sum() == 2
        assert target == pytest.approx(sequence[first, 0] + sequence[second, 0], abs=1e-6)


def test_adding_is_uniform():
    source = open_source("adding", timesteps=10)
    x, y = everything(source)
    assert source.describe() == "adding: 8,000 training and 2,000 validation sequences, T=10, F=2, 1 output"
    assert source.task == Regression(1)
    assert x[:, :, 0].min() >= 0
    assert x[:, :, 0].max() <= 1
    assert x[:, :, 0].mean() == pytest.approx(1 / 2, abs=0.01)
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, rel=0.05)
    marked = x[:, :, 1].sum(axis=0)
    np.testing.assert_allclose(marked, np.full(10, 10_000 / 5), rtol=0.1)  # each half shares one marker


@pytest.mark.parametrize("timesteps", [21, 22, 60])
def test_copy_asks_for_its_first_ten_symbols_in_the_last_ten_time_steps(timesteps):
    x, y = everything(open_source("copy", timesteps=timesteps, examples=200))
    assert x.shape == y.shape == (200, timesteps)
    assert x.dtype == y.dtype == np.int32
    blank, recall = 8, 9
    assert np.array_equal(y[:, -10:], x[:, :10])
    assert set(np.unique(x[:, :10])) == set(range(8))
    assert (x[:, 10 : timesteps - 11] == blank).all()
    assert (x[:, timesteps - 11] == recall).all()
    assert (x[:, timesteps - 10 :] == blank).all()
    assert (y[:, : timesteps - 10] == blank).all()


def test_copy_says_its_shapes():
    source = open_source("copy")
    assert source.describe() == (
        "copy: 8,000 training and 2,000 validation sequences, T=100, vocabulary of 10, 9 classes at each time step"
    )
    assert source.task == Classification(9)
    assert source.return_sequences


@pytest.mark.parametrize("spec", ["adding", "copy"])
def test_the_seed_draws_the_sequences(spec):
    first, again, other = (open_source(spec, seed=seed, examples=50) for seed in (5, 5, 6))
    assert len(first.x_train) == 40
    for name in ("x_train", "y_train", "x_validation", "y_validation"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))
    assert not {x.tobytes() for x in first.x_train} & {x.tobytes() for x in first.x_validation}


@pytest.mark.parametrize(
    ("spec", "timesteps", "message"),
    [
        ("adding", 1, "adding marks a time step in each half, so timesteps must be at least 2, got 1."),
        ("copy", 20, "timesteps must be at least 21, got 20."),
    ],
)
def test_too_few_timesteps_are_refused(spec, timesteps, message):
    with pytest.raises(DataError, match=message):
        open_source(spec, timesteps=timesteps)
