"""`kerasunroll advise` on a machine that has been measured: in an instant, and without TensorFlow."""

import os
import shlex
import subprocess
import sys

import pytest

from kerasunroll.advice import calibration as module
from kerasunroll.advice.calibration import Calibration
from kerasunroll.advice.reference import reference
from kerasunroll.cli import main
from kerasunroll.measurement.records.environment import environment

SHAPES = ("--timesteps", "100", "--features", "3")


@pytest.fixture(autouse=True)
def known_machine(tmp_path, monkeypatch):
    """A cache in which this machine stands, as fast as the reference one."""
    monkeypatch.setenv("KERASUNROLL_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "140")
    machine = Calibration(environment=environment(), reference=reference().version, factors={}, start_bytes=600_000_000)
    (tmp_path / "advice.json").write_text(f"[{machine.model_dump_json()}]")


def advise(capsys, *arguments: str) -> tuple[int, str]:
    """Run the command; return its exit status, and what it printed or what went wrong."""
    with pytest.raises(SystemExit) as end:
        main(["advise", *arguments])
    printed = capsys.readouterr()
    return end.value.code or 0, printed.out + printed.err


def test_shapes_alone(capsys):
    status, output = advise(capsys, *SHAPES, "--training-steps", "3000", "--cell", "gru", "--units", "32")
    assert status == 0, output
    assert "Predicted: gru of 32 units on 3 features; T=100, batches of 32" in output
    assert "3,000 training steps" in output
    assert "Take " in output
    for setting in ("loop", "full", "k4", "k8", "own-loop"):
        assert f"│ {setting} " in output


def test_a_source_says_its_shapes_and_how_many_training_steps_there_are(capsys):
    """digits has 1437 sequences to train on, of 64 time steps."""
    status, output = advise(capsys, "--epochs", "2", "--batch-size", "100")
    assert status == 0, output
    assert "lstm of 64 units on 1 feature, lstm of 64 units; T=64, batches of 100" in output
    assert "28 training steps" in output


def test_the_command_that_measures_can_be_pasted(capsys):
    _, output = advise(capsys, *SHAPES, "--units", "16", "--layers", "2", "--unroll", "loop", "--unroll", "full")
    command = output.partition("To measure it: ")[2].replace("\n", " ")
    words = shlex.split(command)
    assert words[:3] == ["kerasunroll", "compare", "--no-train"]
    with pytest.raises(SystemExit) as end:
        main([*words[1:], "--dry-run"])
    assert not end.value.code
    assert "lstm-L2-U16-T100" in capsys.readouterr().out


def test_only_the_settings_that_were_asked_for(capsys):
    _, output = advise(capsys, *SHAPES, "--unroll", "own-loop")
    assert "│ own-loop " in output
    assert "│ full " not in output


def test_it_takes_no_tensorflow():
    program = (
        "import sys, contextlib\nfrom kerasunroll.cli import main\n"
        "with contextlib.suppress(SystemExit):\n    main(['advise', '--timesteps', '9', '--features', '1'])\n"
        "print('loaded:', sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert "Take " in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_where_nothing_can_be_kept_it_says_so(capsys, monkeypatch, tmp_path):
    (known,) = module._read(tmp_path / "advice.json")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERASUNROLL_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(module, "measure_machine", lambda *_: known)
    status, output = advise(capsys, *SHAPES)
    assert status == 0
    assert "cannot be kept, so that the next advice will measure again" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--features", "3"), "give --timesteps"),
        ((*SHAPES, "--source", "adding"), "--source cannot be given with it"),
        ((*SHAPES, "--unroll", "auto"), "'auto' tries settings by itself"),
        ((*SHAPES, "--unroll", "fast"), "expected loop, full"),
        ((*SHAPES, "--memory-limit", "much"), "Invalid --memory-limit"),
        ((*SHAPES, "--units", "a"), "Invalid units"),
        ((*SHAPES, "--units", "4,4", "--layers", "2"), "With --layers, units are for one layer"),
        (("--training-steps", "9", "--epochs", "2"), "give one of them"),
        (("--source", "nowhere"), "Unknown data source"),
        (("--batch-size", "100000"), "is more than the 1,437 training sequences"),
        (("--model", "missing.keras"), "missing.keras"),
        (("--custom-objects", "a:b"), "--custom-objects is for --model"),
    ],
)
def test_bad_input_is_told_in_one_message(capsys, arguments, message):
    status, output = advise(capsys, *arguments)
    assert status == 2
    assert message in output
    assert "Traceback" not in output
