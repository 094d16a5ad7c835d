"""Workers: child processes that are watched, limited, and gone whatever happens.

A worker is `python -m <module>` in a session of its own, so that Ctrl-C reaches the coordinator alone, which
then ends its workers; one that needs TensorFlow may be forked from a process that has imported it
(`kerasunroll.measurement.workers.preloaded`). What it prints goes to a log; what it has to say comes over pipes
(`kerasunroll.measurement.workers.link` at this end, `kerasunroll.measurement.workers.channel` at the worker's).
However it ends, that is an `Outcome` with a cause, never a lost run.

A long module: start, supervision and end of a process share one lock.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import psutil

from kerasunroll.errors import RunError
from kerasunroll.measurement.records.record import Outcome
from kerasunroll.measurement.workers.causes import describe_exit, log_tail, quote
from kerasunroll.measurement.workers.channel import CHANNEL_VARIABLE
from kerasunroll.measurement.workers.link import Link
from kerasunroll.measurement.workers.preloaded import ForkedProcess, preload
from kerasunroll.measurement.workers.resident_memory import MemoryWatch
from kerasunroll.units import format_bytes, format_seconds

POLL_SECONDS = 0.1
"""How often a worker's memory and time are looked at while the coordinator waits for it."""

OUT_OF_MEMORY_ERRORS = frozenset({"MemoryError", "ResourceExhaustedError"})
"""The exceptions of Python and TensorFlow that mean `out_of_memory`."""


@dataclass(frozen=True)
class Limits:
    """What a worker may use before it is ended.

    Args:
        seconds: Float. Time for one phase, or for the answer to one command: what the coordinator spends
            waiting since the phase was announced or the command sent. Waiting for others does not count.
        phases: Mapping from a phase's name to its own limit in seconds.
        memory_bytes: Integer or `None`. Resident bytes of the worker and its children together.
    """

    seconds: float = 600.0
    phases: Mapping[str, float] = field(default_factory=dict)
    memory_bytes: int | None = None

    def of(self, phase: str) -> float:
        """Return the time limit of `phase` in seconds."""
        return self.phases.get(phase, self.seconds)


class WorkerError(RunError):
    """A worker ended otherwise than by finishing its job: an outcome to record.

    Attributes:
        outcome: `Outcome`: `timeout`, `out_of_memory`, `crashed` or `failed`.
        cause: String. What happened, with its numbers.
        phase: String. What the worker was doing.
    """

    def __init__(self, outcome: Outcome, cause: str, phase: str) -> None:
        super().__init__(f"The worker ended in phase '{phase}' ({outcome}): {cause}")
        self.outcome = outcome
        self.cause = cause
        self.phase = phase


