"""scripts/findings.py: the pages are drawn from kept records, and what they claim follows from these."""

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pages import DOCS, ROOT

sys.path.insert(0, str(ROOT / "tests" / "report"))
sys.path.insert(0, str(ROOT / "scripts"))
from findings_parts import (
    concepts,
    gradients,
    kept,
    kernels,
    layers,
    parts,
    time_and_memory,
    time_steps,
    trainings,
    who_unrolls,
)
from findings_parts.claims import told
from findings_parts.page import filled, from_the_top
from fixed_run import write_run

from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.statistics.intervals import Interval
from kerasunroll.report.run import Run

LSTM = time_steps.RUNS[0].name


def exactly(value: float) -> Interval:
    return Interval(value, value, value)


def about(value: float, half: float) -> Interval:
    return Interval(value, value - half, value + half)


@pytest.fixture
def docs(tmp_path):
    """A folder with the real pages, and nothing kept yet."""
    docs = tmp_path / "docs"
    docs.mkdir()
    for page in parts.pages(DOCS):
        there = tmp_path / page.relative_to(ROOT)
        there.write_bytes(page.read_bytes())
    return docs


def keep(docs: Path, run: Path) -> None:
    kept.pack_comparison(run, docs / parts.KEPT / f"{run.name}.tar.xz")


def keep_json(docs: Path, name: str, files: dict, folder: Path) -> None:
    (folder / name).mkdir()
    facts = {"environment": environment().model_dump(mode="json"), "created": datetime.now(UTC).isoformat()}
    for file, content in files.items():
        (folder / name / file).write_text(json.dumps(content | facts))
    kept.pack([folder / name], docs / parts.KEPT / f"{name}.tar.xz", files)


def test_what_was_not_measured_leaves_the_pages_as_they_are(docs):
    before = {page: page.read_text() for page in parts.pages(docs)}
    parts.write(docs)
    assert {page: page.read_text() for page in parts.pages(docs)} == before


def test_the_cost_of_a_time_step_is_told_from_the_records(docs, tmp_path):
    run = write_run(
        tmp_path / "runs" / LSTM, timesteps=(32, 64, 100, 200, 400), follow_up="memory", failed=[(400, "full")]
    )
    keep(docs, run)
    parts.write(docs)
    page = (docs / "findings.md").read_text()
    # 0.1 + 0.8 + 0.6 s and, of each unrolled time step, 0.142 s; 64 steps of 30 and of 20 µs.
    assert "| 64 | `full` | unrolled | 10.6 s ±2% | 1.28 ms |" in page
    assert "**LSTM, T=200:** fully unrolled it takes 29.9 s ±3% to its first training step" in page
    assert "full unrolling fails: the LSTM at T=400 took too long." in page
    answer = page.partition("<!-- end -->")[0]  # to the advice, at the top
    assert "at T=200, an unrolled training step takes 0.67× of the loop's time (LSTM)" in answer
    assert "(15.7 s at about 100 time steps, 29.9 s at T=200)" in answer
    assert "(4× the loop's)" in answer  # 60 + 1.7 × 200 MB over 60 + 0.2 × 200 MB
    layers_of = re.compile(r"<!-- part: layers -->.*?<!-- end -->", re.DOTALL)
    real = (DOCS / "findings.md").read_text(encoding="utf-8")
    assert layers_of.findall(page) == layers_of.findall(real)  # what was not measured stays as it was
    for name in re.findall(r"\]\((images/[^)]+)\)", page.partition("<!-- part: who-unrolls -->")[0]):
        assert (docs / name).exists()
    readme = (docs.parent / "README.md").read_text()
    assert "](docs/images/findings/advice.png)" in readme
    parts.check(docs, tmp_path / "images")


def test_a_page_that_is_not_what_was_kept_is_told(docs, tmp_path):
    keep(docs, write_run(tmp_path / "runs" / LSTM, timesteps=(32, 64, 200), follow_up="memory"))
    with pytest.raises(SystemExit, match=r"findings\.md, README\.md"):
        parts.check(docs, tmp_path / "images")


def test_pictures_of_old_sections_are_removed(docs, tmp_path):
    images = docs / "images" / "findings"
    images.mkdir(parents=True)
    for name in ("lstm-L1-U64-over-T.png", "lstm-L2-U64-T64-time_in_all.png"):
        (images / name).write_bytes(b"")
    keep(docs, write_run(tmp_path / "runs" / LSTM, timesteps=(32, 64, 100), follow_up="memory"))
    parts.write(docs)
    assert not (images / "lstm-L1-U64-over-T.png").exists()  # of the section that was measured anew
    assert (images / "lstm-L2-U64-T64-time_in_all.png").exists()


