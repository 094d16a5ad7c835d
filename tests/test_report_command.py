"""`kerasunroll report` on the folder of a comparison, in this process."""

import contextlib
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "report"))
from fixed_run import write_run

from kerasunroll.cli import main
from kerasunroll.data import open_source


def report(*arguments) -> int:
    with pytest.raises(SystemExit) as end:
        main(["report", *map(str, arguments)])
    return int(end.value.code or 0)


def test_both_files_lie_in_the_folder_and_the_verdict_is_printed(tmp_path, capsys):
    folder = write_run(tmp_path / "run", settings=("loop", "full"))
    assert report(folder) == 0
    verdict, *paths = capsys.readouterr().out.splitlines()
    assert verdict.startswith(
        "lstm-L2-U64-T64: Take the loop. It takes 1.92 ms a training step and compiles in 1.5 s; full"
    )
    assert "over 264 training steps that does not pay" in verdict  # 6 epochs of 44 batches
    assert paths == [str(folder / "report.html"), str(folder / "report.md")]
    assert all(Path(path).read_text(encoding="utf-8") for path in paths)


def test_files_go_where_they_are_wanted(tmp_path):
    folder = write_run(tmp_path / "run", settings=("loop",))
    assert report(folder, "--html", tmp_path / "a" / "page.html", "--markdown", tmp_path / "b.md") == 0
    for page in (tmp_path / "a" / "page.html", tmp_path / "b.md"):
        assert str(tmp_path) not in page.read_text(encoding="utf-8"), "a path of the machine that made it"
    assert "<title>Should I unroll? run</title>" in (tmp_path / "a" / "page.html").read_text(encoding="utf-8")
    assert (tmp_path / "b.md").is_file()
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--training-steps", "50000"], "Take full. It trains 1.5× faster"),
        (["--memory-limit", "800MB", "--training-steps", "50000"], "full is out: it takes 856.0 MB, and the limit is"),
        (["--inference"], "No setting can be recommended."),  # no forward pass was timed
    ],
)
def test_what_the_network_is_for_decides(tmp_path, capsys, options, said):
    assert report(write_run(tmp_path, settings=("loop", "full")), *options) == 0
    assert said in capsys.readouterr().out
    assert said in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_what_is_no_comparison_is_refused(tmp_path, capsys):
    assert report(tmp_path) == 2
    assert "it has no plan.json. Give the folder that kerasunroll compare has made" in capsys.readouterr().err
    assert report(write_run(tmp_path, settings=("loop",), missing=[(64, "loop")])) == 2
    assert "Nothing has been measured in" in capsys.readouterr().err
    assert report(write_run(tmp_path), "--memory-limit", "much") == 2
    assert "Invalid --memory-limit: expected a size such as 4GB or 500MiB, got 'much'." in capsys.readouterr().err


def test_a_torn_record_is_named_and_set_aside(tmp_path, capsys):
    folder = write_run(tmp_path / "run", settings=("loop", "full"))
    (folder / "records" / "torn-0-0.record.json").write_text('{"record": ', encoding="utf-8")
    assert report(folder) == 0
    assert "torn-0-0.record.json.damaged': it is not JSON, or only a part" in capsys.readouterr().out
    assert "torn-0-0.record.json.damaged" in (folder / "report.html").read_text(encoding="utf-8")


def test_compare_shows_the_verdict_and_keeps_it_for_programs(tmp_path, capsys):
    data = open_source("digits", timesteps=64).describe()
    folder = write_run(tmp_path / "run", settings=("loop", "full"), data=data)
    with contextlib.suppress(SystemExit):  # all of it has been measured: nothing is left but to tell
        main(["compare", "--resume", str(folder), "--mix-environments"])
    output = " ".join(capsys.readouterr().out.split())
    assert "Take the loop. It takes 1.92 ms a training step and compiles in 1.5 s; full trains" in output
    (verdict,) = json.loads((folder / "results.json").read_text(encoding="utf-8"))["verdicts"]
    assert (verdict["group"], verdict["take"]) == ("lstm-L2-U64-T64", "loop")
    assert verdict["text"] in output
    assert verdict["constraints"]["training_steps"] == 264
