"""Without TensorFlow, or with Keras on another backend: one sentence with the way out, or it works."""

import json
import os
import subprocess
import sys
import types
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "report"))
from fixed_run import write_run

from kerasunroll import backend
from kerasunroll.backend import require_backend
from kerasunroll.errors import BackendError, InputError
from kerasunroll.measurement.workers.worker import Worker, WorkerError

HIDDEN = """
import sys
from importlib.abc import MetaPathFinder

class Hides(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hides())
"""
"""A `sitecustomize.py`: every Python that starts with it has no TensorFlow and no Keras."""

NEEDY_COMMANDS = (
    "compare --logdir {folder}/logs",
    "compare --logdir {folder}/logs --source adding --examples 100 --timesteps 5",
    "measure --logdir {folder}/logs",
    "train --logdir {folder}/logs",
    "advise --features 1 --timesteps 10",
    "check {folder}/model.keras",
    "convert {folder}/model.keras --unroll full --output {folder}/full.keras",
    "deploy --cell lstm --logdir {folder}/logs",
    "draw --model {folder}/model.keras --output {folder}/drawn.svg",
)
NEEDY_PROGRAMS = (
    "import kerasunroll.layers",
    "from kerasunroll.layers import LSTM",
    "from kerasunroll.models import lstm_stack",
    "from kerasunroll.callbacks import GraphLogger",
    "from kerasunroll.inspection import parity",
    "from kerasunroll import compare",
    "import kerasunroll; kerasunroll.with_unroll",
    "import kerasunroll; kerasunroll.deploy",
    "import kerasunroll; kerasunroll.comparison_callbacks()",
    "import kerasunroll; kerasunroll.advise('lstm', timesteps=10)",
)
COMMANDS = (
    "--help",
    "--version",
    "compare --help",
    "compare --dry-run",
    "report {folder}/run --html {folder}/page.html --markdown {folder}/page.md",
    "diff {folder}/run {folder}/run --markdown {folder}/diff.md",
    "draw --kind unfolded --output {folder}/unfolded.svg",
)
PROGRAMS = (
    "import kerasunroll; kerasunroll.Comparison.load(r'{folder}/run').verdict.text",
    "import kerasunroll; kerasunroll.Comparison.load(r'{folder}/run').table['step_ratio']",
    "import kerasunroll; kerasunroll.Comparison.load(r'{folder}/run')._repr_html_()",
    "import kerasunroll; kerasunroll.open_source('digits').x_train",
    "from kerasunroll.models import StackConfig; StackConfig(cell='lstm', input_shape=(4, 1))",
    "import kerasunroll.callbacks.sinks, kerasunroll.inspection, kerasunroll.models, kerasunroll.callbacks",
)
DRIVER = """
import contextlib, io, json, sys, traceback

def ending(program):
    said, status, kinds = io.StringIO(), 0, []
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        try:
            exec(program, {})
        except SystemExit as end:
            status = end.code or 0
        except BaseException as error:
            status, kinds = 'raised', [kind.__name__ for kind in type(error).__mro__]
            said.write(str(error))
    return {'status': status, 'said': said.getvalue(), 'kinds': kinds}

programs = json.load(sys.stdin)
found = [ending(program) for program in programs]
heavy = sorted({'tensorflow', 'keras', 'jax', 'torch'} & set(sys.modules))
print(json.dumps({'found': found, 'heavy': heavy}))
"""


def hides_tensorflow(folder: Path) -> dict[str, str]:
    place = folder / "without"
    place.mkdir()
    (place / "sitecustomize.py").write_text(HIDDEN)
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(place), os.environ.get("PYTHONPATH"))))}


def says_so_in_a_variable(folder: Path) -> dict[str, str]:
    return {"KERAS_BACKEND": "jax"}


def says_so_in_a_file(folder: Path) -> dict[str, str]:
    home = folder / "keras"
    home.mkdir()
    (home / "keras.json").write_text(json.dumps({"backend": "torch", "floatx": "float32"}))
    return {"KERAS_HOME": str(home), "KERAS_BACKEND": ""}


WAY_OUT = (
    'run KERAS_BACKEND=tensorflow kerasunroll ..., or in Python set os.environ["KERAS_BACKEND"] = "tensorflow" before'
)
PLACES = {
    "jax in the environment": (says_so_in_a_variable, "KERAS_BACKEND=jax is set", WAY_OUT),
    "torch in keras.json": (says_so_in_a_file, "keras.json' says torch", WAY_OUT),
    "no TensorFlow": (hides_tensorflow, "not installed", "pip install 'kerasunroll[tensorflow]'"),
}


@pytest.fixture(params=PLACES)
def place(request, tmp_path):
    """An environment, and what is said in it: why, and the way out."""
    variables, reason, way_out = PLACES[request.param]
    return {**os.environ, "KERASUNROLL_CACHE": str(tmp_path / "cache"), **variables(tmp_path)}, reason, way_out


def run(programs, variables, folder: Path):
    whole = [program.replace("{folder}", str(folder)) for program in programs]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER], input=json.dumps(whole), env=variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    return dict(zip(programs, answer["found"], strict=True)), answer["heavy"]


def as_program(command: str) -> str:
    return f"from kerasunroll.cli import main; main({command.split()!r})"


def test_a_command_that_needs_it_says_so_and_leaves_nothing(place, tmp_path):
    variables, reason, way_out = place
    found, heavy = run([as_program(command) for command in NEEDY_COMMANDS], variables, tmp_path)
    for program, ending in found.items():
        (sentence,) = ending["said"].splitlines()
        assert ending["status"] == 2, program
        assert sentence.startswith("kerasunroll: "), program
        assert reason in sentence, program
        assert way_out in sentence, program
    assert heavy == [], "the sentence came before seconds of imports"
    assert not any((tmp_path / name).exists() for name in ("logs", "cache", "full.keras", "drawn.svg"))


