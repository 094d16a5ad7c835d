"""The script that writes the tables of docs/deployment.md, and that the page has them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CELLS, TIMESTEPS = ("lstm", "gru", "simple_rnn"), (8, 32, 128)


def test_the_page_has_a_line_for_every_cell_and_length():
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    for cell in CELLS:
        for timesteps in TIMESTEPS:
            assert f"| {cell} | {timesteps} | full fixed | yes |" in page
            assert f"| {cell} | {timesteps} | loop dynamic | failed |" in page


def test_the_page_is_what_its_kept_records_give():
    command = [sys.executable, str(ROOT / "scripts" / "deployment_tables.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_script_makes_a_table(tmp_path):
    script = ROOT / "scripts" / "deployment_tables.py"
    done = subprocess.run(
        [sys.executable, script, "--run", "--quick"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
    )
    assert done.returncode == 0, done.stderr
    assert "| lstm | 8 | full fixed float16 | yes |" in done.stdout
    assert "| Bidirectional(LSTM) | fixed: yes; dynamic: failed" in done.stdout
    assert "| full fixed |" in done.stdout.partition("| shipped as |")[2]
    again = subprocess.run(
        [sys.executable, script, "--quick"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=280
    )
    assert done.stdout.endswith(again.stdout)  # from what was kept
