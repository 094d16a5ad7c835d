"""A deployment that was really interrupted goes on: what is intact is not made again, what has changed is refused."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest

import kerasunroll
from kerasunroll import Classification
from kerasunroll.cli import main
from kerasunroll.errors import InputError, KerasunrollWarning
from kerasunroll.measurement.records import store
from kerasunroll.models import StackConfig

QUICK = ("--processes", "1", "--max-rounds", "10")
NETWORK = ("--cell", "simple_rnn", "--units", "4", "--timesteps", "4", "--unroll", "loop", "--unroll", "full")


def call(*arguments):
    with pytest.raises(SystemExit) as end:
        main(list(map(str, arguments)))
    return int(end.value.code or 0)


def created(folder):
    """Return when the record came about of each file whose making has ended."""
    return {
        each.variant: each.created
        for each in store.load(folder / "records").records
        if each.session is None and each.outcome.value != "interrupted"
    }


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """The folder of a deployment that Ctrl-C ended once it had made a file, and what it said."""
    logs = tmp_path_factory.mktemp("logs")
    command = [sys.executable, "-c", "from kerasunroll.cli import main; main()", "deploy", *NETWORK, *QUICK]
    command += ["--threads", "1", "--threads", "2", "--target", "litert", "--target", "saved_model", "--logdir", logs]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    folder = logs / "deploy"
    while not list((folder / "records").glob("*fixed*.json")) and run.poll() is None:
        time.sleep(0.05)
    children = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=120)
    _, alive = psutil.wait_procs(children, timeout=15)
    assert (run.returncode, alive) == (130, [])
    return folder, errors


@pytest.fixture
def folder(interrupted, tmp_path):
    return shutil.copytree(interrupted[0], tmp_path / "deploy")


def test_the_command_says_how_to_go_on(interrupted):
    folder, errors = interrupted
    assert (
        f"Interrupted. What was measured so far is kept; go on with: kerasunroll deploy --resume {folder}\n" in errors
    )
    assert "Traceback" not in errors
    missing = kerasunroll.Deployment.load(folder).missing
    assert "full dynamic saved_model: file" in missing
    assert "Not measured to the end: " in repr(kerasunroll.Deployment.load(folder))


def test_it_goes_on_where_it_was_and_a_file_that_was_changed_is_made_again(folder, capsys):
    before = created(folder)
    files = [path for path in (folder / "files").glob("*.tflite") if path.with_name(f"{path.name}.sha256").exists()]
    assert files
    content = files[0].read_bytes()
    files[0].write_bytes(content + b"more")
    assert call("deploy", "--resume", folder, *QUICK) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"'{files[0].name}' is not as it was made. It is made again." in said
    after, changed = created(folder), files[0].stem.replace("-", " ")
    assert after[changed] > before[changed]
    assert {name for name in before if after[name] != before[name]} == {changed}
    deployment = kerasunroll.Deployment.load(folder)
    assert deployment.missing == []
    assert files[0].stat().st_size <= len(content) + 100
    timed = [row for row in deployment.rows if row.is_made]
    assert {row.contender.threads for row in timed} == {1, 2}
    assert len({row.record.session for row in timed}) == 1  # in turns with each other
    assert all(row.figure("inference_seconds") > 0 for row in timed)
    assert sum(row.name.startswith("loop dynamic") and not row.is_made for row in deployment.rows) == 1
    again = kerasunroll.deploy(resume=deployment, flash_limit="10B", progress=False)  # nothing is left to be done
    assert [row.record.created for row in again.rows] == [row.record.created for row in deployment.rows]
    assert "the limit is 10 Bytes" in again.verdict.text


def test_in_python_what_was_timed_in_part_is_timed_again_as_a_whole(tmp_path):
    stack = StackConfig(cell="simple_rnn", input_shape=(4, 1), units=(4,), head=Classification(3), unroll=True)
    folder, over = tmp_path / "run", threading.Event()

    def interrupt_once_timing():
        while not over.wait(0.05):
            if list((folder / "logs").glob("*_1.log")) and len(created(folder)) == 2:
                over.wait(2.0)
                os.kill(os.getpid(), signal.SIGINT)
                return

    threading.Thread(target=interrupt_once_timing, daemon=True).start()
    exact = {"processes": 1, "max_rounds": 100_000, "half_width": 0.001, "progress": False}
    with pytest.warns(KerasunrollWarning, match=r"Missing: full fixed: timing, .*resume=deployment"):
        interrupted = kerasunroll.deploy(stack, unroll="full", folder=folder, **exact)
    over.set()
    assert interrupted.missing == ["full fixed: timing", "full dynamic: timing"]
    before = created(folder)
    again = kerasunroll.deploy(resume=interrupted, processes=1, max_rounds=10, progress=False)
    assert (again.missing, created(folder)) == ([], before)
    assert again.verdict.take is not None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--cell", "gru"], "--cell cannot be given with it"), (["--threads", "4"], "--threads cannot be given with it")],
)
def test_another_question_is_refused(folder, arguments, says, capsys):
    assert call("deploy", "--resume", folder, *arguments) == 2
    assert says in capsys.readouterr().err


def test_another_question_is_refused_in_python(folder):
    with pytest.raises(InputError, match="quantize= cannot be given"):
        kerasunroll.deploy(resume=folder, quantize="int8")
    with pytest.raises(InputError, match="x= cannot be given"):
        kerasunroll.deploy(resume=folder, x=np.zeros((4, 4, 1)))


def test_changed_sequences_are_refused(folder):
    path = folder / "given" / "sequences.npz"
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(InputError, match="has changed since the run was begun"):
        kerasunroll.deploy(resume=folder, progress=False)
    path.unlink()
    with pytest.raises(InputError, match="is missing since"):
        kerasunroll.deploy(resume=folder, progress=False)


def test_no_deployment_is_refused(tmp_path):
    with pytest.raises(InputError, match="There is no deployment in"):
        kerasunroll.deploy(resume=tmp_path)
    with pytest.raises(InputError, match="Expected a model"):
        kerasunroll.deploy()


def test_a_spent_budget_is_no_end(tmp_path, capsys):
    assert call("deploy", *NETWORK, *QUICK, "--budget", "10ms", "--logdir", tmp_path) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "Not measured to the end: loop fixed: file, loop dynamic: file" in said
    assert f"Go on with: kerasunroll deploy --resume {tmp_path / 'deploy'}" in said
