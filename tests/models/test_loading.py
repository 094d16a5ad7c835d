import builtins
import errno
import io
import json
import os
import shutil
import zipfile
from types import SimpleNamespace

import keras
import numpy as np
import psutil
import pytest
from keras import layers

from kerasunroll import with_unroll
from kerasunroll.errors import InputError, RunError
from kerasunroll.models import load_model, save_model
from kerasunroll.models.files.loading import import_object

T, F = 4, 2
X = np.random.default_rng(0).normal(size=(3, T, F)).astype("float32")


def model_of(*inner):
    return keras.Sequential([keras.Input((T, F)), *inner])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A good file of a plain Keras model."""
    path = tmp_path_factory.mktemp("whole") / "model.keras"
    model_of(layers.LSTM(3, name="low"), layers.Dense(1)).save(path)
    return path


def rewritten(whole, path, **members):
    """A copy of a model file with some members changed, or left out where the change returns `None`."""
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            change = members.get(name.split(".")[0], lambda content: content)
            content = change(old.read(name))
            if content is not None:
                new.writestr(name, content)
    return path


def config_with(change):
    def edit(content):
        config = json.loads(content)
        change(config["config"]["layers"][1])
        return json.dumps(config)

    return edit


def test_a_model_comes_back_as_it_was(tmp_path):
    model = model_of(layers.LSTM(3), layers.Dense(1))
    model.compile("adam", "mse", run_eagerly=True)
    model.train_on_batch(X, np.ones((3, 1)))
    fast = with_unroll(model, 2)
    save_model(fast, tmp_path / "new" / "fast.keras")
    again = load_model(tmp_path / "new" / "fast.keras")
    assert type(again.layers[0]) is type(fast.layers[0])
    assert again.layers[0].unroll == 2
    assert again.optimizer.iterations == 1
    np.testing.assert_array_equal(again(X), fast(X))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["fast.keras"]


def hdf5(whole, folder):
    path = folder / "old.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    return path


def directory(whole, folder):
    (folder / "saved_model.pb").touch()
    return folder


def written(name, content):
    def make(whole, folder):
        (folder / name).write_bytes(content)
        return folder / name

    return make


def part_of(share):
    def make(whole, folder):
        content = whole.read_bytes()
        return written("part.keras", content[: int(share * len(content))])(whole, folder)

    return make


def flipped(whole, folder):
    content = bytearray(whole.read_bytes())
    content[len(content) // 2] ^= 0xFF
    return written("flipped.keras", bytes(content))(whole, folder)


def changed(**members):
    return lambda whole, folder: rewritten(whole, folder / "changed.keras", **members)


def renamed(whole, folder):
    return shutil.copy(whole, folder / "model.zip")


def holding(config):
    return changed(config=lambda _: json.dumps(config))


BAD = {
    "missing": (lambda _, folder: folder / "no.keras", r"No such file: '.*no\.keras' \(looked for /"),
    "directory": (directory, r"is a directory \(a TensorFlow SavedModel\), expected a \.keras file"),
    "hdf5": (hdf5, r"old\.h5' is damaged: .* Copy it again, or save it again"),
    "hdf5 called .keras": (written("a.keras", b"\x89HDF\r\n\x1a\n"), "is damaged"),
    "empty": (written("a.keras", b""), r"is empty \(0 bytes\)"),
    "text": (written("a.keras", b"no model" * 9), r"is no \.keras file: expected a zip archive"),
    "truncated": (part_of(0.7), r"is truncated: the end of the archive is missing\. Copy it again"),
    "bit flipped": (flipped, r"is damaged: .* Copy"),
    "other suffix": (renamed, r"Expected a file name that ends in \.keras, got '.*model\.zip'.* rename it"),
    "no config": (changed(config=lambda _: None), r"no Keras model: config\.json is missing"),
    "no weights": (changed(model=lambda _: None), r"no Keras model: model\.weights\.h5 or .* is missing"),
    "no json": (changed(config=lambda content: content[:50]), "is damaged: JSONDecodeError: "),
    "weights cut": (changed(model=lambda content: content[:900]), "cannot be loaded: .* Keras 3"),
    "newer class": (
        changed(
            config=config_with(lambda layer: layer.update(class_name="Mamba")),
            metadata=lambda _: json.dumps({"keras_version": "3.99"}),
        ),
        r"uses keras\.layers\.Mamba in Mamba 'low', which Keras .* does not have.* written by Keras 3\.99: install",
    ),
    "newer argument": (
        changed(config=config_with(lambda layer: layer["config"].update(chunks=3))),
        "cannot be loaded: .*It was written by Keras .*, this is Keras",
    ),
    "no model": (
        holding(keras.saving.serialize_keras_object(layers.Dense(1, name="alone"))),
        "cannot be loaded|holds no model, but a Dense",
    ),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_is_one_clear_error(whole, tmp_path, make, message):
    path = make(whole, tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_read_is_one_clear_error(whole, monkeypatch):
    # As root, every file may be read.
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(io, "open", refuse)
    monkeypatch.setattr(builtins, "open", refuse)
    with pytest.raises(InputError, match=r"cannot be read: permission denied\. Make it"):
        load_model(whole)


def test_a_model_larger_than_the_available_memory_is_refused_before_it_is_read(whole, tmp_path, monkeypatch):
    path = tmp_path / "bomb.keras"
    shutil.copy(whole, path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("assets/zeros", bytes(50_000_000))
    assert path.stat().st_size < 1_000_000
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=90_000_000))
    with pytest.raises(InputError, match=r"bomb\.keras' needs about 100\.?\d* MB of memory to be loaded, but 90"):
        load_model(path)


class Scaled(layers.Layer):
    def call(self, x):
        return 2 * x


def tripled(x):
    return 3 * x


def test_an_unknown_class_is_refused_with_the_flag_that_admits_it(tmp_path):
    path = tmp_path / "custom.keras"
    model = model_of(layers.LSTM(3), Scaled(name="twice"))
    model.save(path)
    with pytest.raises(InputError, match=r"'Scaled' in Scaled 'twice', .* --custom-objects test_loading:Scaled"):
        load_model(path)
    for admitted in (Scaled, "test_loading:Scaled"):
        np.testing.assert_array_equal(load_model(path, custom_objects=[admitted])(X), model(X))


def test_an_unknown_function_is_refused_with_the_flag_that_admits_it(tmp_path):
    path = tmp_path / "function.keras"
    for layer in (layers.LSTM(3, activation=tripled), layers.Lambda(tripled)):
        model = model_of(layers.LSTM(3), layers.RepeatVector(2), layer)
        model.save(path)
        with pytest.raises(InputError, match=r"locate function 'tripled'\. .*of your own, name them: --custom-objects"):
            load_model(path)
        np.testing.assert_array_equal(load_model(path, custom_objects=[tripled])(X), model(X))


def test_code_in_a_file_is_never_run(tmp_path):
    path, ran = tmp_path / "code.keras", tmp_path / "ran"
    touch = f"open({str(ran)!r}, 'w').close()"
    model_of(layers.LSTM(3), layers.Lambda(lambda x: (exec(touch), x)[1], name="evil")).save(path)  # noqa: S102
    ran.unlink()
    with pytest.raises(InputError, match="has code in it: a lambda in Lambda 'evil', which could do anything"):
        load_model(path)
    assert not ran.exists()


def test_custom_objects_are_found_beside_the_user(tmp_path, monkeypatch):
    (tmp_path / "users_layers.py").write_text("class Mine: pass\nnumber = 3\n")
    (tmp_path / "users_broken.py").write_text("import no_such_module_at_all\n")
    monkeypatch.chdir(tmp_path)
    assert import_object("users_layers:Mine").__name__ == "Mine"
    for reference, message in {
        "users_layers": "expected module:name, such as .*, got 'users_layers'",
        "users_layers:": "expected module:name",
        "users_layers:Other": "Expected a class or function at 'users_layers:Other', but .* has no such name",
        "users_layers:number": "has a int there",
        "users_broken:Mine": "Cannot import module 'users_broken' .*No module named 'no_such_module_at_all'",
        "no_such_module:Mine": "Cannot import module 'no_such_module'",
    }.items():
        with pytest.raises(InputError, match=message):
            import_object(reference)


@pytest.mark.parametrize(
    ("function", "error", "kind", "message"),
    [
        ("fsync", errno.ENOSPC, RunError, "Could not write .*No space left on device. Nothing half-written is left"),
        ("replace", errno.EDQUOT, RunError, "Nothing half-written is left"),
        ("mkdir", errno.EROFS, InputError, "Cannot write to folder .*Read-only file system. Choose another"),
    ],
)
def test_a_save_that_fails_is_one_clear_error_and_leaves_what_was_there(
    tmp_path, monkeypatch, function, error, kind, message
):
    path = tmp_path / "model.keras"
    path.write_text("what was there")

    def fail(*_, **__):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(kind, match=message):
        save_model(model_of(layers.GRU(2)), path if function != "mkdir" else tmp_path / "new" / "model.keras")
    monkeypatch.undo()
    assert [each.name for each in tmp_path.iterdir()] == ["model.keras"]
    assert path.read_text() == "what was there"


def test_a_place_where_no_model_can_be_saved_is_refused(tmp_path):
    model = model_of(layers.GRU(2))
    with pytest.raises(InputError, match=r"ends in \.keras, got '.*model\.h5'. Use '.*model\.keras'"):
        save_model(model, tmp_path / "model.h5")
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(InputError, match="is a directory"):
        save_model(model, tmp_path / "folder.keras")
