"""The one event file of a folder, shared by all who write into it.

TensorBoard's own reader follows one file of a folder at a time: what goes on growing behind the newest file is never
seen (unless its fast loader, tensorboard-data-server, runs). So all callbacks of a `fit` write into one file. They
write at once, in their own thread: TensorBoard's `EventFileWriter` keeps entries for up to two minutes, and when the
disk is full its thread dies and the training waits for it forever.
"""

import os
import socket
import threading
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import ClassVar

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

_FILE_VERSION = "brain.Event:2"
_numbers = count()


class EventFile:
    """An open event file; use `EventFile.of` to take part in it and `release` to leave it.

    Args:
        directory: Path of the TensorBoard run. It is made.

    Attributes:
        described: Set of the tags whose description is in the file; TensorBoard needs it once per file.
        notes: Set of the notes that are in the file.
        broken: Boolean. Whether writing has failed, so that the file may end in half an entry.
    """

    _open: ClassVar[dict[Path, "EventFile"]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        # In the order of their making, also within one second: TensorBoard reads files in the order of their names.
        made = f"{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers):06d}"
        self._path = directory / f"events.out.tfevents.{made}"
        self._file = self._path.open("xb")
        self._records = RecordWriter(self._file)
        self._users = 0
        self._writing = threading.Lock()
        self.described: set[str] = set()
        self.notes: set[str] = set()
        self.broken = False
        self.add(Event(wall_time=time.time(), file_version=_FILE_VERSION))

    @classmethod
    def of(cls, directory: Path) -> "EventFile":
        """Return the file that is open in a folder, or open one.

        Raises:
            OSError: If the folder or the file cannot be made.
        """
        place = directory.resolve()
        with cls._lock:
            file = cls._open.get(place)
            # Who deletes a folder of logs and trains again wants a new file, not the deleted one.
            if file is None or file.broken or not file._path.exists():
                file = cls._open[place] = cls(place)
            file._users += 1
            return file

    def add(self, event: Event) -> None:
        """Write an entry, all the way to the disk's cache, where TensorBoard sees it.

        Raises:
            OSError: If the disk is full or gone.
        """
        with self._writing:
            try:
                self._records.write(event.SerializeToString())
                self._records.flush()
            except BaseException:
                self.broken = True
                raise

    def release(self) -> None:
        """Leave the file; the last one to leave closes it."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            if self._open.get(self._directory) is self:
                del self._open[self._directory]
        with suppress(OSError):  # everything was written; on a full disk the half entry cannot be
            self._file.close()
