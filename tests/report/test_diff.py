"""Two runs against each other, on fixed records: what changed, and when that is too much."""

import math
from xml.etree import ElementTree

import fixed_run
import numpy as np
import pytest
from fixed_run import write_run
from scipy import stats

import kerasunroll
from kerasunroll.cli import main
from kerasunroll.report.diff.changes import diff
from kerasunroll.report.run import Run

FACTOR = 1.2
"""How much slower `full` is in the new run."""


@pytest.fixture
def runs(tmp_path, monkeypatch):
    old = write_run(tmp_path / "old", settings=("loop", "full"))
    monkeypatch.setattr(fixed_run, "STEP", fixed_run.STEP | {"full": FACTOR * fixed_run.STEP["full"]})
    return old, write_run(tmp_path / "new", settings=("loop", "k8", "full"))


def run(capsys, *arguments) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["diff", *map(str, arguments)])
    said = capsys.readouterr()
    return int(end.value.code or 0), " ".join(said.out.split()), said.err


def test_ratios_and_intervals_are_those_of_a_hand_computation(runs):
    old, new = map(Run.load, runs)
    changes = {(change.setting, change.name): change for change in diff(old, new).changes}
    assert {setting for setting, _ in changes} == {"loop", "full"}
    full = changes["full", "training_step"]
    assert full.ratio.value == pytest.approx(FACTOR, rel=1e-3)
    logs = [
        [
            np.mean([np.log(np.quantile(block, 0.25)) for block in rounds])
            for rounds in next(each for each in of.measured if each.variant.setting == "full").timing.samples[
                "step_seconds"
            ]
        ]
        for of in (new, old)
    ]
    expected = stats.ttest_ind(*logs, equal_var=False).confidence_interval()
    assert (full.ratio.low, full.ratio.high) == pytest.approx((math.exp(expected.low), math.exp(expected.high)))
    assert full.direction == "more"
    for name in ("compile", "process_memory"):
        same = changes["loop", name]
        assert (same.ratio.value, same.direction) == (pytest.approx(1), "no difference")
        assert same.ratio.low < 1 < same.ratio.high
    assert changes["loop", "graph_nodes"].ratio.low == changes["loop", "graph_nodes"].ratio.high == 1


def test_a_run_against_itself_has_not_changed(runs, capsys):
    status, said, _ = run(
        capsys, runs[0], runs[0], "--fail-if", "training_step > 0%", "--fail-if", "training_step < 0%"
    )
    assert status == 0
    assert "Differs" not in said
    assert "training_step: 1.00× on average (geometric mean of 2 variants)." in said


def test_what_differs_and_what_is_missing_is_said(runs, capsys):
    status, said, _ = run(capsys, *runs)
    assert status == 0
    assert "Only in the new run: lstm-L2-U64-T64 k8." in said
    assert f"training_step: {math.sqrt(FACTOR):.2f}× on average" in said
    assert "The runs were not measured in turns" in said


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("training_step > 10%", 1),
        ("training_step>19%", 0),  # 20 %, but not by the whole of the interval
        ("training_step < 10%", 0),
        ("compile > 1%, training_step > 10%", 1),
        ("graph_nodes > 0%", 0),
    ],
)
def test_a_gate_closes_only_beyond_the_interval(runs, capsys, condition, status):
    ended, _, error = run(capsys, *runs, "--fail-if", condition)
    assert ended == status
    assert ("training_step > 10%: lstm-L2-U64-T64 full went from 1.34 ms to 1.61 ms, 1.20×" in error) == bool(status)


def test_markdown_and_junit_tell_the_same(runs, tmp_path, capsys):
    markdown, junit = tmp_path / "diff.md", tmp_path / "junit.xml"
    options = ["--fail-if", "training_step > 10%", "--markdown", markdown, "--junit", junit]
    assert run(capsys, *runs, *options)[0] == 1
    assert markdown.read_text(encoding="utf-8").startswith(
        "**training_step > 10%".replace("_", r"\_").replace(">", r"\>")
    )
    suite = ElementTree.parse(junit).getroot()  # noqa: S314 - our own
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    (failed,) = [case for case in suite if case.find("failure") is not None]
    assert failed.get("name") == "lstm-L2-U64-T64 full: training_step > 10%"


def test_another_configuration_and_another_machine_come_first(tmp_path, capsys, monkeypatch):
    old = write_run(tmp_path / "old", settings=("loop",))
    elsewhere = fixed_run.ENVIRONMENT.model_copy(update={"cpu": "Intel 8086"})
    monkeypatch.setattr(fixed_run, "ENVIRONMENT", elsewhere)
    monkeypatch.setattr(
        fixed_run, "config", lambda setting, t, of=fixed_run.config: of(setting, t).model_copy(update={"epochs": 3})
    )
    status, said, _ = run(capsys, old, write_run(tmp_path / "new", settings=("loop",)))
    assert status == 0
    assert said.startswith("Differs: cpu: ")
    assert "Differs: epochs: 6 against 3." in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fail-if", "training_step"], "expected a figure, < or >, and percent, such as 'training_step > 10%'"),
        (["--fail-if", "colour > 1%"], "expected one of training_step, forward_pass, predict, compile"),
    ],
)
def test_a_bad_condition_is_refused_before_anything_is_read(tmp_path, capsys, arguments, message):
    status, _, error = run(capsys, tmp_path / "nowhere", tmp_path / "nowhere", *arguments)
    assert status == 2
    assert message in error


def test_what_is_no_comparison_or_has_nothing_in_common_is_refused(runs, tmp_path, capsys):
    assert run(capsys, runs[0], tmp_path)[0] == 2
    other = write_run(tmp_path / "other", timesteps=(100,), settings=("k8",))
    status, _, error = run(capsys, runs[0], other)
    assert status == 2
    assert "have no variant in common: lstm-L2-U64-T64 loop, lstm-L2-U64-T64 full against lstm-L2-U64-T100 k8." in error


def test_in_python_the_same_is_said(runs, capsys):
    old, new = (kerasunroll.Comparison.load(folder) for folder in runs)
    found = old.diff(new)
    assert found.changes == diff(*map(Run.load, runs)).changes
    (sentence,) = found.broken("training_step > 10%")
    status, _, said = run(capsys, *runs, "--fail-if", "training_step > 10%")
    assert status == 1
    assert sentence in said
    assert found.broken("training_step > 50%") == []
    for shown in (repr(found), found._repr_html_()):
        assert shown.count("training_step") >= 2
        assert "Only in the new run" in shown
