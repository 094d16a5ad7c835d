"""The command line, run as a user runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from kerasunroll import __version__
from kerasunroll.measurement.records import store
from kerasunroll.measurement.records.record import Outcome

COMMAND = [sys.executable, "-c", "from kerasunroll.cli import main; main()"]
TINY = [
    *("--source", "adding", "--timesteps", "6", "--examples", "80"),
    *("--units", "4,3", "--epochs", "2", "--batch-size", "8"),
]


QUICK = ["--processes", "1"]


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"COLUMNS": "120"}
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, env=env, **options)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    """One tiny comparison of two cells in two settings, and one setting per layer."""
    logdir = tmp_path_factory.mktemp("logs")
    cells = ["--cell", "lstm", "--cell", "simple_rnn"]
    settings = ["--unroll", "loop", "--unroll", "full", "--max-rounds", "10", "--processes", "2"]
    done = run("compare", *TINY, *cells, *settings, "--logdir", str(logdir))
    assert done.returncode == 0, done.stdout + done.stderr
    return logdir / "compare", done.stdout


def test_the_table_shows_every_variant(comparison):
    _, output = comparison
    for words in ("adding: 64 training and 16 validation sequences", "lstm-L2-U4-3-T6-B8", "simple_rnn-L2-U4-3-T6-B8"):
        assert words in output
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if "│" in line]
    table = {(line[0], number): line[1:] for number, line in enumerate(lines)}
    paths = [values for (name, _), values in table.items() if name == "path"]
    assert paths == [["while", "unrolled"]] * 2
    of_a_training_step = ("graph nodes, training step", "tensor peak, training step", "training step")
    for name in ("parameters", "final loss", "trace", *of_a_training_step):
        rows = [values for (line, _), values in table.items() if line == name]
        assert len(rows) == 2, name
        assert "–" not in rows[0] + rows[1], name
        if name in ("parameters", "final loss"):
            assert all(loop == full for loop, full in rows), name


def test_it_says_where_the_results_are(comparison):
    folder, output = comparison
    lines = output.splitlines()
    assert str(folder / "results.json") in lines
    assert lines[-1] == f"To look inside: tensorboard --logdir {folder}"


def test_a_setting_changes_no_parameter(comparison):
    """By hand, for units 4 and 3 on 2 features: kernel, recurrent kernel and bias of each layer, and the head."""
    folder, _ = comparison
    simple_rnn = (2 * 4 + 4 * 4 + 4) + (4 * 3 + 3 * 3 + 3)
    expected = {"lstm": 4 * simple_rnn + 3 + 1, "simple_rnn": simple_rnn + 3 + 1}
    for each in json.loads((folder / "results.json").read_text())["variants"]:
        assert each["figures"]["parameters"] == expected[each["group"].split("-")[0]]


def test_results_agree_between_the_settings(comparison):
    folder, _ = comparison
    variants = json.loads((folder / "results.json").read_text())["variants"]
    assert [(each["group"].split("-")[0], each["setting"]) for each in variants] == [
        ("lstm", "loop"),
        ("lstm", "full"),
        ("simple_rnn", "loop"),
        ("simple_rnn", "full"),
    ]
    for loop, full in (variants[:2], variants[2:]):
        assert full["figures"]["final_loss"] == pytest.approx(loop["figures"]["final_loss"], rel=1e-4)
        assert full["figures"]["largest_difference_before"] < 1e-6
        assert full["figures"]["largest_difference_after"] < 1e-3
        assert full["against_loop"]["verdict"] in ("faster", "slower", "no difference")
        assert loop["problems"] == full["problems"] == []


def test_every_variant_has_its_runs_and_its_model(comparison):
    import keras

    folder, _ = comparison
    for stack in ("lstm-L2-U4-3-T6-B8", "simple_rnn-L2-U4-3-T6-B8"):
        assert (folder / stack / "gradients_through_time.png").read_bytes().startswith(b"\x89PNG")
        for setting, unroll in (("loop", False), ("full", True)):
            run_folder = folder / stack / setting
            for name in ("train", "validation"):
                assert list((run_folder / name).glob("events*")), f"{run_folder / name} is empty"
            model = keras.models.load_model(run_folder / "model.keras")
            assert [layer.unroll for layer in model.layers if hasattr(layer, "unroll")] == [unroll] * 2
            assert json.loads((run_folder / "run.json").read_text())["outcome"] == "done"


def test_what_was_measured_is_logged_with_the_run(comparison, events):
    folder, _ = comparison
    logged = events(folder / "lstm-L2-U4-3-T6-B8" / "full" / "train")
    (variant,) = [
        each
        for each in json.loads((folder / "results.json").read_text())["variants"]
        if each["group"] == "lstm-L2-U4-3-T6-B8" and each["setting"] == "full"
    ]
    measured = variant["figures"]["step_seconds"]
    assert logged.scalars("time/step_seconds") == {0: pytest.approx(measured)}
    assert {"gradient_norm/global", "memory/tensor_peak_bytes", "gradient_through_time/lstm_1"} <= logged.tags


def test_a_second_comparison_leaves_the_first_alone(comparison):
    """Here one in which every worker fails, which takes no time."""
    folder, _ = comparison
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    done = run("compare", *TINY, *QUICK, "--cell", "lstm", "--time-limit", "1", "--logdir", str(folder.parent))
    assert done.returncode == 1
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    second = json.loads((folder.parent / "compare-2" / "results.json").read_text())["variants"]
    assert [(each["path"], len(each["problems"])) for each in second] == [(None, 2), (None, 2)]
    assert done.stdout.count(": timeout in phase") >= 4
    assert "Traceback" not in done.stderr
    assert {record.outcome for record in store.load(folder.parent / "compare-2" / "records").records} == {
        Outcome.TIMEOUT
    }


def test_records_can_be_loaded(comparison):
    folder, _ = comparison
    contents = store.load(folder / "records")
    assert contents.damaged == ()
    assert len(contents.records) == 8
    assert {record.outcome for record in contents.records} == {Outcome.DONE}


def test_train_saves_the_model_and_the_run(tmp_path):
    logdir = tmp_path / ("a_long_name" * 12)  # longer than a line, and yet told in one
    done = run("train", *TINY, "--cell", "gru", "--unroll", "loop,full", "--logdir", str(logdir))
    assert done.returncode == 0, done.stderr
    folder = logdir / "gru-L2-U4-3-T6-B8" / "loop,full"
    assert (folder / "model.keras").is_file()
    record = json.loads((folder / "run.json").read_text())
    assert record["configuration"]["source"] == "adding"
    assert record["figures"]["final_loss"] > 0
    assert f"val_loss {record['figures']['final_val_loss']:.4f}" in done.stdout
    assert {f"Model: {folder / 'model.keras'}", f"Run: {folder / 'run.json'}"} <= set(done.stdout.splitlines())


def test_a_training_that_fails_is_told_and_recorded(tmp_path):
    """Twice, to see that the second has a folder of its own; and a bracket in a name is no markup."""
    text = tmp_path / "a [bold] name.txt"
    text.write_text("to be or not to be, that is the question. " * 20)
    options = ["--source", f"text:{text}", "--timesteps", "7", "--units", "5"]
    for name in ("loop", "loop-2"):
        done = run("train", *options, "--time-limit", "1", "--logdir", str(tmp_path))
        assert done.returncode == 1
        assert done.stdout.startswith(f"text:{text.name}: 84 training and 21 validation sequences, T=7, ")
        assert done.stderr.startswith("kerasunroll: Training ended in its ")
        assert "(timeout): it took longer than its limit of 1.00 s" in done.stderr
        (folder,) = tmp_path.glob(f"lstm-L1-U5-T7-*/{name}")
        assert json.loads((folder / "run.json").read_text())["outcome"] == "timeout"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "nonsense"], "Unknown data source 'nonsense'. Known sources: digits"),
        (["--source", "csv:/not/there.csv"], "/not/there.csv"),
        (["--unroll", "quick"], "expected loop, full, or k8"),
        (["--unroll", "loop,full,loop"], "each of the 2 layers, got 3"),
        (["--units", "big"], "Invalid units: expected integers such as 64,64, got 'big'"),
        (["--units", "0"], "Invalid units"),
        (["--batch-size", "5000"], "batch_size=5,000 is more than the 1,437 training sequences"),
        (["--timesteps", "7"], "7"),
        (["--optimizer", "best"], "Invalid optimizer"),
        (["--dtype", "float12"], "Invalid dtype"),
        (["--dropout", "1.5"], "Invalid dropout"),
        (["--cell", "transformer"], "transformer"),
        (["--epochs", "0"], "0"),
    ],
)
@pytest.mark.parametrize("command", ["train", "compare"])
def test_bad_input_ends_with_status_2_and_leaves_nothing_behind(tmp_path, capsys, command, arguments, message):
    from kerasunroll.cli import main

    with pytest.raises(SystemExit) as ended:
        main([command, *arguments, "--logdir", str(tmp_path / "logs")])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert not (tmp_path / "logs").exists()


def test_a_logdir_that_is_a_file_is_refused(tmp_path, capsys):
    from kerasunroll.cli import main

    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as ended:
        main(["compare", "--timesteps", "4", "--logdir", str(tmp_path / "file")])
    assert ended.value.code == 2
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_one_variant_that_fails_leaves_the_others_their_results(tmp_path, capsys, monkeypatch):
    from kerasunroll.cli import main
    from kerasunroll.measurement.workers.worker import Limits, Worker

    def impatient(job, **options):
        config = job.get("config", job)
        return Worker(job, **options | ({"limits": Limits(seconds=0.2)} if config["stack"]["unroll"] else {}))

    for stage in ("timing", "side_by_side"):
        monkeypatch.setattr(f"kerasunroll.measurement.stages.{stage}.Worker", impatient)
    with pytest.raises(SystemExit) as ended:
        main(["compare", *TINY, *QUICK, "--cell", "simple_rnn", "--logdir", str(tmp_path)])
    assert ended.value.code == 1
    output = capsys.readouterr().out
    for what in ("timing", "training"):
        assert f"simple_rnn-L2-U4-3-T6-B8 full: {what}: timeout in phase " in output
    loop, full = json.loads((tmp_path / "compare" / "results.json").read_text())["variants"]
    assert (loop["path"], full["path"]) == ("while", None)
    assert {"step_seconds", "final_loss"} <= loop["figures"].keys()
    assert {"step_seconds", "final_loss", "largest_difference_after"}.isdisjoint(full["figures"])
    assert (tmp_path / "compare" / "simple_rnn-L2-U4-3-T6-B8" / "loop" / "model.keras").is_file()


@pytest.mark.parametrize("command", ["compare", "train"])
def test_ctrl_c_ends_everything(tmp_path, command):
    command = [*COMMAND, command, *TINY, "--logdir", str(tmp_path)]
    coordinator = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    children = []
    deadline = time.monotonic() + 60
    while not children and time.monotonic() < deadline:
        children = psutil.Process(coordinator.pid).children(recursive=True)
        time.sleep(0.05)
    time.sleep(1.0)
    coordinator.send_signal(signal.SIGINT)
    _, errors = coordinator.communicate(timeout=60)
    assert coordinator.returncode == 130
    assert errors.startswith("kerasunroll: Interrupted. What was ")
    assert errors.count("\n") == 1
    assert children
    _, alive = psutil.wait_procs(children, timeout=15)
    assert alive == []


def test_version_and_help():
    assert run("--version").stdout.strip() == f"kerasunroll {__version__}"
    text = run("compare", "--help").stdout
    assert "loop, full, k8" in text


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "kerasunroll", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"kerasunroll {__version__}"


def test_the_console_script_is_installed():
    script = Path(sys.executable).with_name("kerasunroll")
    assert subprocess.run([str(script), "--version"], capture_output=True, check=True).stdout