def test_kept_records_say_what_the_run_said(tmp_path):
    run = write_run(tmp_path / "runs" / "one", timesteps=(64,), follow_up="memory")
    kept.pack_comparison(run, tmp_path / "kept.tar.xz")
    with kept.unpacked(tmp_path / "kept.tar.xz") as runs:
        before, after = Run.load(run).rows, Run.load(runs / "one").rows
        assert [row.setting for row in after] == [row.setting for row in before]
        for ours, theirs in zip(after, before, strict=True):
            assert ours.figures == theirs.figures  # the differences between outputs among them
            if theirs.against_loop:
                assert ours.against_loop.low == pytest.approx(theirs.against_loop.low, rel=2e-3)


def test_marks_are_filled_and_nothing_else():
    page = "Before.\n\n<!-- part: a -->\nold\n<!-- end -->\n\nAfter.\n\n<!-- table: a -->\nkept\n<!-- end -->\n"
    done = filled(page, {"part: a": "new"})
    assert done == page.replace("old", "new")
    assert filled(done, {"part: a": "new"}) == done


def test_links_of_the_readme_lead_into_the_docs():
    block = "![x](images/x.png) [y](layers.md#z) [w](https://keras.io)"
    assert from_the_top(block) == "![x](docs/images/x.png) [y](docs/layers.md#z) [w](https://keras.io)"


def test_every_mark_has_what_is_written_there():
    marks = re.findall(r"<!-- table: ([\w-]+) -->", (DOCS / "concepts.md").read_text(encoding="utf-8"))
    assert set(marks) == set(concepts.TABLES)
    sections = set(re.findall(r"<!-- part: ([\w-]+) -->", (DOCS / "findings.md").read_text(encoding="utf-8")))
    elsewhere = {concepts.PART, kernels.PART}
    assert sections == {part.name for part in parts.PARTS if part not in elsewhere}
    assert "<!-- part: kernels -->" in (DOCS / "kernels.md").read_text(encoding="utf-8")


def test_wide_intervals_are_marked():
    assert told("1.00×", 1.0, about(1.0, 0.05)) == "1.00×"
    assert told("1.00×", 1.0, about(1.0, 0.06)) == "≈ 1.00×"
    assert told("1.00×", 1.0, Interval(1.0, 0.99, math.inf)) == "≈ 1.00×"


def test_a_cost_is_additive_where_it_is_the_sum_of_its_layers():
    values = {("loop", "loop"): exactly(10), ("full", "loop"): exactly(8), ("loop", "full"): exactly(7)}
    (one,) = layers.sums(values | {("full", "full"): exactly(5.2)})
    assert (one.expected, one.off) == (exactly(5), pytest.approx(0.04))  # 8 + 7 - 10
    assert one.is_additive is True
    (off,) = layers.sums(values | {("full", "full"): exactly(6)})
    assert off.is_additive is False
    (wide,) = layers.sums(values | {("full", "full"): about(5.2, 0.4)})
    assert wide.is_additive is None  # 4 % off, ± 8 %
    assert layers.sums({**values, ("k8", "full"): exactly(3)}) == []  # k8 with the loop is missing


def test_the_map_takes_what_the_number_of_training_steps_pays_for(tmp_path):
    run = Run.load(write_run(tmp_path / "run", settings=("loop", "full"), follow_up="memory"))
    # full is ready 9.1 s later, and each training step saves 0.64 ms: it pays after 14,200.
    choices = {steps: who_unrolls.choose(run.rows, steps) for steps in (100, 14_200, 100_000)}
    assert [choices[steps].take for steps in (100, 100_000)] == ["loop", "full"]
    assert choices[100].sure
    assert choices[100_000].sure
    assert not choices[14_200].sure
    assert choices[100].shape == (32, 64, 64)


def test_the_map_says_how_many_shapes_take_what(docs, tmp_path):
    for number, each in enumerate(who_unrolls.RUNS[:2]):
        settings = ("loop", "full")
        keep(
            docs,
            write_run(tmp_path / "runs" / each.name, timesteps=(64 + number,), settings=settings, follow_up="memory"),
        )
    parts.write(docs)
    page = (docs / "findings.md").read_text()
    assert "of 2 shapes: take over 100 training steps `loop` in 2; over 1,000 training steps `loop` in 2;" in page
    assert "over 100,000 training steps `full` in 2." in page


def test_the_kernels_are_compared_with_the_better_of_the_two_settings_of_keras(tmp_path):
    rows = Run.load(write_run(tmp_path / "run", follow_up="memory")).rows
    shape = kernels.compared([replace(row, setting="own-loop") if row.setting == "k8" else row for row in rows])
    # A time step takes 30 µs in the loop, 20 unrolled, 19 as ours; ready after 2.636 s where the loop is after 1.50.
    assert (shape.cell, shape.shape, shape.better) == ("lstm", (32, 64, 64), "full")
    assert shape.step.value == pytest.approx(19 / 20, rel=1e-3)
    assert shape.ready == pytest.approx(2.636 / 1.50, rel=1e-3)
    assert kernels.compared(rows) is None  # own-loop was not measured


