"""The worker's end of the private channel to its coordinator.

A worker script is three lines:

>>> with open_channel() as channel:                     # doctest: +SKIP
...     for command in channel.commands():
...         channel.report(answer=work(channel.job, command))

Messages are JSON objects, one a line, on two pipes of their own: whatever TensorFlow prints goes to the log
and can never be taken for a result. `kerasunroll.measurement.workers.worker` holds the coordinator's end.
"""

import json
import os
import queue
import re
import signal
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from kerasunroll.errors import RunError

CHANNEL_VARIABLE = "KERASUNROLL_CHANNEL"
"""The environment variable that names the worker's two pipes: `"<commands fd>,<messages fd>"`."""

_COLOUR = re.compile(r"\x1b\[\d*m")  # Keras prints its errors in bold

LINGER_SECONDS = 10.0
"""How long a worker may take to finish once its coordinator has closed the channel, or is gone."""


class Channel:
    """A worker's job, the commands it is sent, and the way its results go back.

    Used as a context manager it reports an exception that leaves the block, so that the coordinator records
    the outcome `failed` with its message; the exception then goes on, and its traceback lands in the log.

    Args:
        commands: Integer. File descriptor that the job and the commands are read from.
        messages: Integer. File descriptor that messages are written to.
    """

    def __init__(self, commands: int, messages: int) -> None:
        self._messages = messages
        self._writing = threading.Lock()
        self._received: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, args=(commands,), daemon=True).start()
        job = self._received.get()
        if job is None:
            raise RunError("The coordinator ended before it had sent the job.")
        self.job = job

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is not None and isinstance(error, Exception):
            self.report(raised=kind.__name__, message=_COLOUR.sub("", str(error)))

    def commands(self) -> Iterator[dict[str, Any]]:
        """Yield the coordinator's commands as they come, until it closes the channel."""
        while (command := self._received.get()) is not None:
            yield command

    def phase(self, name: str) -> None:
        """Announce what the worker does from now on: time limits and outcomes are per phase."""
        self.report(phase=name)

    def report(self, **message: Any) -> None:
        """Send a message: any JSON values; NumPy scalars and arrays become numbers and lists."""
        line = json.dumps(message, default=_plain).encode() + b"\n"
        with self._writing:
            while line:
                line = line[os.write(self._messages, line) :]

    def _listen(self, commands: int) -> None:
        """Hand commands on; at their end, see to it that this process and its children end too."""
        with open(commands, encoding="utf-8") as lines:
            for line in lines:
                self._received.put(json.loads(line))
        self._received.put(None)
        time.sleep(LINGER_SECONDS)
        os.killpg(os.getpid(), signal.SIGKILL)  # a worker leads a process group of its own


def open_channel() -> Channel:
    """Return the channel that this process was started with.

    Call it first, before anything slow is imported: from then on the worker notices when its coordinator
    goes away.

    Raises:
        RunError: If this process was not started as a worker.
    """
    named = os.environ.pop(CHANNEL_VARIABLE, None)
    if named is None:
        raise RunError(
            "This module is run by a kerasunroll coordinator (kerasunroll.measurement.workers.worker.Worker), "
            "which hands it its job; it does nothing by itself."
        )
    commands, messages = (int(fd) for fd in named.split(","))
    for fd in (commands, messages):
        os.set_inheritable(fd, False)  # a child of the worker must not keep the channel open
    return Channel(commands, messages)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"A message holds JSON values only, got a {type(value).__name__}: {value!r}.")
