"""scripts/findings.py: pages from runs."""

import importlib.util
import re
import sys

import pytest
from pages import DOCS, ROOT

sys.path.insert(0, str(ROOT / "tests" / "report"))
from fixed_run import write_run


@pytest.fixture(scope="module")
def findings():
    spec = importlib.util.spec_from_file_location("findings", ROOT / "scripts" / "findings.py")
    module = sys.modules["findings"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["findings"]


@pytest.fixture
def studies(findings, tmp_path):
    """The three studies, as if they had been run."""
    lengths = {"settings": (64,), "length": (16, 32, 64), "layers": (16,)}
    for study in findings.STUDIES:
        folder = findings.run_folder(study, tmp_path)
        write_run(folder, timesteps=lengths[study.name], settings=("loop", "full"))
        (tmp_path / study.name / findings.COMMAND_FILE).write_text(study.command, encoding="utf-8")
    return {study.name: findings.load(study, tmp_path) for study in findings.STUDIES}


def test_the_page_has_verdicts_figures_and_pictures_of_each_study(findings, studies, tmp_path):
    page = findings.findings_page(list(studies.values()), tmp_path)
    assert page.count("Take the loop.") == 5  # a verdict for each length
    assert "| `lstm-L2-U64-T64` | `full` | 10.6 s | 1.28 ms |" in page  # 0.228 + 5.92 + 4.44 s; 64 × 20 µs
    pictures = set(re.findall(r"\]\(images/[^/]+/(.+?)\)", page))
    assert {"lstm-L2-U64-T64-gradient_through_time.png", "lstm-L2-U64-T64-time_in_all.png"} < pictures
    assert pictures == {path.name for path in tmp_path.glob("*.png")}


def test_tables_are_written_between_their_marks_and_nowhere_else(findings, studies):
    page = "Before.\n\n<!-- table: break-even -->\nold\n<!-- end -->\n\nAfter.\n"
    filled = findings.fill(page, studies)
    assert filled.startswith("Before.\n\n<!-- table: break-even -->\n| network |")
    assert filled.endswith("<!-- end -->\n\nAfter.\n")
    assert "old" not in filled
    assert f"Measured by `{studies['settings'].command}`." in filled
    assert findings.fill(filled, studies) == filled


def test_every_mark_of_the_concepts_has_its_table(findings):
    concepts = (DOCS / "concepts.md").read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- table: ([\w-]+) -->", concepts)) == set(findings.TABLES)
