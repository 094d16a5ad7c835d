"""Event files that are written whole. No TensorFlow.

TensorBoard's own writer of event files loads TensorFlow as soon as it opens one, which would take longer than all there
is to write.
"""

import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from kerasunroll.files import write_whole

SUFFIX: Final = ".comparison"
"""The end of the names of these files: none other is ever removed."""

_FILE_VERSION: Final = "brain.Event:2"


def write_events(folder: Path, summaries: Sequence[tuple[int, Summary.Value]]) -> Path | None:
    """Write an event file, in place of the one that an earlier call wrote into the same folder.

    Args:
        folder: Path of the TensorBoard run; made if needed.
        summaries: Sequence of pairs: what TensorBoard calls the step, and what there is to show. Where it is empty, no
            file is written.

    Returns:
        The path of the file, or `None`.

    Raises:
        InputError: If the folder cannot be written to.
        RunError: If writing failed. No half-written file is left behind.
    """
    now = time.time()
    earlier = list(folder.glob(f"events.out.tfevents.*{SUFFIX}"))
    path = folder / f"events.out.tfevents.{int(now):010d}{SUFFIX}"
    if summaries:
        events = [Event(wall_time=now, file_version=_FILE_VERSION)]
        events += [Event(wall_time=now, step=step, summary=Summary(value=[value])) for step, value in summaries]
        write_whole(path, _records(events))
    for file in earlier:
        if file != path or not summaries:
            file.unlink(missing_ok=True)
    return path if summaries else None


def _records(events: Sequence[Event]) -> bytes:
    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    for event in events:
        writer.write(event.SerializeToString())
    return buffer.getvalue()
