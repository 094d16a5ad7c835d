"""Wheel and sdist, built and checked; and the wheel in an environment of its own, where there is no TensorFlow."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from zipfile import Path as ZipPath
from zipfile import ZipFile

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
from fixed_run import write_run

pytestmark = [pytest.mark.package, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BACKENDS = ("tensorflow", "tf_nightly", "keras", "jax", "torch")
# The checkout must not be found where the package is looked for.
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KERAS"))}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(built) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def sdist(built) -> Path:
    (found,) = built.glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The folder of the programs of an environment that has the wheel, and what it requires."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    return folder / "bin"


def run(*words, status: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(list(map(str, words)), env=CLEAN, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == status, f"{words}: {done.stdout}{done.stderr}"
    return done


def of_the_package() -> set[str]:
    """Return all files of the package in the checkout, by their places in a wheel."""
    files = (path for path in (ROOT / "kerasunroll").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in files}


def test_both_are_sound(wheel, sdist):
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)


def test_the_wheel_has_the_whole_package_and_nothing_else(wheel):
    names = set(ZipFile(wheel).namelist())
    assert {name for name in names if ".dist-info/" not in name} == of_the_package()
    assert {"kerasunroll/py.typed", "kerasunroll/report/page/templates/report.html.j2"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_sdist_has_what_the_package_is_made_and_tested_with(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"pyproject.toml", "Makefile", "README.md", "CHANGELOG.md", "mkdocs.yml", "docs/installing.md"}
    assert of_the_package() | needed | {f"tests/package/{Path(__file__).name}"} <= names


def test_the_core_asks_for_no_tensorflow_and_says_where_it_comes_from(wheel):
    (info,) = (each for each in ZipPath(wheel).iterdir() if each.name.endswith(".dist-info"))
    facts: Distribution = PathDistribution(info)  # type: ignore[arg-type]
    core = [each for each in facts.requires or () if "extra ==" not in each]
    assert core
    assert [each for each in core if normalised(each).startswith(BACKENDS)] == []
    assert any(normalised(each).startswith("tensorflow") for each in facts.requires or () if "'tensorflow'" in each)
    assert set(facts.metadata.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    urls = dict(each.split(", ") for each in facts.metadata.get_all("Project-URL"))
    assert urls.keys() == {"Homepage", "Documentation", "Issues", "Changelog"}
    assert all(url.startswith("https://") for url in urls.values())


def test_no_tensorflow_comes_along(installed):
    listed = run(installed / "python", "-m", "pip", "list", "--format=freeze").stdout.splitlines()
    assert f"kerasunroll=={PROJECT['version']}" in listed
    assert [each for each in map(normalised, listed) if each.startswith(BACKENDS) and "kerasunroll" not in each] == []
    run(installed / "python", "-m", "pip", "check")


def test_the_command_says_what_it_is(installed, tmp_path):
    said = run(installed / "kerasunroll", "--version", cwd=tmp_path).stdout
    assert said == f"kerasunroll {PROJECT['version']}\n"
    assert "compare" in run(installed / "kerasunroll", "--help", cwd=tmp_path).stdout


def test_what_was_measured_elsewhere_is_judged(installed, tmp_path):
    write_run(tmp_path / "old", settings=("loop", "full"))
    write_run(tmp_path / "new", settings=("loop", "full"))
    assert "Take the loop." in run(installed / "kerasunroll", "report", "old", cwd=tmp_path).stdout
    assert "<svg" in (tmp_path / "old" / "report.html").read_text(encoding="utf-8")
    run(installed / "kerasunroll", "diff", "old", "new", "--markdown", "diff.md", cwd=tmp_path)
    assert (tmp_path / "diff.md").stat().st_size > 0
    program = "import kerasunroll; print(kerasunroll.Comparison.load('old').verdict.take)"
    assert run(installed / "python", "-c", program, cwd=tmp_path).stdout == "loop\n"


def test_a_grid_is_planned(installed, tmp_path):
    assert "lstm-L2-U64-T64" in run(installed / "kerasunroll", "compare", "--dry-run", cwd=tmp_path).stdout


def test_what_trains_says_what_is_missing(installed, tmp_path):
    (sentence,) = run(installed / "kerasunroll", "compare", status=2, cwd=tmp_path).stderr.splitlines()
    assert sentence.startswith("kerasunroll: compare needs TensorFlow, which is not installed: ")
    assert "pip install 'kerasunroll[tensorflow]'" in sentence
    assert list(tmp_path.iterdir()) == []
    done = run(installed / "python", "-c", "from kerasunroll.layers import LSTM", status=1, cwd=tmp_path)
    assert "BackendError: kerasunroll.layers needs TensorFlow" in done.stderr.splitlines()[-1]


def test_a_tensorflow_that_is_too_old_is_refused(installed, tmp_path):
    """pip does not refuse it: the core asks for none."""
    module, facts = tmp_path / "old" / "tensorflow", tmp_path / "old" / "tensorflow_cpu-2.10.0.dist-info"
    module.mkdir(parents=True)
    facts.mkdir()
    (module / "__init__.py").write_text("raise SystemExit('imported')")
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: tensorflow-cpu\nVersion: 2.10.0\n")
    program = f"import sys; sys.path.append({str(tmp_path / 'old')!r}); import kerasunroll.layers"
    done = run(installed / "python", "-c", program, status=1, cwd=tmp_path)
    (lowest,) = re.findall(r"'tensorflow>=([\d.]+)", str(PROJECT["optional-dependencies"]["tensorflow"]))
    assert f"needs tensorflow {lowest} or later, but 2.10.0 is installed" in done.stderr.splitlines()[-1]


def normalised(requirement: str) -> str:
    return re.sub(r"[-.]", "_", requirement.lower())
