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
    "y must be integer classes of shape (N,) or (N, T), their names, one-hot of shape (N, classes), or floats of shape "
    "(N,), (N, outputs) or (N, T, outputs), got "
)
USUAL_NAMES = "x and y, or x_train, y_train and, for validation, x_val and y_val or x_test and y_test"


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"weights": X, "y": LABELS}, f"lacks x: expected the arrays {USUAL_NAMES}; found weights, y."),
        ({"x": X}, f"lacks y: expected the arrays {USUAL_NAMES}; found x."),
        ({}, f"lacks x and y: expected the arrays {USUAL_NAMES}; found none."),
        ({"x": X, "inputs": X, "y": LABELS}, "has more than one array for the same: x and inputs."),
        ({"x": X, "y": LABELS, "x_val": X}, "x_val stands alone: give the validation part's inputs and its targets"),
        ({"x": X, "y": LABELS, "x_test": X[:, :3], "y_test": LABELS}, "x_test of shape (10, 3, 3) does not fit x of"),
        ({"x": X, "y": LABELS, "x_test": X, "y_test": LABELS[:3]}, "got 10 sequences in x_test of shape (10, 4, 3)"),
        ({"x": X, "y": LABELS, "x_test": X, "y_test": numbers(10)}, "y holds int64 and y_test float64. Save both"),
        ({"x": X, "y": np.full(10, "a")}, "y holds the class 'a' only; classification needs at least 2 classes"),
        ({"x": X, "y": LABELS.astype(object)}, "names of classes with y.astype(str)"),
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
        ({"x": X, "y": LABELS.astype(complex)}, "y must hold numbers or the names of classes, got an array of complex"),
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


@pytest.mark.parametrize(
    ("y", "classes", "targets", "note"),
    [
        (np.array([1, -1, -1, 1]), 2, [1, 0, 0, 1], "classes: 0 = -1, 1 = 1"),
        (np.array([1.0, -1.0, -1.0, 1.0]), 2, [1, 0, 0, 1], "classes: 0 = -1.0, 1 = 1.0"),
        (np.array(["walk", "run", "walk", "sit"]), 3, [2, 0, 2, 1], "classes: 0 = run, 1 = sit, 2 = walk"),
        (np.array([b"no", b"yes", b"no", b"no"]), 2, [0, 1, 0, 0], "classes: 0 = no, 1 = yes"),
        (np.eye(3)[[2, 0, 1, 2]], 3, [2, 0, 1, 2], "one-hot targets as classes"),
        (np.eye(3)[[2, 0, 1, 2]] > 0, 3, [2, 0, 1, 2], "one-hot targets as classes"),
        (np.eye(2, dtype=np.uint8)[[[0, 1, 1]] * 4], 2, [[0, 1, 1]] * 4, "one-hot targets as classes"),
        (np.array([[2], [0], [1], [1]]), 3, [2, 0, 1, 1], None),
    ],
    ids=["-1 and 1", "floats", "strings", "bytes", "one-hot", "booleans", "one-hot at each time step", "one column"],
)
def test_targets_in_other_forms_become_classes(path, y, classes, targets, note):
    length = 3 if y.ndim == 3 else 5
    # The given validation part is the same as the training part, so that the order stays.
    x = numbers(4, length, 1)
    np.savez(path, X_train=x, y_train=y, X_test=x, y_test=y)
    source = open_source(f"npz:{path}")
    assert source.task == Classification(classes)
    assert source.y_train.dtype == np.int32
    assert source.y_train.tolist() == source.y_validation.tolist() == targets
    assert source.notes == ("validated on X_test and y_test", *([note] if note else []))


@pytest.mark.parametrize(
    ("names", "validation"),
    [
        ("x_train y_train x_val y_val x_test y_test", "x_val and y_val"),
        ("X_train Y_train X_test Y_test", "X_test and Y_test"),
        ("train_images train_labels val_images val_labels test_images test_labels", "val_images and val_labels"),
        ("xtrain ytrain xtest ytest", "xtest and ytest"),
        ("data labels test_data test_labels", "test_data and test_labels"),
    ],
)
def test_the_usual_names_are_known_and_a_given_validation_part_is_used(path, names, validation):
    parts = [X + 1000 * number for number in range(3)]
    names = names.split()
    arrays = {name: parts[place // 2] if place % 2 == 0 else LABELS for place, name in enumerate(names)}
    np.savez(path, **arrays)
    source = open_source(f"npz:{path}", seed=3)
    assert source.x_train.tolist() == X.tolist()
    assert source.x_validation.tolist() == (X + 1000).tolist()
    assert source.y_validation.tolist() == LABELS.tolist()
    assert f"; validated on {validation}" in source.describe()
    assert ("left out: " in source.describe()) is (len(names) == 6)


def test_a_test_part_without_targets_is_left_out(path):
    np.savez(path, X_train=X, y_train=LABELS, X_test=X)
    source = open_source(f"npz:{path}")
    assert (len(source.x_train), source.notes) == (8, ("left out: X_test",))


def test_classes_and_tokens_are_counted_over_both_parts(path):
    np.savez(path, x=TOKENS[:5] % 3, y=LABELS[:5] % 2, x_val=TOKENS[5:] + 10, y_val=LABELS[5:] + 4)
    source = open_source(f"npz:{path}")
    assert (source.vocabulary, source.task) == (int(TOKENS[5:].max()) + 11, Classification(7))


def test_npy_files_are_read_by_their_order_by_their_names_or_from_a_folder(tmp_path):
    expected = numbers(10, 2)
    (tmp_path / "both").mkdir()
    for x, y in ((tmp_path / "a,b.npy", tmp_path / "z.npy"), (tmp_path / "both/X_train.npy", tmp_path / "both/y.npy")):
        np.save(x, X)
        np.save(y, expected)
    names = {
        f"npy:{tmp_path}/a%2Cb.npy,{tmp_path}/z.npy": "npy:a%2Cb.npy,z.npy",
        f"npy:{tmp_path}/both/y.npy,{tmp_path}/both/X_train.npy": "npy:y.npy,X_train.npy",
        f"npy:{tmp_path}/both": "npy:both",
    }
    for name, short in names.items():
        source = open_source(name)
        assert source.describe() == f"{short}: 8 training and 2 validation sequences, T=4, F=3, 2 outputs"
        rows = source.x_train[:, 0, 0].astype(int) // 12
        assert source.y_train.tolist() == expected[rows].tolist()


def test_npy_files_that_cannot_be_used_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "o.npy", LABELS.astype(object))
    (tmp_path / "t.npy").write_text("hello")
    for files, message in {
        "x.npy": "lacks y: expected the arrays x and y",
        "x.npy,gone.npy": "No such file: ",
        "x.npy,t.npy": "t.npy' is not an .npy file. Write one with numpy.save",
        "x.npy,o.npy": "an array of Python objects, which could run code",
    }.items():
        with pytest.raises(DataError, match=re.escape(message)):
            open_source("npy:" + ",".join(f"{tmp_path}/{file}" for file in files.split(",")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no \.npy file lacks x and y"):
        open_source(f"npy:{tmp_path}/empty")