class Worker:
    """A child process that does one job, and is gone when its `with` block ends.

    Args:
        job: Mapping of JSON values, which the worker finds as `channel.job`.
        module: String. The module to run; it calls `kerasunroll.measurement.workers.channel.open_channel`.
        log_path: Path of the file that takes the worker's standard output and standard error.
        limits: `Limits`. The time and memory it may use.
        env: Mapping of environment variables, set for the worker on top of the coordinator's own; `None`
            takes one away.
        on_phase: Function or `None`. Called with the name of each phase as the worker announces it.
        preloaded: Boolean. Whether to fork it from a process that has imported TensorFlow and Keras, where that is
            safe: else it starts as any program does. Defaults to `False`.

    Attributes:
        imported: `Imported`, what was imported before it was forked; `None` for one that imports for itself.
        pid: Integer. The worker's process, and its process group.
        phase: String. The phase last announced; `"start"` before the first.

    Raises:
        RunError: If the log cannot be written, or the process not started.

    Example:
    >>> with Worker(job, module="my_package.worker", log_path=path) as worker:  # doctest: +SKIP
    ...     worker.send({"do": "block", "count": 20})
    ...     times = worker.receive()["seconds"]
    """

    def __init__(
        self,
        job: Mapping[str, Any],
        *,
        module: str,
        log_path: str | Path,
        limits: Limits | None = None,
        env: Mapping[str, str | None] | None = None,
        on_phase: Callable[[str], None] | None = None,
        preloaded: bool = False,
    ) -> None:
        self.phase = "start"
        self._limits = limits or Limits()
        self._log_path = Path(log_path)
        self._on_phase = on_phase
        self._failure: WorkerError | None = None
        self._ended = False
        self._lock = threading.RLock()
        self._waited = 0.0
        self._link = Link()
        self._process = self._start(module, env or {}, preloaded=preloaded)
        self.imported = self._process.imported if isinstance(self._process, ForkedProcess) else None
        self.pid = self._process.pid
        self._link.attach(self.pid)
        self._memory = MemoryWatch(self.pid)
        self.send(job)

    @property
    def peak_bytes(self) -> int:
        """The most resident bytes seen of the worker and its children, looked at every 0.1 s of waiting."""
        return self._memory.peak_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None:
            self.stop()
        else:
            self.kill()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a command, and start the clock of the current phase again.

        Never waits: what the pipe does not take at once goes out while the coordinator receives.
        """
        with self._lock:
            if not self._ended:
                self._link.send(message)
        self._waited = 0.0

    def receive(self, timeout: float | None = None) -> dict[str, Any]:
        """Return the worker's next message. Phases it announces are noted, not returned.

        Args:
            timeout: Float or `None`. Seconds to wait for this message, where they end before the limit of
                the phase does.

        Raises:
            WorkerError: If no message came, with the outcome and its cause. The worker has been ended.
        """
        message = self._next(timeout)
        if message is None:
            raise self._fail(Outcome.CRASHED, f"it finished without an answer{log_tail(self._log_path)}")
        return message

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield the worker's messages until it has finished.

        Raises:
            WorkerError: If it ended otherwise, with the outcome and its cause. The worker has been ended.
        """
        while (message := self._next(None)) is not None:
            yield message

    def stop(self, grace: float = 5.0) -> None:
        """Tell the worker that no command will follow, give it `grace` seconds to finish, then end it."""
        with self._lock:
            if not self._ended:
                self._memory.look()  # once the worker has gone, its children are nobody's
                self._link.end_commands()
        self._wait(grace)
        self._end()

    def kill(self) -> None:
        """End the worker and its children now. Another thread may do so while one is receiving.

        Whoever receives from it gets the outcome `interrupted`.
        """
        if not self._ended:
            self._fail(Outcome.INTERRUPTED, "the coordinator ended it")

    def _start(
        self, module: str, env: Mapping[str, str | None], *, preloaded: bool
    ) -> subprocess.Popen[bytes] | ForkedProcess:
        # Unbuffered: the log's last lines must be there when the worker is killed.
        variables: dict[str, str | None] = {**os.environ, "PYTHONUNBUFFERED": "1", **env}
        given = {name: value for name, value in variables.items() if value is not None}
        try:
            self._log_path.parent.mkdir(parents=True, exist_ok=True)
            with self._log_path.open("wb") as log:
                source = preload(given) if preloaded else None
                forked = source.fork(module, given, self._link.worker_fds, log.fileno()) if source else None
                return forked or self._run(module, given, log)
        except OSError as error:
            self._link.release()
            self._link.close()
            raise RunError(f"Could not start a worker with its log at '{self._log_path}': {error}.") from error

    def _run(self, module: str, variables: Mapping[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        commands, messages, _ = self._link.worker_fds
        return subprocess.Popen(  # noqa: S603 - this interpreter, and a module of the caller's
            # -P: a file in the working directory must not shadow a module.
            [sys.executable, "-P", "-m", module],
            env={**variables, CHANNEL_VARIABLE: f"{commands},{messages}"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=self._link.worker_fds,
            start_new_session=True,
        )

    def _next(self, timeout: float | None) -> dict[str, Any] | None:
        """Return the next message, or `None` once the worker has finished."""
        started = time.monotonic()
        while True:
            if self._failure:
                raise self._failure
            while (line := self._link.take_line()) is not None:
                if (message := self._understand(line)) is not None:
                    return message
            if self._ended:
                return None
            gone = self._process.poll() is not None  # asked first: what it wrote before is still to be read
            if not self._exchange(0 if gone else POLL_SECONDS) and gone:
                self._conclude()
            else:
                self._check_limits(time.monotonic() - started, timeout)

    def _exchange(self, seconds: float) -> bool:
        """Move messages both ways, waiting at most `seconds`; returns whether any came."""
        before = time.monotonic()
        came = False
        with self._lock:
            if self._link.closed or self._ended:
                self._wait(seconds)
            else:
                came = self._link.exchange(seconds)
        self._waited += time.monotonic() - before
        return came

    def _understand(self, line: bytes) -> dict[str, Any] | None:
        """Return a message for the coordinator; a phase is noted, an exception raised."""
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise self._fail(Outcome.CRASHED, f"it sent what is no message: {quote(line)}")
        if message.keys() == {"raised", "message"}:
            self.stop()  # gives it time to write the traceback to its log
            kind = message["raised"]
            outcome = Outcome.OUT_OF_MEMORY if kind in OUT_OF_MEMORY_ERRORS else Outcome.FAILED
            raise self._fail(outcome, f"{kind}: {message['message']}")
        if message.keys() != {"phase"}:
            return message
        self.phase = str(message["phase"])
        self._waited = 0.0
        if self._on_phase:
            self._on_phase(self.phase)
        return None

    def _check_limits(self, received_for: float, timeout: float | None) -> None:
        used, most = self._memory.sample(), self._limits.memory_bytes
        if most is not None and used > most:
            cause = f"it used {format_bytes(used)} of memory, its limit is {format_bytes(most)}"
            raise self._fail(Outcome.OUT_OF_MEMORY, cause)
        limit = self._limits.of(self.phase)
        if self._waited > limit:
            raise self._fail(Outcome.TIMEOUT, f"it took longer than its limit of {format_seconds(limit)}")
        if timeout is not None and received_for > timeout:
            raise self._fail(Outcome.TIMEOUT, f"it did not answer within {format_seconds(timeout)}")

    def _conclude(self) -> None:
        """Take note of a worker that ended by itself."""
        status = self._process.wait()
        self._end()  # its children
        if self._link.remainder:
            cause = f"it ended in the middle of a message: {quote(self._link.remainder)}"
            raise self._fail(Outcome.CRASHED, cause + log_tail(self._log_path))
        if status != 0:
            raise self._fail(Outcome.CRASHED, describe_exit(status) + log_tail(self._log_path))

    def _fail(self, outcome: Outcome, cause: str) -> WorkerError:
        """Note how the worker failed, if nothing is noted yet, and end it."""
        if self._failure is None:
            whole = cause.encode(errors="replace").decode()  # a lone surrogate could not be recorded
            self._failure = WorkerError(outcome, whole, self.phase)
        self._end()
        return self._failure

    def _end(self) -> None:
        """End the worker and its children: SIGTERM to the group, and half a second later SIGKILL."""
        with self._lock:
            if self._ended:
                return
            self._memory.look()
            self._signal_group(signal.SIGTERM)
            self._wait(0.5)
            self._signal_group(signal.SIGKILL)
            for child in self._memory.descendants:  # those that left the group
                with contextlib.suppress(psutil.Error):
                    child.kill()
            self._process.wait()
            self._link.close()
            self._ended = True

    def _wait(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a zombie
            os.killpg(self.pid, number)
