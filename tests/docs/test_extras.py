"""The extras of the package: the documentation tells of each, and of no other."""

import re
import tomllib

from pages import DOCS, PAGES, ROOT

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def test_the_table_has_all_of_them():
    table = re.findall(r"^\| `(\w+)` \|", (DOCS / "installing.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(table) == sorted(EXTRAS)


def test_every_extra_that_is_named_exists():
    files = [*PAGES, *(ROOT / "kerasunroll").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), ROOT / "Makefile"]
    named = {
        (extra, path.name)
        for path in files
        for found in re.findall(r"install[^\n]*'(?:kerasunroll|\.)\[([\w,]+)\]'", path.read_text(encoding="utf-8"))
        for extra in found.split(",")
    }
    assert {extra for extra, _ in named} >= {"tensorflow", "ray", "onnx"}
    assert [each for each in named if each[0] not in EXTRAS] == []
