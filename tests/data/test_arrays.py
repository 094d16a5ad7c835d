import io
import re
import zipfile

import numpy as np
import pytest

from kerasunroll.data import open_source
from kerasunroll.errors import DataError
from kerasunroll.tasks import Classification, Regression


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.npz"


def numbers(*shape):
    return np.arange(np.prod(shape), dtype=np.float64).reshape(shape)


X = numbers(10, 4, 3)
ROW = np.arange(10)
TOKENS = np.stack([ROW % 7, ROW // 7, 6 - ROW % 7, ROW % 2], axis=1)  # 0..6, no two rows alike
LABELS = np.arange(10) % 3


@pytest.mark.parametrize(
    ("x", "y", "task", "per_time_step", "description"),
    [
        (X, LABELS, Classification(3), False, "T=4, F=3, 3 classes"),
        (X, LABELS.astype(np.uint8), Classification(3), False, "T=4, F=3, 3 classes"),
        (X, LABELS > 0, Classification(2), False, "T=4, F=3, 2 classes"),
        (X.astype(np.int16), TOKENS, Classification(7), True, "T=4, F=3, 7 classes at each time step"),
        (X, numbers(10), Regression(1), False, "T=4, F=3, 1 output"),
        (X, numbers(10, 2), Regression(2), False, "T=4, F=3, 2 outputs"),
        (X, numbers(10, 4, 2), Regression(2), True, "T=4, F=3, 2 outputs at each time step"),
        (TOKENS, LABELS, Classification(3), False, "T=4, vocabulary of 7, 3 classes"),
        (TOKENS, TOKENS, Classification(7), True, "T=4, vocabulary of 7, 7 classes at each time step"),
        (TOKENS, numbers(10), Regression(1), False, "T=4, vocabulary of 7, 1 output"),
    ],
)
def test_the_forms_of_the_arrays_decide_the_task(path, x, y, task, per_time_step, description):
    np.savez(path, x=x, y=y)
    source = open_source(f"npz:{path}", timesteps=4)
    tokens = x.ndim == 2
    assert source.task == task
    assert source.return_sequences is per_time_step
    assert source.describe() == f"npz:mine.npz: 8 training and 2 validation sequences, {description}"
    assert source.input_shape == x.shape[1:]
    assert (source.features, source.vocabulary) == ((None, 7) if tokens else (3, None))
    assert source.x_train.dtype == (np.int32 if tokens else np.float32)
    assert source.y_train.dtype == (np.int32 if isinstance(task, Classification) else np.float32)
    expected_y = y[:, np.newaxis] if y.ndim == 1 and isinstance(task, Regression) else y
    assert source.y_train.shape == (8, *expected_y.shape[1:])
    # Every sequence is there once, with its own target.
    found_x = np.concatenate([source.x_train, source.x_validation])
    found_y = np.concatenate([source.y_train, source.y_validation])
    rows = [next(row for row in range(10) if np.array_equal(x[row], sequence)) for sequence in found_x]
    assert sorted(rows) == list(range(10))
    assert np.array_equal(found_y, expected_y[rows])


def test_the_seed_draws_the_validation_sequences(path):
    np.savez(path, x=numbers(50, 2, 1), y=np.arange(50))
    first, again, other = (open_source(f"npz:{path}", seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.y_validation, again.y_validation)
    assert not np.array_equal(first.y_validation, other.y_validation)
    assert sorted([*first.y_train, *first.y_validation]) == list(range(50))
    assert first.x_train[:, 0, 0].tolist() == (2 * first.y_train).tolist()


def with_value(array, index, value):
    changed = array.copy()
    changed[index] = value
    return changed


X_FORMS = "x must be numbers of shape (N, T, F) or integer tokens of shape (N, T), got "
Y_FORMS = (
    "y must be integer classes of shape (N,) or (N, T), or floats of shape (N,), (N, outputs) or (N, T, outputs), got "
)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"inputs": X, "y": LABELS}, "lacks x: expected the arrays x and y, found inputs, y."),
        ({"x": X}, "lacks y: expected the arrays x and y, found x."),
        ({}, "lacks x and y: expected the arrays x and y, found none."),
        (
            {"x": X, "y": LABELS[:9]},
            "got 10 sequences in x of shape (10, 4, 3) and 9 targets in y of shape (9,)",
        ),
        ({"x": numbers(10), "y": LABELS}, f"{X_FORMS}float64 of shape (10,)."),
        (
            {"x": numbers(10, 4), "y": LABELS},
            f"{X_FORMS}float64 of shape (10, 4). For one feature, save x[..., n",
        ),
        ({"x": numbers(2, 2, 2, 2), "y": LABELS}, f"{X_FORMS}float64 of shape (2, 2, 2, 2)."),
        ({"x": X, "y": np.int64(3)}, f"{Y_FORMS}int64 of shape () for x of shape (10, 4, 3)."),
        ({"x": X, "y": TOKENS[:, :3]}, f"{Y_FORMS}int64 of shape (10, 3) for x of shape (10, 4, 3)."),
        (
            {"x": X, "y": numbers(10, 5, 2)},
            f"{Y_FORMS}float64 of shape (10, 5, 2) for x of shape (10, 4, 3).",
        ),
        ({"x": with_value(X, (7, 1, 2), np.nan), "y": LABELS}, "got nan at x[7, 1, 2] (shape (10, 4, 3))."),
        ({"x": with_value(X, (0, 3, 0), -np.inf), "y": LABELS}, "got -inf at x[0, 3, 0]"),
        (
            {"x": with_value(X, (0, 0, 1), 1e39), "y": LABELS},
            "finite numbers that float32 can hold, got 1e+39",
        ),
        (
            {"x": X, "y": with_value(numbers(10), 4, np.inf)},
            "y must hold finite numbers that float32 can hold",
        ),
        (
            {"x": X, "y": with_value(LABELS, 2, -1)},
            "y must hold integers from 0 to 2,147,483,646, got -1 at y[2]",
        ),
        ({"x": X, "y": with_value(LABELS, 9, 2**31 - 1)}, "got 2147483647 at y[9] (shape (10,))."),
        (
            {"x": with_value(TOKENS, (5, 0), -4), "y": LABELS},
            "x must hold integers from 0 to 2,147,483,646, got -4",
        ),
        (
            {"x": X, "y": np.zeros(10, int)},
            "y holds the class 0 only; classification needs at least 2 classes",
        ),
        ({"x": X[:0], "y": LABELS[:0]}, "x of shape (0, 4, 3) and y of shape (0,) must not be empty"),
        ({"x": X[:, :0], "y": LABELS}, "x of shape (10, 0, 3) and y of shape (10,) must not be empty"),
        ({"x": X[:1], "y": numbers(1)}, "has 1 sequence, but training and validation need at least 2"),
        ({"x": X, "y": LABELS.astype(str)}, "y must hold numbers, got an array of <U"),
        ({"x": X.astype(complex), "y": LABELS}, "x must hold numbers, got an array of complex128"),
        (
            {"x": X.astype(object), "y": LABELS},
            "x is an array of Python objects, which could run code when loaded",
        ),
    ],
)
def test_arrays_that_cannot_be_used_are_refused_with_the_file_and_the_shape(path, arrays, message):
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=re.escape(f"'{path}'") + ":?.* " + re.escape(message)):
        open_source(f"npz:{path}")


def test_timesteps_must_be_those_of_the_file(path):
    np.savez(path, x=X, y=LABELS)
    expected = f"'{path}' has sequences of 4 time steps (x of shape (10, 4, 3)), got timesteps=5."
    with pytest.raises(DataError, match=re.escape(expected)):
        open_source(f"npz:{path}", timesteps=5)


def single_array():
    content = io.BytesIO()
    np.save(content, X)
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"hello", b"\x80\x04N.", b"PK\x03\x04 cut off", single_array()],
    ids=["text", "pickle", "cut zip", "npy"],
)
def test_a_file_of_another_kind_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"'{path}' is not an .npz file. Write one with")):
        open_source(f"npz:{path}")


def test_a_zip_file_of_something_else_is_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "not an array")
        archive.writestr("y", "neither")
    with pytest.raises(DataError, match=re.escape(f"'{path}': x is not a NumPy array")):
        open_source(f"npz:{path}")


def test_a_damaged_array_is_named(path):
    np.savez(path, x=X, y=LABELS)
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 0xFF  # within the numbers of x, the larger array by far
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"'{path}': x cannot be read: ") + ".* may be damaged"):
        open_source(f"npz:{path}")
