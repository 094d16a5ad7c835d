"""Which versions of TensorFlow, Keras, NumPy and Python kerasunroll was tried with: the tests of tests/versions.txt.

    python benchmarks/version_table.py [--only oldest newest] [--again] [--venvs /tmp/kerasunroll-versions]

Makes an environment for each combination, runs the tests in it and keeps the result in benchmarks/version_results/, one
file per combination; one that is there is not run again without --again. In the end the table in docs/compatibility.md
is written from all results, also with --only. A combination takes 5 to 10 minutes on two quiet cores.
"""

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "compatibility.md"
RESULTS: Final = ROOT / "benchmarks" / "version_results"
TESTS: Final = "@tests/versions.txt"
BEGIN, END = "<!-- table versions -->", "<!-- end of table versions -->"
SHOWN: Final = ("python", "tensorflow", "keras", "numpy")


@dataclass(frozen=True)
class Combination:
    """Versions that are tried together.

    Args:
        name: String. Of the environment and of the file of the result.
        pins: List of requirements beside kerasunroll's own; the rest is at its newest.
        python: String.
        lowest: Boolean. Whether every direct dependency is at its lowest version.
        nightly: Boolean. Whether Keras is exchanged for its development version.
        allowed: String or `None`. How a warning of Keras's own begins that is no failure.
    """

    name: str
    pins: tuple[str, ...] = ()
    python: str = "3.11"
    lowest: bool = False
    nightly: bool = False
    allowed: str | None = None


COMBINATIONS: Final = (
    Combination("oldest", lowest=True),
    Combination("tf2.18-keras3.9", ("tensorflow~=2.18.0", "keras~=3.9.0")),
    # Keras 3.10 warns whenever a model of one input is called that was made from its config, as every loaded one is.
    Combination(
        "tf2.19-keras3.10",
        ("tensorflow~=2.19.0", "keras~=3.10.0"),
        allowed="The structure of `inputs` doesn't match the expected structure.",
    ),
    Combination("tf2.20-keras3.11-python3.13", ("tensorflow~=2.20.0", "keras~=3.11.0"), python="3.13"),
    # pyproject.toml lets this one pass where Keras is its origin; `pytest.warns` gives it on as if a test were.
    Combination(
        "tf2.20-keras3.12",
        ("tensorflow~=2.20.0", "keras~=3.12.0"),
        allowed="__array__ implementation doesn't accept a copy keyword",
    ),
    Combination("tf2.20-keras3.13-numpy1.26", ("tensorflow~=2.20.0", "keras~=3.13.0", "numpy~=1.26.0")),
    Combination("tf2.21-keras3.14", ("tensorflow~=2.21.0", "keras~=3.14.0")),
    Combination("newest", ("tensorflow~=2.21.0", "keras~=3.15.0")),
    Combination("newest-python3.12", ("tensorflow~=2.21.0", "keras~=3.15.0"), python="3.12"),
    Combination("newest-python3.13", ("tensorflow~=2.21.0", "keras~=3.15.0"), python="3.13"),
    # With its development version Keras warns whenever a mask stops at a recurrent layer.
    Combination("keras-nightly", ("tensorflow~=2.21.0",), nightly=True, allowed="Layer '"),
)


@dataclass(frozen=True)
class Result:
    """What the tests said.

    Args:
        date: String.
        versions: Dict from package to version, as installed.
        passed: Integer.
        skipped: Integer.
        failed: List of the tests that failed.
        seconds: Float.
    """

    date: str
    versions: dict[str, str]
    passed: int
    skipped: int
    failed: list[str]
    seconds: float


def environment(combination: Combination, venvs: Path) -> Path | None:
    """Make the environment of a combination and return its Python, or None where there is no such Python."""
    venv = venvs / combination.name
    python = venv / "bin" / "python"
    made = [_uv(), "venv", "--quiet", "--clear", "--no-python-downloads", "--python", combination.python, venv]
    if subprocess.run(made, check=False).returncode:
        return None
    # TensorBoard before 2.20 needs pkg_resources, which setuptools 82 has no more.
    asked = ["--editable", f"{ROOT}[test]", "setuptools>=80,<82", *combination.pins]
    lowest = ["--resolution", "lowest-direct"] if combination.lowest else []
    _uv_pip("install", python, *lowest, *asked)
    if combination.nightly:
        _uv_pip("uninstall", python, "keras")
        _uv_pip("install", python, "--prerelease", "allow", "keras-nightly")
    return python


