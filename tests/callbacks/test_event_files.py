"""One event file per folder, with every entry on disk at once."""

import shutil
import threading

import numpy as np
import pytest
from small import compiled, data, fit, stack
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from kerasunroll.callbacks import comparison_callbacks
from kerasunroll.callbacks.event_files.event_log import EventLog


def event_files(folder) -> list:
    return sorted(folder.glob("events.out.tfevents.*"))


def test_all_callbacks_of_a_fit_share_one_file_per_folder(tmp_path):
    callbacks = comparison_callbacks(tmp_path, update_freq=1, states_of=data(1)[0][:1], strict=True)
    fit(compiled(stack()), callbacks, validation_data=data(1))
    for run in ("train", "validation"):
        assert len(event_files(tmp_path / run)) == 1


def test_an_entry_is_on_disk_before_the_file_is_closed(tmp_path, events):
    log, other = EventLog(tmp_path), EventLog(tmp_path)
    log.scalars({"a": 1.0}, step=3)
    other.scalars({"b": 2.0}, step=4)
    assert events(tmp_path).scalars("a") == {3: 1.0}
    assert events(tmp_path).scalars("b") == {4: 2.0}
    log.close()
    other.scalars({"b": 5.0}, step=5)
    assert events(tmp_path).scalars("b") == {4: 2.0, 5: 5.0}
    assert len(event_files(tmp_path)) == 1
    other.close()


def test_after_closing_a_later_file_stands_beside(tmp_path, events):
    log = EventLog(tmp_path)
    for step in range(12):  # more than ten within a second: names must sort as they were made
        log.scalars({"a": float(step)}, step)
        log.close()
    files = event_files(tmp_path)
    assert len(files) == 12
    assert [list(EventFileLoader(str(file)).Load())[-1].step for file in files] == list(range(12))
    assert list(events(tmp_path).scalars("a")) == list(range(12))


def test_a_folder_that_was_deleted_gets_a_new_file(tmp_path, events):
    kept_open, log = EventLog(tmp_path / "run"), EventLog(tmp_path / "run")
    kept_open.scalars({"a": 1.0}, step=0)
    shutil.rmtree(tmp_path / "run")
    log.scalars({"a": 2.0}, step=1)
    assert events(tmp_path / "run").scalars("a") == {1: 2.0}
    kept_open.close()
    log.close()


def test_threads_write_whole_entries(tmp_path, events):
    logs = [EventLog(tmp_path) for _ in range(4)]

    def write(index: int) -> None:
        for step in range(100):
            logs[index].scalars({f"tag_{index}": step * 1.5}, step)

    threads = [threading.Thread(target=write, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in range(4):
        logs[index].close()
        assert events(tmp_path).scalars(f"tag_{index}") == {step: step * 1.5 for step in range(100)}


def test_a_note_is_written_once(tmp_path, events):
    logs = [EventLog(tmp_path), EventLog(tmp_path)]
    for log in logs:
        log.note("read me")
    assert len(events(tmp_path)._events.Tensors("note")) == 1
    for log in logs:
        log.close()


@pytest.mark.parametrize("value", [np.float32("nan"), float("inf"), 1e-300])
def test_any_number_can_be_written(tmp_path, events, value):
    log = EventLog(tmp_path)
    log.scalars({"a": float(value)}, step=0)
    log.close()
    np.testing.assert_equal(np.float32(events(tmp_path).scalars("a")[0]), np.float32(value))
