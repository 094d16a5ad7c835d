"""The example scripts run as a user would run them."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
TEXT = "a text that repeats itself, " * 40

RUNS = {
    "train_digits.py": ["--timesteps", "4", "--epochs", "1"],
    "train_your_own_model.py": ["--timesteps", "4", "--examples", "80", "--epochs", "1"],
    "next_character.py": ["{text}", "--timesteps", "8", "--epochs", "1"],
    "gradient_pictures.py": ["--timesteps", "6", "--examples", "80", "--epochs", "1", "--images", "{folder}"],
    "unit_pictures.py": ["--timesteps", "6", "--examples", "80", "--epochs", "1", "--images", "{folder}"],
}
PICTURES = {"gradient_pictures.py": 3, "unit_pictures.py": 2}


def test_every_script_is_run_here_and_is_short():
    # See test_findings.py, test_deployment_tables.py and test_unrolling_tab.py.
    elsewhere = ("findings.py", "deployment_tables.py", "tab_pictures.py")
    examples = [path for path in SCRIPTS.glob("*.py") if path.name not in elsewhere]
    assert {path.name for path in examples} == set(RUNS)
    for path in examples:
        assert len(path.read_text().splitlines()) < 60


SLOW = {"gradient_pictures.py"}


@pytest.mark.parametrize(
    "script", [pytest.param(each, marks=pytest.mark.slow if each in SLOW else ()) for each in RUNS]
)
def test_script(tmp_path, script):
    text = tmp_path / "some.txt"
    text.write_text(TEXT)
    options = [option.format(text=text, folder=tmp_path) for option in RUNS[script]]
    command = [sys.executable, str(SCRIPTS / script), *options, "--logdir", str(tmp_path / "logs")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "logs").rglob("events*"))
    assert len(list(tmp_path.glob("*.png"))) == PICTURES.get(script, 0)