def _uv() -> str:
    from uv import find_uv_bin  # not needed for the table alone

    return str(find_uv_bin())


def _uv_pip(command: str, python: Path, *arguments: str) -> None:
    subprocess.run([_uv(), "pip", command, "--quiet", "--python", python, *arguments], check=True)


def tried(combination: Combination, python: Path) -> Result:
    """Run the tests in an environment."""
    allowed = ["-W", f"ignore:{combination.allowed}"] if combination.allowed else []
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        # Other runs of pytest on this machine clear away its usual folder.
        own = ["-p", "no:cacheprovider", f"--junitxml={report}", f"--basetemp={folder}/tests"]
        command = [python, "-m", "pytest", "-q", *own, *allowed, TESTS]
        subprocess.run(command, cwd=ROOT, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)})
        suite = next(ElementTree.parse(report).iter("testsuite"))  # noqa: S314 - pytest wrote it just now
    failed = [f"{case.get('classname')}::{case.get('name')}" for case in suite.iter("testcase") if _failed(case)]
    skipped = int(suite.get("skipped", 0))
    passed = sum(1 for _ in suite.iter("testcase")) - len(failed) - skipped
    return Result(_today(), _versions(python), passed, skipped, failed, round(float(suite.get("time", 0))))


def _failed(case: ElementTree.Element) -> bool:
    return case.find("failure") is not None or case.find("error") is not None


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _versions(python: Path) -> dict[str, str]:
    code = (
        "import json, platform; from importlib.metadata import distributions; "
        "print(json.dumps({'python': platform.python_version()} | "
        "{each.name.lower(): each.version for each in distributions()}))"
    )
    shown = ("python", "tensorflow", "keras", "keras-nightly", "numpy", "pandas", "tensorboard", "protobuf", "h5py")
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return {name: each for name, each in json.loads(done.stdout).items() if name in shown}


def table() -> Iterator[str]:
    """Yield the lines of the table, from all results that are there."""
    yield f"| combination | {' | '.join(SHOWN)} | tried on | passed | failed | skipped |"
    yield "|---" * (len(SHOWN) + 5) + "|"
    for combination in COMBINATIONS:
        result = _result(combination)
        if result is None:
            yield f"| {combination.name} |{' – |' * len(SHOWN)} not run | – | – | – |"
            continue
        versions = result.versions | {"keras": result.versions.get("keras-nightly", result.versions.get("keras", "–"))}
        shown = " | ".join(versions[name] for name in SHOWN)
        counts = f"{result.passed} | {len(result.failed)} | {result.skipped}"
        yield f"| {combination.name} | {shown} | {result.date} | {counts} |"
    for combination in COMBINATIONS:
        result = _result(combination)
        if result is not None and result.failed:
            yield ""
            yield f"Failed with {combination.name}: {', '.join(f'`{each}`' for each in result.failed)}."


def _result(combination: Combination) -> Result | None:
    path = RESULTS / f"{combination.name}.json"
    return Result(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def write_table() -> None:
    """Put the table between its two marks in the page."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(before + "\n".join([BEGIN, "", *table(), "", END]) + after, encoding="utf-8")


def main() -> None:
    """Try what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [combination.name for combination in COMBINATIONS]
    parser.add_argument("--only", nargs="*", choices=names, default=names, help="combinations; none: the table only")
    parser.add_argument("--again", action="store_true", help="try also what has a result")
    parser.add_argument("--venvs", type=Path, default=Path(tempfile.gettempdir()) / "kerasunroll-versions")
    options = parser.parse_args()
    for combination in COMBINATIONS:
        if combination.name not in options.only or (_result(combination) and not options.again):
            continue
        python = environment(combination, options.venvs)
        if python is None:
            print(f"{combination.name}: no Python {combination.python} on this machine")
            continue
        result = tried(combination, python)
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{combination.name}.json"
        path.write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")
        print(f"{combination.name}: {result.passed} passed, {len(result.failed)} failed")
    write_table()


if __name__ == "__main__":
    main()
