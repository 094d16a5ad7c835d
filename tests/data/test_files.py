import re
from pathlib import Path

import pytest

from kerasunroll.data.files import read_bytes, read_text
from kerasunroll.errors import DataError


def test_a_missing_file_is_named_with_the_place_looked_at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = f"No such file: 'gone.txt' (looked for {tmp_path / 'gone.txt'})."
    with pytest.raises(DataError, match=re.escape(expected)):
        read_bytes(Path("gone.txt"))


def test_a_file_used_as_a_directory_is_missing(tmp_path):
    (tmp_path / "a").write_text("x")
    with pytest.raises(DataError, match="No such file"):
        read_bytes(tmp_path / "a" / "b")


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(DataError, match=re.escape(f"'{tmp_path}' is a directory, expected a file")):
        read_bytes(tmp_path)


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch):
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    # Changing the mode would not do: whoever runs the tests as root may read every file.
    monkeypatch.setattr(Path, "read_bytes", refuse)
    path = tmp_path / "locked.txt"
    with pytest.raises(DataError, match=re.escape(f"'{path}' cannot be read: permission denied")):
        read_bytes(path)


@pytest.mark.parametrize("name", ["n" * 5000, "zero\0byte"])
def test_a_path_that_no_system_takes_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="cannot be read"):
        read_bytes(tmp_path / name)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.txt"
    path.touch()
    with pytest.raises(DataError, match=re.escape(f"'{path}' is empty (0 bytes).")):
        read_bytes(path)


def test_text_that_is_not_utf8_is_refused_with_its_first_bad_byte(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("caf\u00e9".encode("latin-1"))
    expected = f"'{path}' is not UTF-8: the byte 0xe9 at offset 3 is not valid there."
    with pytest.raises(DataError, match=re.escape(expected)):
        read_text(path)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "marked.txt"
    path.write_text("h\u00e9", encoding="utf-8-sig")
    assert read_text(path) == "h\u00e9"
