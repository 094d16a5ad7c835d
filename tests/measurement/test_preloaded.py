"""Workers that are forked from a process which has TensorFlow imported."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from alive import remaining, runs

from kerasunroll.measurement.records.record import Outcome
from kerasunroll.measurement.workers import preloaded
from kerasunroll.measurement.workers.worker import Worker, WorkerError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there workers are forked")

WORKER = """
import os, subprocess, sys, time
modules = set(sys.modules)
from kerasunroll.measurement.workers.channel import open_channel
with open_channel() as channel:
    for command in channel.commands():
        match command["do"]:
            case "tell":
                print("in the log")
                channel.report(
                    tensorflow="tensorflow" in modules, parent=os.getppid(), directory=os.getcwd(),
                    variable=os.environ.get("KERAS_COLOUR"), name=__name__, files=len(os.listdir("/proc/self/fd")),
                )
            case "compute":
                import tensorflow as tf
                channel.report(trace=float(tf.linalg.trace(tf.eye(3) @ tf.ones((3, 3)))))
            case "have a child":
                channel.report(pid=subprocess.Popen(["sleep", "600"]).pid)
            case "die":
                os.kill(os.getpid(), command["by"])
            case "exit":
                os._exit(7)
            case "raise":
                raise ValueError("not today")
"""


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modules")
    (folder / "the_worker.py").write_text(WORKER)
    return folder


@pytest.fixture
def start(modules, tmp_path):
    def start(**env) -> Worker:
        variables = {"PYTHONPATH": str(modules), **env}
        return Worker({}, module="the_worker", log_path=tmp_path / "worker.log", env=variables, preloaded=True)

    return start


def ask(worker: Worker, **command):
    worker.send(command)
    return worker.receive()


def test_a_worker_finds_tensorflow_imported_and_computes(start, tmp_path):
    with start() as worker:
        told = ask(worker, do="tell")
        assert (told["tensorflow"], told["name"], told["directory"]) == (True, "__main__", str(Path.cwd()))
        assert ask(worker, do="compute") == {"trace": 3.0}
        assert worker.imported.seconds > 0
        assert worker.imported.resident_bytes > 10**8
    assert "in the log" in (tmp_path / "worker.log").read_text()


def test_several_come_from_one_process_each_with_files_of_its_own(start):
    with start() as first, start() as second:
        told = [ask(worker, do="tell") for worker in (first, second)]
        assert told[0]["parent"] == told[1]["parent"] != os.getpid()
        assert told[0]["files"] == told[1]["files"]
        assert first.pid != second.pid


def test_what_tensorflow_reads_later_makes_no_other_process_and_what_it_reads_at_import_does(start):
    with start() as first, start(TF_CPU_ALLOCATOR_USE_BFC="true") as same, start(KERAS_COLOUR="red") as other:
        parents = [ask(worker, do="tell")["parent"] for worker in (first, same, other)]
        assert parents[0] == parents[1] != parents[2]
        assert ask(other, do="tell")["variable"] == "red"


@pytest.mark.parametrize(
    ("command", "outcome", "cause"),
    [
        ({"do": "exit"}, Outcome.CRASHED, "it ended with exit status 7"),
        ({"do": "die", "by": signal.SIGSEGV}, Outcome.CRASHED, "it was killed by SIGSEGV"),
        ({"do": "raise"}, Outcome.FAILED, "ValueError: not today"),
    ],
)
def test_its_end_is_seen(start, command, outcome, cause):
    with start() as worker, pytest.raises(WorkerError) as caught:
        ask(worker, **command)
    assert caught.value.outcome is outcome
    assert caught.value.cause.startswith(cause)


def test_it_ends_with_its_children(start):
    with start() as worker:
        child = ask(worker, do="have a child")["pid"]
    assert not remaining([worker.pid, child])


def test_when_the_preloaded_process_is_killed_its_workers_end_and_the_next_one_has_another(start):
    with start() as worker:
        child, parent = ask(worker, do="have a child")["pid"], ask(worker, do="tell")["parent"]
        os.kill(parent, signal.SIGKILL)
        with pytest.raises(WorkerError) as caught:
            worker.receive()
    assert caught.value.outcome is Outcome.CRASHED
    assert not remaining([worker.pid, child])
    with start() as worker:
        assert ask(worker, do="tell")["parent"] != parent


def test_where_forking_is_not_safe_it_starts_as_any_program(start, monkeypatch):
    monkeypatch.setattr(preloaded.Preloaded, "_wait_for_import", lambda _: None)
    with start() as worker:
        told = ask(worker, do="tell")
        assert (told["tensorflow"], told["parent"], worker.imported) == (False, os.getpid(), None)


REFUSAL = """
import json, pathlib, socket, sys
with (pathlib.Path(__file__).parent / "refusals").open("a") as file:
    file.write("no\\n")
answer = {"import_seconds": 1.0, "resident_bytes": 1, "may_fork": False}
coordinator = socket.socket(fileno=int(sys.argv[1]))
coordinator.sendall(json.dumps(answer).encode() + b"\\n")
coordinator.recv(1)
"""


def test_a_process_that_refuses_is_ended_and_asked_only_once(start, modules, monkeypatch):
    """As one that has found a GPU's driver in use: no worker may wait for it, nor begin another."""
    (modules / "the_refusal.py").write_text(REFUSAL)
    monkeypatch.setattr(preloaded, "MODULE", "the_refusal")
    for _ in range(2):
        with start(KERAS_REFUSED="yes") as worker:
            assert (ask(worker, do="tell")["parent"], worker.imported) == (os.getpid(), None)
    assert (modules / "refusals").read_text() == "no\n"
    (refusing,) = [each for each in preloaded._processes.values() if each.refuses]
    assert not refusing.runs


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_no_process_remains_when_the_coordinator_is_killed(modules, tmp_path, end):
    coordinator = f"""
    import json
    from kerasunroll.measurement.workers.worker import Worker
    with Worker({{}}, module="the_worker", log_path={str(tmp_path / "log")!r}, preloaded=True) as worker:
        worker.send({{"do": "have a child"}})
        child = worker.receive()["pid"]
        worker.send({{"do": "tell"}})
        print(json.dumps([child, worker.pid, worker.receive()["parent"]]), flush=True)
        worker.receive()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(coordinator)],
        env={**os.environ, "PYTHONPATH": str(modules)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        pids = json.loads(process.stdout.readline())
        assert all(map(runs, pids))
        os.killpg(process.pid, end)
        process.wait(20)
    assert not remaining(pids)
