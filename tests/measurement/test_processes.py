import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest
from alive import remaining

from kerasunroll.errors import RunError
from kerasunroll.measurement.records.record import Outcome
from kerasunroll.measurement.workers.worker import Limits, Worker, WorkerError

OPEN = "from kerasunroll.measurement.workers.channel import open_channel\n"


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a worker of the given source."""

    def start(source: str, job=None, **options) -> Worker:
        (tmp_path / "the_worker.py").write_text(OPEN + textwrap.dedent(source))
        env = {"PYTHONPATH": str(tmp_path), **options.pop("env", {})}
        return Worker(job or {}, module="the_worker", log_path=tmp_path / "logs" / "worker.log", env=env, **options)

    return start


ECHO = """
with open_channel() as channel:
    channel.report(job=channel.job)
    for command in channel.commands():
        channel.report(echo=command)
"""

CHILD = """
    import subprocess
    child = subprocess.Popen(["sleep", "600"])
"""


class TestMessages:
    def test_job_and_commands_arrive_and_are_answered(self, start):
        with start(ECHO, job={"units": [64, 64], "ünïcode": "Größe\n"}) as worker:
            assert worker.receive() == {"job": {"units": [64, 64], "ünïcode": "Größe\n"}}
            worker.send({"do": "block", "count": 20})
            worker.send({"do": "block", "count": 21})
            assert [worker.receive()["echo"]["count"] for _ in range(2)] == [20, 21]

    def test_messages_larger_than_a_pipe_go_both_ways_at_once(self, start):
        large = "x" * 3_000_000
        with start(ECHO, job={"large": large}) as worker:
            worker.send({"large": large})
            worker.send({"large": large})
            assert worker.receive() == {"job": {"large": large}}
            assert worker.receive() == worker.receive() == {"echo": {"large": large}}

    def test_many_messages_come_in_order(self, start):
        source = """
        with open_channel() as channel:
            for number in range(20_000):
                channel.report(number=number)
        """
        with start(source) as worker:
            assert [message["number"] for message in worker.messages()] == list(range(20_000))

    def test_numpy_numbers_and_nan_arrive_as_numbers(self, start):
        source = """
        import numpy as np
        with open_channel() as channel:
            channel.report(loss=np.float32("nan"), peak=np.int64(7), times=np.array([0.5, np.inf]))
        """
        with start(source) as worker:
            message = worker.receive()
        assert message["loss"] != message["loss"]
        assert (message["peak"], message["times"]) == (7, [0.5, float("inf")])

    def test_what_the_worker_and_its_children_print_is_in_the_log_only(self, start, tmp_path):
        source = r"""
        import os, subprocess, sys
        with open_channel() as channel:
            print('{"phase": "fake"}', flush=True)
            sys.stderr.buffer.write(b"\xff\xfe garbage \x1b[31m")
            os.write(1, b'{"answer": 1')
            subprocess.run(["echo", '{"answer": 2}'])
            channel.report(answer=3)
        """
        with start(source) as worker:
            assert list(worker.messages()) == [{"answer": 3}]
            assert worker.phase == "start"
        log = (tmp_path / "logs" / "worker.log").read_bytes()
        assert b'{"phase": "fake"}' in log
        assert b"\xff\xfe garbage" in log
        assert b'{"answer": 2}' in log

    def test_phases_are_noted_and_told(self, start):
        told = []
        source = """
        with open_channel() as channel:
            channel.phase("build")
            channel.phase("compile")
            channel.report(answer=1)
        """
        with start(source, on_phase=told.append) as worker:
            assert worker.receive() == {"answer": 1}
            assert (worker.phase, told) == ("compile", ["build", "compile"])

    def test_environment_is_added_to_and_taken_from(self, start, monkeypatch):
        monkeypatch.setenv("STAYS", "here")
        monkeypatch.setenv("GOES", "away")
        source = """
        import os
        with open_channel() as channel:
            channel.report(env=[os.environ.get(name) for name in ("STAYS", "GOES", "COMES", "KERASUNROLL_CHANNEL")])
        """
        with start(source, env={"GOES": None, "COMES": "new"}) as worker:
            assert worker.receive() == {"env": ["here", None, "new", None]}

    def test_working_directory_shadows_no_module(self, start, tmp_path, monkeypatch):
        (tmp_path / "here").mkdir()
        (tmp_path / "here" / "json.py").write_text("raise ImportError('the wrong json')")
        monkeypatch.chdir(tmp_path / "here")
        with start(ECHO) as worker:
            assert worker.receive() == {"job": {}}


class TestOutcomes:
    @pytest.mark.parametrize(
        ("body", "outcome", "cause"),
        [
            ("raise ValueError('no such cell')", Outcome.FAILED, "ValueError: no such cell"),
            ("raise MemoryError('too much')", Outcome.OUT_OF_MEMORY, "MemoryError: too much"),
            ("channel.report(answer=open)", Outcome.FAILED, "TypeError: A message holds JSON values only"),
            ("print('last words'); raise SystemExit(3)", Outcome.CRASHED, "it ended with exit status 3"),
            ("print('last words'); os.kill(os.getpid(), 11)", Outcome.CRASHED, "it was killed by SIGSEGV"),
            ("print('last words'); os.kill(os.getpid(), 9)", Outcome.CRASHED, "it was killed by SIGKILL (was the"),
            ("print('last words'); os._exit(0)", Outcome.CRASHED, "it finished without an answer"),
            ('os.write(fd, b\'{"phase": "comp\'); os._exit(0)', Outcome.CRASHED, 'the middle of a message: \'{"phase"'),
            ("os.write(fd, b'\\xff\\xfe\\n')", Outcome.CRASHED, "it sent what is no message: '��'"),
            ("os.write(fd, b'[1, 2]\\n')", Outcome.CRASHED, "it sent what is no message: '[1, 2]'"),
            ("os.write(fd, b'[' * 60_000 + b'\\n')", Outcome.CRASHED, "it sent what is no message: '[[[["),
            ("time.sleep(600)", Outcome.TIMEOUT, "it took longer than its limit of 500 ms"),
            ("while True: pass", Outcome.TIMEOUT, "it took longer than its limit of 500 ms"),
            ("signal.signal(15, signal.SIG_IGN); time.sleep(600)", Outcome.TIMEOUT, "its limit of 500 ms"),
            ("waste = b'x' * 400_000_000; time.sleep(600)", Outcome.OUT_OF_MEMORY, "its limit is 200.0 MB"),
        ],
    )
    def test_every_end_is_an_outcome_with_cause_and_phase(self, start, body, outcome, cause):
        source = f"""
        import os, signal, time
        with open_channel() as channel:
            fd = channel._messages
            channel.phase("compile")
            {body}
        """
        seconds = 0.5 if outcome is Outcome.TIMEOUT else 60
        limits = Limits(phases={"compile": seconds}, memory_bytes=200_000_000)
        with start(source, limits=limits) as worker, pytest.raises(WorkerError) as caught:
            worker.receive()
        assert (caught.value.outcome, caught.value.phase) == (outcome, "compile")
        assert cause in caught.value.cause
        if "last words" in body:
            assert "last words" in caught.value.cause
        assert not remaining([worker.pid])

    def test_crash_before_the_channel_opens_quotes_the_log(self, start):
        with start("import no_such_module") as worker, pytest.raises(WorkerError) as caught:
            list(worker.messages())
        assert caught.value.outcome is Outcome.CRASHED
        assert caught.value.cause.startswith("it ended with exit status 1; the last lines of '")
        assert caught.value.cause.endswith("ModuleNotFoundError: No module named 'no_such_module'")

    def test_a_log_that_was_cleared_away_is_no_trouble(self, start, tmp_path):
        log = str(tmp_path / "logs" / "worker.log")
        source = f"import os; os.remove({log!r}); os.abort()"
        with start(source) as worker, pytest.raises(WorkerError) as caught:
            worker.receive()
        assert caught.value.cause == "it was killed by SIGABRT"

    def test_quoted_log_is_fit_for_a_terminal_and_a_record(self, start):
        source = r"""
        import os
        os.write(2, b"line\n" * 50_000 + b"\x1b[31mred \xff\n")
        os.abort()
        """
        with start(source) as worker, pytest.raises(WorkerError) as caught:
            worker.receive()
        assert "�[31mred �" in caught.value.cause
        assert len(caught.value.cause.splitlines()) <= 11
        json.dumps(caught.value.cause, ensure_ascii=False).encode()

    def test_failure_is_raised_again_to_whoever_asks_again(self, start):
        with start("raise SystemExit(3)") as worker:
            for _ in range(2):
                with pytest.raises(WorkerError, match="it ended with exit status 3"):
                    worker.receive()

    def test_memory_of_grandchildren_counts(self, start):
        source = """
        import subprocess, sys, time
        with open_channel() as channel:
            waste = "waste = b'x' * 400_000_000; import time; time.sleep(600)"
            subprocess.run([sys.executable, "-c", waste])
        """
        limits = Limits(memory_bytes=200_000_000)
        with start(source, limits=limits) as worker, pytest.raises(WorkerError) as caught:
            worker.receive()
        assert caught.value.outcome is Outcome.OUT_OF_MEMORY
        assert worker.peak_bytes > 200_000_000

    def test_time_limit_is_for_each_command_and_not_for_waiting_one_s_turn(self, start):
        source = """
        import time
        with open_channel() as channel:
            channel.phase("steady")
            for command in channel.commands():
                time.sleep(command["seconds"])
                channel.report(slept=command["seconds"])
        """
        with start(source, limits=Limits(phases={"steady": 1.0})) as worker:
            for _ in range(3):
                worker.send({"seconds": 0.5})
                assert worker.receive() == {"slept": 0.5}
            time.sleep(1.2)
            worker.send({"seconds": 0})
            assert worker.receive() == {"slept": 0}
            worker.send({"seconds": 600})
            with pytest.raises(WorkerError) as caught:
                worker.receive()
        assert str(caught.value) == (
            "The worker ended in phase 'steady' (timeout): it took longer than its limit of 1.00 s"
        )

    def test_one_message_can_have_a_limit_of_its_own(self, start):
        with start("import time; time.sleep(600)") as worker, pytest.raises(WorkerError) as caught:
            worker.receive(timeout=0.3)
        assert (caught.value.outcome, caught.value.cause) == (Outcome.TIMEOUT, "it did not answer within 300 ms")

    def test_worker_that_cannot_start_is_one_clear_error(self, tmp_path):
        (tmp_path / "file").touch()
        log = tmp_path / "file" / "worker.log"
        with pytest.raises(RunError, match=f"Could not start a worker with its log at '{log}'"):
            Worker({}, module="x", log_path=log)


class TestNoOrphans:
    FAMILY = f"""
    with open_channel() as channel:
        {CHILD.strip().replace("    ", "        ")}
        apart = subprocess.Popen(["sleep", "600"], start_new_session=True)
        channel.report(pids=[child.pid, apart.pid])
        for command in channel.commands():
            pass
    """

    def test_leaving_the_block_ends_the_worker_and_its_children(self, start):
        with start(self.FAMILY) as worker:
            pids = worker.receive()["pids"]
        assert not remaining([worker.pid, *pids])

    def test_error_in_the_block_ends_the_worker_and_its_children(self, start):
        def interrupted_while_receiving():
            with start(self.FAMILY) as worker:
                pids.extend([worker.pid, *worker.receive()["pids"]])
                raise KeyboardInterrupt

        pids = []
        with pytest.raises(KeyboardInterrupt):
            interrupted_while_receiving()
        assert len(pids) == 3
        assert not remaining(pids)

    def test_children_of_a_worker_that_died_are_ended(self, start):
        source = f"""
        import os
        with open_channel() as channel:
            {CHILD.strip().replace("    ", "            ")}
            channel.report(pid=child.pid)
            os.abort()
        """
        with start(source) as worker:
            pid = worker.receive()["pid"]
            with pytest.raises(WorkerError):
                worker.receive()
            assert not remaining([worker.pid, pid])

    def test_worker_may_finish_what_it_does_when_commands_end(self, start, tmp_path):
        source = """
        import pathlib, sys, time
        with open_channel() as channel:
            for command in channel.commands():
                pass
            time.sleep(0.3)
            pathlib.Path(channel.job["path"]).write_text("finished")
        """
        with start(source, job={"path": str(tmp_path / "done")}):
            pass
        assert (tmp_path / "done").read_text() == "finished"

    def test_another_thread_can_end_a_worker_that_is_waited_for(self, start):
        with start("import time; time.sleep(600)") as worker:
            threading.Timer(0.5, worker.kill).start()
            with pytest.raises(WorkerError) as caught:
                worker.receive()
        assert caught.value.outcome is Outcome.INTERRUPTED
        assert not remaining([worker.pid])

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel ends processes that do not run")
    @pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    @pytest.mark.parametrize(
        "body",
        [
            "for command in channel.commands(): pass",
            "import signal; signal.signal(15, signal.SIG_IGN); signal.pthread_sigmask(0, [2, 15]); time.sleep(600)",
            "os.kill(os.getpid(), 19)",
        ],
        ids=["waiting", "ignoring signals", "stopped"],
    )
    def test_no_process_remains_when_the_coordinator_is_killed(self, tmp_path, end, body):
        worker = f"""
        import os, subprocess, time
        with open_channel() as channel:
            child = subprocess.Popen(["sleep", "600"])
            channel.report(pids=[os.getpid(), child.pid])
            {body}
        """
        coordinator = f"""
        import json
        from kerasunroll.measurement.workers.worker import Worker
        with (
            Worker({{}}, module="the_worker", log_path={str(tmp_path / "a.log")!r}) as a,
            Worker({{}}, module="the_worker", log_path={str(tmp_path / "b.log")!r}) as b,
        ):
            print(json.dumps(a.receive()["pids"] + b.receive()["pids"]), flush=True)
            a.receive()
        """
        (tmp_path / "the_worker.py").write_text(OPEN + textwrap.dedent(worker))
        (tmp_path / "the_coordinator.py").write_text(textwrap.dedent(coordinator))
        with subprocess.Popen(
            [sys.executable, "-m", "the_coordinator"],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            pids = json.loads(process.stdout.readline())
            assert len(pids) == 4
            assert all(psutil.pid_exists(pid) for pid in pids)
            os.killpg(process.pid, end)  # as the terminal does on Ctrl-C
            process.wait(20)
        assert not remaining(pids)
        assert "KeyboardInterrupt" not in (tmp_path / "a.log").read_text()

    def test_without_the_kernel_s_help_the_worker_notices_the_end_of_its_commands(self, start, monkeypatch):
        monkeypatch.delattr("fcntl.F_SETSIG", raising=False)
        source = f"""
        import kerasunroll.measurement.workers.channel as module
        module.LINGER_SECONDS = 0.2
        with open_channel() as channel:
            {CHILD.strip().replace("    ", "            ")}
            channel.report(pid=child.pid)
            import time; time.sleep(600)
        """
        with start(source) as worker:
            pid = worker.receive()["pid"]
            worker._link.end_commands()  # as when the coordinator is gone
            assert not remaining([worker.pid, pid])


def test_worker_module_started_by_hand_says_what_it_is(tmp_path: Path):
    (tmp_path / "the_worker.py").write_text(OPEN + "open_channel()")
    ended = subprocess.run([sys.executable, tmp_path / "the_worker.py"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "This module is run by a kerasunroll coordinator" in ended.stderr
