import re
import subprocess
import sys

import numpy as np
import pytest

from kerasunroll.data import KNOWN_SOURCES, open_source
from kerasunroll.errors import DataError

KNOWN = "Known sources: digits, text:PATH, csv:PATH, npz:PATH, npy:PATH, adding, copy."


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mnist", f"Unknown data source 'mnist'. {KNOWN}"),
        ("", f"Unknown data source ''. {KNOWN}"),
        ("table.csv", f"Unknown data source 'table.csv'. {KNOWN}"),
        ("json:a.json", f"Unknown data source 'json:a.json'. {KNOWN}"),
        (None, f"A data source is a string, got None. {KNOWN}"),
        ("text", "'text' lacks the path of its file. Write text:PATH."),
        ("csv:", "'csv:' lacks the path of its file. Write csv:PATH."),
        ("digits:8", "digits takes no path, got 'digits:8'. Write digits."),
        ("copy:", "copy takes no path, got 'copy:'. Write copy."),
    ],
)
def test_a_spec_that_names_no_source_is_refused(spec, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        open_source(spec)


@pytest.mark.parametrize("spec", ["text:gone.x", "csv:gone.x", "npz:gone.x"])
def test_a_missing_file_is_named(spec):
    with pytest.raises(DataError, match=re.escape("No such file: 'gone.x'")):
        open_source(spec)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"timesteps": 0}, "timesteps must be an integer of at least 1, got 0."),
        ({"timesteps": -8}, "timesteps must be an integer of at least 1, got -8."),
        ({"timesteps": 2.5}, "timesteps must be an integer of at least 1, got 2.5."),
        ({"timesteps": True}, "timesteps must be an integer of at least 1, got True."),
        ({"seed": -1}, "seed must be an integer of at least 0, got -1."),
        ({"seed": None}, "seed must be an integer of at least 0, got None."),
        ({"examples": 1}, "examples must be an integer of at least 2, got 1."),
        ({"examples": 0}, "examples must be an integer of at least 2, got 0."),
    ],
)
@pytest.mark.parametrize("spec", ["adding", "copy"])
def test_an_argument_that_is_no_such_number_is_refused(spec, arguments, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        open_source(spec, **arguments)


def test_examples_are_refused_where_their_number_is_given():
    with pytest.raises(DataError, match="examples=50 is for adding and copy; digits has as many as it has"):
        open_source("digits", examples=50)


def test_a_path_may_hold_colons_and_start_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "a:b.txt").write_text("abcdefgh")
    assert open_source("text:~/a:b.txt", timesteps=3).name == "text:a:b.txt"


def test_every_known_source_opens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("file.npz", x=np.zeros((4, 3, 2)), y=np.arange(4))
    (tmp_path / "file.npy").mkdir()
    np.save("file.npy/x.npy", np.zeros((4, 3, 2)))
    np.save("file.npy/y.npy", np.arange(4))
    (tmp_path / "file.csv").write_text("".join(f"{row}\n" for row in range(70)))
    (tmp_path / "file.text").write_text("abc" * 50)
    for known in KNOWN_SOURCES:
        kind = known.partition(":")[0]
        source = open_source(known.replace("PATH", f"file.{kind}"))
        assert source.describe().startswith(kind)
        assert source.input_shape == source.x_validation.shape[1:]


def test_global_random_state_is_left_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    for spec in ("digits", "adding", "copy"):
        open_source(spec, seed=9)
    assert np.array_equal(before, np.random.get_state()[1])


def test_opening_a_source_does_not_import_tensorflow():
    program = (
        "import sys, kerasunroll.data; source = kerasunroll.data.open_source('digits'); source.describe()\n"
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