def test_what_is_imported_and_needs_it_says_so(place, tmp_path):
    variables, reason, way_out = place
    found, heavy = run(NEEDY_PROGRAMS, variables, tmp_path)
    for program, ending in found.items():
        assert "BackendError" in ending["kinds"], (program, ending)
        assert {"InputError", "ImportError"} <= set(ending["kinds"])
        assert reason in ending["said"], program
        assert way_out in ending["said"], program
        assert "\n" not in ending["said"]
    assert heavy == []


def test_what_does_not_need_it_works(place, tmp_path):
    variables, *_ = place
    write_run(tmp_path / "run", settings=("loop", "full"))
    programs = [*map(as_program, COMMANDS), *PROGRAMS]
    found, heavy = run(programs, variables, tmp_path)
    for program, ending in found.items():
        assert (ending["status"], ending["said"]) == (0, ""), program
    assert heavy == []
    for name in ("page.html", "page.md", "diff.md", "unfolded.svg"):
        assert (tmp_path / name).stat().st_size > 0


def test_the_command_itself_ends_without_a_traceback(tmp_path):
    program = "from kerasunroll.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "train", "--logdir", str(tmp_path / "logs")],
        env={**os.environ, **hides_tensorflow(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "pip install 'kerasunroll[tensorflow]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_worker_says_so_in_its_record(place, tmp_path):
    variables, reason, _ = place
    for name in ("timing_worker", "memory_worker", "training_worker"):
        module = f"kerasunroll.measurement.stages.{name}"
        with Worker({}, module=module, log_path=tmp_path / "log", env=variables) as worker:
            with pytest.raises(WorkerError) as caught:
                worker.receive()
            assert caught.value.phase == "import"
            assert caught.value.cause.startswith("BackendError: A worker needs ")
            assert reason in caught.value.cause


def test_batches_of_a_source_need_tensorflow(tmp_path):
    programs = [f"import kerasunroll; kerasunroll.open_source('digits').{name}(8)" for name in ("train", "validation")]
    found, _ = run(programs, {**os.environ, **hides_tensorflow(tmp_path)}, tmp_path)
    for ending in found.values():
        assert "pip install 'kerasunroll[tensorflow]'" in ending["said"]
        assert "BackendError" in ending["kinds"]


IMPORTS_KERAS = """
try:
    import keras
    print(keras.config.backend())
except ModuleNotFoundError as error:
    print(error.name)
"""
"""Keras imports its backend at once: where that is not installed, the error names it."""


@pytest.mark.parametrize(
    ("variable", "file", "taken"),
    [("jax", None, "jax"), ("jax", "torch", "jax"), ("", "torch", "torch"), (None, "jax", "jax")],
)
def test_the_backend_is_the_one_that_keras_takes(variable, file, taken, tmp_path):
    if file:
        (tmp_path / "keras.json").write_text(json.dumps({"backend": file}))
    variables = {**os.environ, "KERAS_HOME": str(tmp_path), "KERAS_BACKEND": variable}
    variables = {name: value for name, value in variables.items() if value is not None}
    program = "from kerasunroll.backend import _backend\nprint(_backend()[0])" + IMPORTS_KERAS
    done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [taken, taken]


@pytest.mark.parametrize("content", ["{", "[]", '{"epsilon": 1e-7}', None])
def test_a_file_that_does_not_say_is_no_reason(content, tmp_path, monkeypatch):
    if content:
        (tmp_path / "keras.json").write_text(content)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    require_backend("This test")


def test_keras_that_was_imported_counts_more_than_what_is_set(monkeypatch):
    keras = types.SimpleNamespace(config=types.SimpleNamespace(backend=lambda: "tensorflow"))
    monkeypatch.setitem(sys.modules, "keras", keras)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    require_backend("This test")
    keras.config.backend = lambda: "jax"
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    with pytest.raises(BackendError, match=r"^This test needs .*: run KERAS_BACKEND=tensorflow .*import of keras\.$"):
        require_backend("This test")


@pytest.mark.parametrize(
    ("installed", "complaint"),
    [
        ({"tensorflow": "2.21.0", "keras": "3.15.1"}, None),
        ({"tf-nightly": "2.22.0.dev20261026", "keras-nightly": "3.16.0.dev2026102704"}, None),
        ({"tensorflow-cpu": "2.9.1", "keras": "3.15.1"}, "tensorflow 2.18 or later, but 2.9.1 is installed"),
        ({"tensorflow": "2.21.0", "keras": "3.5.0"}, "keras 3.8 or later, but 3.5.0 is installed"),
        ({}, None),  # one that was built by hand
    ],
)
def test_what_is_too_old_is_refused(installed, complaint, monkeypatch):
    def version(name):
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    asked = ["numpy>=2", 'keras<4,>=3.8; extra == "tensorflow"', 'tensorflow<3,>=2.18; extra == "tensorflow"']
    monkeypatch.setattr(backend, "version", version)
    monkeypatch.setattr(backend, "requires", {"kerasunroll": asked}.get)
    if complaint is None:
        backend.require_tensorflow("This test")
    else:
        with pytest.raises(BackendError, match=f"^This test needs {complaint}: pip install "):
            backend.require_tensorflow("This test")


def test_it_can_be_caught_as_an_input_error_and_as_an_import_error(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    for kind in (InputError, ImportError):
        with pytest.raises(kind):
            require_backend("This test")


def test_tensorflow_is_here():
    assert find_spec("tensorflow"), "or the tests above would say nothing"
