import errno
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from kerasunroll.errors import InputError, RunError
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.record import Record, canonical
from kerasunroll.measurement.records.store import load, save

MOUNT = ("/bin/mount", "-t", "tmpfs", "-o")
ENVIRONMENT = environment({})


def record(variant: str = "loop", **changes) -> Record:
    fields = {"configuration": {"cell": "lstm"}, "outcome": "done", "figures": {"step_seconds": 0.0214}}
    return Record(variant=variant, environment=ENVIRONMENT, **fields | changes)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_was_saved_is_loaded_oldest_first(tmp_path):
    records = [record(variant) for variant in ("loop", "full", "k8", "loop,full", "loop")]
    paths = [save(each, tmp_path / "new" / "folder") for each in reversed(records)]
    contents = load(tmp_path / "new" / "folder")
    assert list(contents.records) == records
    assert contents.damaged == ()
    assert files(tmp_path / "new" / "folder") == {path.name for path in paths}


def test_a_loss_that_is_not_a_number_survives(tmp_path):
    save(record(figures={"loss": float("nan")}), tmp_path)
    (loaded,) = load(tmp_path).records
    assert loaded.figures["loss"] != loaded.figures["loss"]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert load(tmp_path / "nowhere").records == ()


def test_a_variant_of_any_name_stays_in_the_folder(tmp_path):
    path = save(record("../../etc/pässwd\n" + "x" * 500), tmp_path)
    assert path.parent == tmp_path
    assert load(tmp_path).records[0].variant.startswith("../../etc/pässwd\n")


def test_a_file_laid_out_anew_is_still_whole(tmp_path):
    made = record()
    path = save(made, tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()), indent=8, sort_keys=True), encoding="utf-8")
    assert load(tmp_path).records == (made,)


def edited(text: bytes) -> bytes:
    assert text.count(b"0.0214") == 1
    return text.replace(b"0.0214", b"0.0114")


def resealed(change):
    """Change a record and give it a fitting checksum: what a program with a defect would write."""

    def change_and_seal(text: bytes) -> bytes:
        import hashlib

        data = json.loads(text)["record"]
        change(data)
        checksum = "sha256:" + hashlib.sha256(canonical(data).encode()).hexdigest()
        return json.dumps({"checksum": checksum, "record": data}).encode()

    return change_and_seal


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda _: b"", "it is not JSON, or only a part"),
        (lambda text: text[: len(text) // 2], "it is not JSON, or only a part"),
        (lambda text: text[:-3], "it is not JSON, or only a part"),
        (lambda text: b"\0" * len(text), "it is not JSON, or only a part"),
        (lambda text: text.replace(b"loop", b"l\xffop"), "it is not JSON, or only a part"),
        (lambda _: b"[" * 200_000, "recursion"),
        (lambda _: b"[1, 2]", "it holds no record"),
        (lambda _: b'{"checksum": "x", "record": "y"}', "it holds no record"),
        (edited, "its checksum does not fit: it was changed after it was written"),
        (lambda text: text.replace(b"sha256:", b"sha256:0"), "its checksum does not fit"),
        (lambda text: text.replace(b'"step_seconds": 0.0214', b'"step_seconds": NaN'), "Out of range float"),
        (resealed(lambda data: data.pop("variant")), "variant: Field required"),
        (resealed(lambda data: data.update(outcome="fine")), "outcome: Input should be 'done'"),
        (resealed(lambda data: data.update(schema_version=0)), "unknown schema version 0"),
    ],
)
def test_a_damaged_file_is_named_and_set_aside(tmp_path, damage, reason):
    whole = record("full")
    save(whole, tmp_path)
    path = save(record("loop"), tmp_path)
    text = damage(path.read_bytes())
    path.write_bytes(text)

    contents = load(tmp_path)
    assert contents.records == (whole,)
    (damaged,) = contents.damaged
    assert reason in damaged.reason
    assert "\n" not in damaged.reason
    assert damaged.path == path.with_name(path.name + ".damaged")
    assert damaged.path.read_bytes() == text
    assert not path.exists()
    assert load(tmp_path).damaged == ()


def test_every_truncation_is_noticed(tmp_path):
    path = save(record(), tmp_path)
    text = path.read_bytes()
    for length in range(0, len(text) - 2, 7):
        path.write_bytes(text[:length])
        contents = load(tmp_path)
        assert (contents.records, len(contents.damaged)) == ((), 1)


