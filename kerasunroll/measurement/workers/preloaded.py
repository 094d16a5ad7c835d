"""Workers without the seconds of their imports: forked from a process that has TensorFlow and Keras imported.

Forking is safe from a process that has imported TensorFlow and run nothing (`preloaded_process`): its threads wait for
work that never comes. A worker that needs other environment variables at its import gets a preloaded process of its
own; where forking is not safe, `fork` says so and a worker starts as any program does.
"""

import atexit
import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kerasunroll.measurement.records.environment import FLAG
from kerasunroll.measurement.workers.channel import CHANNEL_VARIABLE
from kerasunroll.measurement.workers.link import tie_group

READ_LATER: Final = frozenset({"TF_CPU_ALLOCATOR_USE_BFC"})
"""Environment variables that TensorFlow reads when it first runs something, and not at its import."""

READ_AT_IMPORT: Final = re.compile(rf"{FLAG.pattern}|PYTHON\w*|LD_\w+|HOME|PATH")
"""Those that Python, its libraries and the loader may read before a worker is forked."""

MODULE: Final = "kerasunroll.measurement.workers.preloaded_process"
IMPORT_LIMIT_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Imported:
    """What the import of TensorFlow and Keras took.

    Args:
        seconds: Float.
        resident_bytes: Integer. The resident bytes of the process afterwards.
    """

    seconds: float
    resident_bytes: int


class ForkedProcess:
    """A worker that was forked: what `subprocess.Popen` is to one that was started.

    Args:
        pid: Integer.
        status: Integer. File descriptor from which its exit status comes.

    Attributes:
        returncode: Integer or `None` while it runs. Negative: the signal that killed it.
        imported: `Imported`. What was done before it was forked.
    """

    def __init__(self, pid: int, status: int, imported: Imported) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.imported = imported
        self._status = status
        self._reading = threading.Lock()

    def poll(self) -> int | None:
        """Return the exit status, or `None` while it runs."""
        return self._read(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, once there is one.

        Raises:
            subprocess.TimeoutExpired: If it runs for longer than `timeout` seconds.
        """
        status = self._read(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(MODULE, timeout or 0)
        return status

    def _read(self, timeout: float | None) -> int | None:
        with self._reading:
            if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
                told = os.read(self._status, 16)
                os.close(self._status)
                if not told:  # the preloaded process has been killed: nobody sees this one's end any more
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(self.pid, signal.SIGKILL)
                self.returncode = int(told or -signal.SIGKILL)
            return self.returncode


class Preloaded:
    """A preloaded process, from the coordinator's end.

    Args:
        variables: Mapping of environment variables, all that it has.

    Attributes:
        refuses: Boolean. Whether it has said that no worker can be forked from it, or nothing at all. It has been ended
            then, and to begin another one would be no use.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.refuses = False
        self._imported: Imported | None = None
        self._asking = threading.Lock()
        self._socket, theirs = socket.socketpair()
        self._lifeline: int | None
        lifeline, self._lifeline = os.pipe()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and a module of ours
                [sys.executable, "-P", "-m", MODULE, str(theirs.fileno())],
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), lifeline),
                start_new_session=True,
            )
        tie_group(lifeline, self._process.pid)
        os.close(lifeline)
        self._answers = self._socket.makefile("rb")

    @property
    def runs(self) -> bool:
        """Whether it is there."""
        return self._process.poll() is None

    def fork(
        self, module: str, variables: Mapping[str, str], worker_fds: Sequence[int], log: int
    ) -> ForkedProcess | None:
        """Fork a worker, or return `None` where that does not work: the caller then starts it otherwise.

        The first call waits until everything has been imported.
        """
        with self._asking:
            imported = self._wait_for_import()
            if imported is None:
                return None
            status, theirs = os.pipe()
            request = {
                "module": module,
                "variables": dict(variables),
                "channel_variable": CHANNEL_VARIABLE,
                "directory": _working_directory(),
            }
            try:
                socket.send_fds(self._socket, [json.dumps(request).encode() + b"\n"], [*worker_fds, log, theirs])
                answer = self._answers.readline()
            except OSError:
                answer = b""
            finally:
                os.close(theirs)
            if not answer:  # it was killed
                os.close(status)
                return None
            return ForkedProcess(json.loads(answer)["pid"], status, imported)

    def close(self) -> None:
        """End it. Workers that still run are the business of those who have them."""
        with contextlib.suppress(OSError):
            self._answers.close()
            self._socket.close()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        self._process.kill()
        self._process.wait()

    def _wait_for_import(self) -> Imported | None:
        if self._imported is None and not self.refuses:
            told = {"may_fork": False}
            if select.select([self._socket], [], [], IMPORT_LIMIT_SECONDS)[0]:
                with contextlib.suppress(OSError, ValueError):
                    told = json.loads(self._answers.readline())
            if told["may_fork"]:
                self._imported = Imported(told["import_seconds"], told["resident_bytes"])
            else:
                self.refuses = True
                self.close()
        return self._imported


_processes: dict[tuple[int, tuple[tuple[str, str], ...]], Preloaded] = {}
_guard = threading.Lock()


def preload(variables: Mapping[str, str]) -> Preloaded | None:
    """Return the preloaded process with these environment variables, begun now if it is not there yet.

    Args:
        variables: Mapping of environment variables, all that a worker is to have. Only those that are read before it is
            forked make a difference.

    Returns:
        `Preloaded`, or `None` on a system where nothing is forked.
    """
    if not (sys.platform == "linux" and _has_pidfd()):
        return None
    at_start = {name: value for name, value in variables.items() if name not in READ_LATER}
    at_import = ((name, value) for name, value in at_start.items() if READ_AT_IMPORT.fullmatch(name))
    key = (os.getpid(), tuple(sorted(at_import)))
    with _guard:
        process = _processes.get(key)
        if process is None or not (process.runs or process.refuses):
            if process is not None:
                process.close()
            try:
                process = _processes[key] = Preloaded(at_start)
            except OSError:  # no memory for another process: whoever needs one will say so
                return None
        return process


def end_preloaded() -> None:
    """End every preloaded process of this one. They end with it in any case."""
    with _guard:
        for pid, variables in list(_processes):
            process = _processes.pop((pid, variables))
            if pid == os.getpid():
                process.close()


def _working_directory() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it has been removed: the worker stays where the preloaded process is
        return None


def _has_pidfd() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


atexit.register(end_preloaded)
