"""The versions that are supported, the table of what was tried, and the tests that are run for it."""

import json
import re
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "version_results"
TABLE = runpy.run_path(str(ROOT / "benchmarks" / "version_table.py"))


def lower_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    found = (re.match(r"([\w-]+)>=([\d.]+)", each) for each in required)
    return {match[1]: match[2] for match in found if match}


def test_every_test_of_the_list_is_there():
    paths = (ROOT / "tests" / "versions.txt").read_text().splitlines()
    assert len(paths) == len(set(paths)) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("package", ["tensorflow", "keras", "numpy", "tensorboard", "pandas"])
def test_a_lower_bound_is_what_was_installed_and_passed(package):
    oldest = json.loads((RESULTS / "oldest.json").read_text())
    bound = lower_bounds()[package].split(".")
    assert oldest["versions"][package].split(".")[: len(bound)] == bound
    assert oldest["failed"] == []
    assert oldest["passed"] > 100


def test_the_page_has_the_table_of_the_results():
    page = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    assert "\n".join(TABLE["table"]()) in page


def test_a_failed_test_is_named_below_the_table(monkeypatch):
    result = {"date": "2026-12-01", "passed": 3, "skipped": 1, "failed": ["tests.a::test_b"], "seconds": 1.0}
    versions = {"python": "3.11.2", "tensorflow": "2.18.0", "keras": "3.8.0", "numpy": "1.26.0"}
    tried = TABLE["Result"](versions=versions, **result)
    names = TABLE["table"].__globals__
    monkeypatch.setitem(names, "_result", lambda combination: tried if combination.name == "oldest" else None)
    lines = list(TABLE["table"]())
    assert "| oldest | 3.11.2 | 2.18.0 | 3.8.0 | 1.26.0 | 2026-12-01 | 3 | 1 | 1 |" in lines
    assert "| newest | – | – | – | – | not run | – | – | – |" in lines
    assert lines[-1] == "Failed with oldest: `tests.a::test_b`."