def test_a_newer_schema_is_refused_by_name_and_left_alone(tmp_path):
    path = save(record(), tmp_path)
    newer = resealed(lambda data: data.update(schema_version=99, kerasunroll_version="9.0"))(path.read_bytes())
    path.write_bytes(newer)
    with pytest.raises(InputError) as caught:
        load(tmp_path)
    assert str(caught.value).startswith(f"Cannot use '{path}'. It has schema version 99")
    assert path.read_bytes() == newer


def test_other_files_in_the_folder_are_left_alone(tmp_path):
    made = record()
    save(made, tmp_path)
    for name in ("results.json", "notes.txt", ".x.record.json.1234.tmp"):
        (tmp_path / name).write_text("mine")
    assert load(tmp_path).records == (made,)
    assert {"results.json", "notes.txt", ".x.record.json.1234.tmp"} < files(tmp_path)


def test_what_cannot_be_read_is_one_clear_error(tmp_path):
    path = tmp_path / "x.record.json"
    path.mkdir()
    with pytest.raises(InputError, match=f"Cannot read '{path}': Is a directory."):
        load(tmp_path)


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    writer = f"""
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.record import Record
from kerasunroll.measurement.records.store import load, save
facts = environment({{}})
for number in range(50):
    made = Record(configuration={{}}, variant="loop", outcome="done", figures={{"n": number}}, environment=facts)
    save(made, {str(tmp_path)!r})
    assert not load({str(tmp_path)!r}).damaged
"""
    writers = [subprocess.Popen([sys.executable, "-c", writer]) for _ in range(2)]
    assert [process.wait() for process in writers] == [0, 0]
    assert sorted(each.figures["n"] for each in load(tmp_path).records) == sorted([*range(50), *range(50)])


@pytest.mark.parametrize(
    ("function", "error", "kind", "message"),
    [
        ("fsync", errno.ENOSPC, RunError, "No space left on device. Nothing half-written is left"),
        ("fsync", errno.EIO, RunError, "Input/output error. Nothing half-written is left"),
        ("replace", errno.EDQUOT, RunError, "Nothing half-written is left"),
        ("mkdir", errno.EROFS, InputError, "Read-only file system. Choose another."),
        ("mkdir", errno.EACCES, InputError, "Permission denied. Choose another."),
    ],
)
def test_a_write_that_fails_is_one_clear_error_and_leaves_nothing(
    tmp_path, monkeypatch, function, error, kind, message
):
    save(record(), tmp_path)
    before = files(tmp_path)

    def fail(*_, **__):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(kind, match=message) as caught:
        save(record("full"), tmp_path if function != "mkdir" else tmp_path / "new")
    assert str(tmp_path) in str(caught.value)
    monkeypatch.undo()
    assert files(tmp_path) == before
    assert len(load(tmp_path).records) == 1


def test_a_folder_below_a_file_is_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"Cannot write to folder '.*file/below': Not a directory\. Choose"):
        save(record(), tmp_path / "file" / "below")


@contextmanager
def small_disk(folder: Path):
    """A file system of 64 KiB of its own, where the tests may mount one."""
    folder.mkdir()
    if sys.platform != "linux" or subprocess.run([*MOUNT, "size=64k", "none", folder], check=False).returncode:
        pytest.skip("mounting a small tmpfs needs root on Linux")
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", folder], check=True)


def test_a_full_disk_loses_nothing_and_leaves_no_half_file(tmp_path):
    with small_disk(tmp_path / "disk") as folder:
        paths = []

        def fill():
            while True:
                paths.append(save(record(figures={"number": len(paths)}), folder))

        with pytest.raises(RunError, match="No space left on device"):
            fill()
        assert paths
        assert files(folder) == {path.name for path in paths}
        assert [each.figures["number"] for each in load(folder).records] == list(range(len(paths)))


def test_a_read_only_disk_is_read_and_refused_for_writing(tmp_path):
    with small_disk(tmp_path / "disk") as folder:
        made = record()
        save(made, folder)
        torn = save(record("full"), folder)
        torn.write_text("{")
        subprocess.run([*MOUNT, "remount,ro", folder], check=True)
        with pytest.raises(InputError, match="Read-only file system"):
            save(record(), folder)
        contents = load(folder)
        assert contents.records == (made,)
        assert contents.damaged[0].path == torn
        assert "it could not be renamed: Read-only file system" in contents.damaged[0].reason