def test_the_front_has_what_no_other_way_beats():
    ways = [(1.0, 10.0), (0.7, 12.0), (0.8, 12.0), (0.7, 13.0), (1.2, 3.0), (1.2, 3.0)]
    assert time_and_memory.front(ways) == [0, 1, 4, 5]


def test_the_half_life_has_the_interval_of_its_slope():
    assert gradients.half_life([-0.5, -0.5, -0.5]) == exactly(2)
    life = gradients.half_life([-0.4, -0.5, -0.6])
    assert life.value == pytest.approx(2)
    # Student's t with two degrees of freedom: 4.303 × 0.1 / sqrt(3).
    assert (life.low, life.high) == (pytest.approx(1 / 0.74842, rel=1e-4), pytest.approx(1 / 0.25158, rel=1e-4))
    assert gradients.half_life([-0.01, -1.5]).high == math.inf
    assert gradients.half_life([0.1, 0.2]) is None


def reached(slope: float) -> dict:
    norms = [2.0 ** (slope * back) for back in range(8)][::-1]
    return {
        "norms": norms,
        "doublings_per_time_step": slope,
        "r_squared": 1.0,
        "differences": {"full": 0.0, "k8": 1e-7},
    }


def test_how_far_gradients_reach_is_told_from_the_records(docs, tmp_path):
    files = {
        f"adding-lstm-{seed}.json": {
            "task": "adding",
            "cell": "lstm",
            "seed": seed,
            "timesteps": 8,
            "units": 4,
            "training_steps": 3,
            "at initialisation": reached(-1.0),
            "after training": reached(-0.25 - 0.001 * seed),
            "validation_loss": 0.1,
        }
        for seed in range(3)
    }
    keep_json(docs, gradients.RUNS[0].name, files, tmp_path)
    parts.write(docs)
    page = (docs / "findings.md").read_text()
    assert "the gradient halves at initialisation within 1.0 time steps (adding); after training within 4.0" in page
    assert "| adding | LSTM | 1.0 (1.0 to 1.0) | 4.0 (3.9 to 4.0) |" in page
    assert "is `full` 0e+00, `k8` 1e-07" in page
    assert (docs / "images" / "findings" / "gradients.png").exists()


def test_what_a_cut_costs_is_told_only_where_intervals_part(docs, tmp_path):
    losses = {None: (0.01, 0.011), 32: (0.01, 0.012), 8: (0.16, 0.161)}
    size = {"timesteps": 64, "units": 64, "training_steps": 2000, "describe": "adding"}
    files = {
        f"{cut}-{seed}.json": {"truncate": cut, "seed": seed, "validation_loss": loss, **size}
        for cut, each in losses.items()
        for seed, loss in enumerate(each)
    }
    keep_json(docs, time_and_memory.LEARNED.name, files, tmp_path)
    parts.write(docs)
    page = (docs / "findings.md").read_text()
    assert "Cut every 8 time steps, the network learns less than with the whole gradient." in page
    assert "Cut every 32 time steps, no loss of learning could be shown." in page


def test_a_training_writes_what_the_page_is_drawn_from(tmp_path):
    path = tmp_path / "one.json"
    trainings.gradients_job(path, "adding", "simple_rnn", 0, timesteps=6, units=3, steps=2)
    (found,) = trainings.read(tmp_path)
    assert len(found["at initialisation"]["norms"]) == 6
    assert set(found["after training"]["differences"]) == set(trainings.SETTINGS)
    assert max(found["after training"]["differences"].values()) < 1e-5  # the same gradients in every setting


def test_the_pages_are_what_was_kept():
    assert list((DOCS / parts.KEPT).glob("*.tar.xz"))
    command = [sys.executable, str(ROOT / "scripts" / "findings.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr


def test_parts_are_chosen_by_name():
    assert [run.name for run in parts.chosen(["layers"])] == ["layers-lstm", "layers-simple_rnn"]
    assert [run.name for run in parts.chosen([LSTM])] == [LSTM]
    # A part that is called as one of its runs means all of them.
    assert [run.name for run in parts.chosen(["time-and-memory"])] == ["time-and-memory", "truncation"]
    assert [run.name for run in parts.chosen([])] == list(parts.RUNS)
    with pytest.raises(SystemExit, match="There is no part laiers"):
        parts.chosen(["laiers"])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_part_is_measured_and_its_page_is_drawn(tmp_path):
    script = str(ROOT / "scripts" / "findings.py")
    command = [sys.executable, script, "--run", "layers-lstm", "--quick", "--logdir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=580)
    assert done.returncode == 0, done.stderr
    assert "**LSTM.** Yes: any setting goes with any other." in (tmp_path / "docs" / "findings.md").read_text()
    assert (tmp_path / "docs" / "data" / "findings" / "layers-lstm.tar.xz").exists()
    again = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert again.returncode == 0, again.stderr
