import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from kerasunroll.errors import InputError
from kerasunroll.measurement.records.folders import claim


def test_no_folder_is_given_twice(tmp_path):
    wanted = tmp_path / "logs" / "lstm" / "full"
    assert [claim(wanted).name for _ in range(3)] == ["full", "full-2", "full-3"]
    assert sorted(path.name for path in wanted.parent.iterdir()) == ["full", "full-2", "full-3"]


def test_a_file_of_that_name_is_left_alone(tmp_path):
    (tmp_path / "compare").write_text("mine")
    assert claim(tmp_path / "compare") == tmp_path / "compare-2"
    assert (tmp_path / "compare").read_text() == "mine"


def test_those_who_come_at_once_get_different_ones(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(claim, [tmp_path / "new" / "compare"] * 24))
    assert len(set(claimed)) == 24


@pytest.mark.parametrize("below", ["compare", "deep/down/compare"])
def test_a_file_on_the_way_is_named(tmp_path, below):
    (tmp_path / "file").write_text("mine")
    folder = tmp_path / "file" / below
    with pytest.raises(InputError, match=rf"^Cannot make folder '{re.escape(str(folder))}': Not a directory\. Choose"):
        claim(folder)


def test_a_dangling_link_on_the_way_is_refused(tmp_path):
    (tmp_path / "logs").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"^Cannot make folder"):
        claim(tmp_path / "logs" / "compare")
