"""The coordinator's end of the pipes to one worker: JSON objects, one a line, and nothing ever blocks.

| pipe | what it is for |
|---|---|
| commands | the job, then commands, to the worker |
| messages | phases and results, from the worker |
| lifeline | nothing is ever written; its end says that the coordinator is gone |

No worker outlives its coordinator. On Linux the kernel itself sends SIGKILL to the worker's whole process group
the moment the lifeline closes (`O_ASYNC`, `F_SETOWN` and `F_SETSIG` of fcntl(2)), so that even a worker hanging
in native code dies with a coordinator that was killed by SIGKILL. `PR_SET_PDEATHSIG` would reach the worker but
not its children, and fires when the thread that started it ends. Elsewhere a thread of the worker sees the
end of the command pipe (`kerasunroll.measurement.workers.channel`).
"""

import contextlib
import json
import os
import select
import signal
from collections import deque
from collections.abc import Mapping
from typing import Any

from kerasunroll.errors import RunError

CHUNK_BYTES = 1 << 16


def tie_group(lifeline: int, group: int) -> None:
    """Have the kernel kill a process group once the other end of its lifeline closes, where it can (Linux).

    Args:
        lifeline: Integer. The file descriptor of the end that the group holds.
        group: Integer. The process group.
    """
    import fcntl  # not on Windows

    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -group)
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


class Link:
    """Three pipes to a worker that is yet to be started.

    Attributes:
        worker_fds: Tuple of three integers. The descriptors that the worker inherits: its commands, its
            messages, the lifeline.
        closed: Boolean. The worker has closed its end: no message will come any more.

    Raises:
        RunError: On a system without process groups and pipes to inherit.
    """

    def __init__(self) -> None:
        if os.name != "posix":
            raise RunError(
                "Measuring runs every variant in a process of its own, which needs Linux or macOS. "
                "On Windows, run kerasunroll in WSL."
            )
        worker_commands, commands = os.pipe()
        self._messages, worker_messages = os.pipe()
        worker_lifeline, self._lifeline = os.pipe()
        self.worker_fds = (worker_commands, worker_messages, worker_lifeline)
        self.closed = False
        self._commands: int | None = commands
        self._outgoing = bytearray()
        self._lines: deque[bytes] = deque()
        self._begun = b""
        for fd in (commands, self._messages):
            os.set_blocking(fd, False)

    def attach(self, group: int) -> None:
        """Tie the lifeline to the process group of the worker, which now holds its own ends of the pipes."""
        tie_group(self.worker_fds[-1], group)
        self.release()

    def release(self) -> None:
        """Close the worker's ends of the pipes on this side."""
        for fd in self.worker_fds:
            os.close(fd)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message, or keep for the next `exchange` what the pipe does not take at once."""
        self._outgoing += json.dumps(message).encode() + b"\n"
        self._write()

    def exchange(self, seconds: float) -> bool:
        """Write what is kept and read what has come, waiting at most `seconds`.

        Returns:
            Boolean: whether anything came.
        """
        writing = [self._commands] if self._outgoing and self._commands is not None else []
        readable, writable, _ = select.select([self._messages], writing, [], seconds)
        if writable:
            self._write()
        return bool(readable) and self._read()

    def take_line(self) -> bytes | None:
        """Return the next whole line that has come, or `None`."""
        return self._lines.popleft() if self._lines else None

    @property
    def remainder(self) -> bytes:
        """What has come of a line whose end has not."""
        return self._begun

    def end_commands(self) -> None:
        """Tell the worker that no command will follow."""
        if self._commands is not None:
            os.close(self._commands)
            self._commands = None
            self._outgoing.clear()

    def close(self) -> None:
        """Close every pipe. The kernel kills what is left of the worker's process group."""
        self.end_commands()
        os.close(self._messages)
        os.close(self._lifeline)

    def _write(self) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):  # a dead worker is noticed elsewhere
            while self._outgoing and self._commands is not None:
                del self._outgoing[: os.write(self._commands, self._outgoing[:CHUNK_BYTES])]

    def _read(self) -> bool:
        chunk = os.read(self._messages, CHUNK_BYTES)
        self.closed = not chunk
        *lines, self._begun = (self._begun + chunk).split(b"\n")
        self._lines.extend(lines)
        return bool(chunk)
