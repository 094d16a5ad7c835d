"""benchmarks/gpu.py, run on a CPU as on a GPU: in everything but the GPU's own memory and speed."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from kerasunroll.errors import InputError
from kerasunroll.measurement.workers.environment_variables import COUNTED, TIMED

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
BEGIN, END = "<!-- written by benchmarks/gpu.py -->", "<!-- end of what benchmarks/gpu.py writes -->"
TINY = ["--device", "cpu", "--cell", "lstm", "--shape", "4,6,3", "--processes", "1", "--rounds", "10"]
TINY += ["--variant", "loop-no-cudnn", "--variant", "full"]


def run(cwd, *options):
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), *options]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A folder in which the three variants of a tiny LSTM have been measured, and what the command said."""
    folder = tmp_path_factory.mktemp("gpu")
    page = folder / "page.md"
    page.write_text(f"before\n\n{BEGIN}\nan old table\n{END}\n\nbehind\n")
    return folder, run(folder, *TINY, "--page", "page.md")


@pytest.fixture
def gpu(monkeypatch):
    """The benchmark as a module."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu

    return gpu


def rows_of(table):
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    names, *rows = ([cell.strip() for cell in line.strip("| ").split("|")] for line in lines)
    return [dict(zip(names, row, strict=True)) for row in rows]


class TestARun:
    def test_the_table_goes_between_the_markers_of_the_page(self, measured):
        folder, done = measured
        assert done.returncode == 0, done.stderr
        page = (folder / "page.md").read_text()
        assert re.fullmatch(f"before\n\n{BEGIN}\n\n(No GPU: .*)\n\n{END}\n\nbehind\n", page, re.DOTALL)
        assert done.stdout.strip() in page
        assert "an old table" not in page

    def test_every_variant_has_a_row_with_its_path_and_the_same_outputs(self, measured):
        rows = rows_of(measured[1].stdout)
        assert [row["variant"] for row in rows] == ["loop", "loop-no-cudnn", "full"]
        assert [row["path"] for row in rows] == ["while", "while", "unrolled"]
        assert {row["ended"] for row in rows} == {"done"}
        assert {row["tensor peak on the GPU"] for row in rows} == {"not measured: no GPU"}
        for row in rows[1:]:
            ratio, low, high = map(float, re.split(r" \(| to |\)", row["to the loop (95 % interval)"])[:3])
            assert low <= ratio <= high
            before, after = map(float, row["outputs differ by, before / after"].split("/"))
            assert max(before, after) < 1e-6

    def test_raw_rows_and_records_are_kept(self, measured):
        folder = measured[0] / "logs" / "gpu-on-cpu"
        kept = json.loads((folder / "gpu.json").read_text())
        assert kept["device"] == "cpu"
        assert [row["variant"] for row in kept["rows"]] == ["loop", "loop-no-cudnn", "full"]
        options = [row["configuration"]["stack"]["cell_kwargs"] for row in kept["rows"]]
        assert options == [{}, {"use_cudnn": False}, {}]
        assert all(
            row["figures"]["tensor_peak_bytes"] > 0 and row["figures"]["step_seconds"] > 0 for row in kept["rows"]
        )
        assert len(list((folder / "records").glob("*.record.json"))) == 6  # timing and memory of each

    def test_the_same_command_measures_only_what_is_missing(self, measured, tmp_path):
        folder = shutil.copytree(measured[0] / "logs", tmp_path / "logs") / "gpu-on-cpu" / "records"
        lost = next(path for path in folder.glob("full-*") if '"measurement": "memory"' in path.read_text())
        lost.unlink()
        before = {path.name for path in folder.iterdir()}
        done = run(tmp_path, *TINY)
        assert done.returncode == 0, done.stderr
        new = {path.name for path in folder.iterdir()} - before
        assert [name.rpartition("-")[0] for name in new] == [lost.name.rpartition("-")[0]]
        times = [[row["training step"] for row in rows_of(each.stdout)] for each in (done, measured[1])]
        assert times[0] == times[1]


def test_what_fails_is_a_row_and_nothing_measured_is_status_1(tmp_path):
    done = run(tmp_path, *TINY[:-4], "--variant", "full", "--time-limit", "0.01")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for row in rows_of(done.stdout):
        assert "timing: timeout" in row["ended"]
        assert row["training step"] == "–"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "TensorFlow sees no GPU here. Give --device cpu to try the benchmark without one."),
        (["--device", "cpu", "--shape", "4,6"], "--shape is batch,timesteps,units, such as 32,50,64, got '4,6'."),
        (["--device", "cpu", "--rounds", "2"], "--processes is at least 1 and --rounds at least 10."),
        (["--device", "cpu", "--page", "none.md"], "Cannot read --page 'none.md': No such file or directory."),
    ],
)
def test_what_cannot_be_is_one_sentence_and_leaves_nothing(tmp_path, options, message):
    page = tmp_path / "docs" / "gpu.md"
    page.parent.mkdir()
    shutil.copy(ROOT / "docs" / "gpu.md", page)
    before = page.read_bytes()
    done = run(tmp_path, *options)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (2, "", message)
    assert page.read_bytes() == before
    assert not (tmp_path / "logs").exists()


def test_the_page_has_the_markers_at_its_end(gpu):
    before, after = gpu.around_the_table(ROOT / "docs" / "gpu.md")
    assert before
    assert after.strip() == ""


def test_a_page_without_markers_is_refused(gpu, tmp_path):
    (tmp_path / "page.md").write_text(f"{BEGIN}\nno end")
    with pytest.raises(InputError, match=r"page.md' must have the lines"):
        gpu.around_the_table(tmp_path / "page.md")


def test_all_cells_are_in_the_grid_and_cudnn_is_switched_off_where_there_is_one(gpu, tmp_path):
    planned = {case.cell: case.planned(tmp_path, 1) for case in gpu.cases(gpu.CELLS, ["4,6,3"], gpu.NAMES)}
    assert {cell: len(variants) for cell, variants in planned.items()} == {"lstm": 6, "gru": 6, "simple_rnn": 5}
    for cell, variants in planned.items():
        assert len({one.variant.group for one in variants}) == 1  # all take turns
        assert len({one.variant.folder for one in variants}) == len(variants)
        switched_off = {one.variant.folder.name for one in variants if one.variant.config.stack.cell_kwargs}
        assert switched_off == (set() if cell == "simple_rnn" else {"loop-no-cudnn", "own-loop"})


def test_on_a_gpu_the_table_shows_its_memory_and_name(gpu, measured, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    here = gpu.environment()
    a_gpu = here.model_copy(update={"gpus": ("NVIDIA H200 (143771 MiB)",), "gpu_driver": "570.1"})
    monkeypatch.setattr(gpu, "environment", lambda: a_gpu)
    folder = measured[0] / "logs" / "gpu-on-cpu"
    rows = gpu.measure(gpu.cases(["lstm"], ["4,6,3"], ["loop-no-cudnn", "full"]), folder, gpu.Rules(processes=1))
    table = gpu.table(rows, on_gpu=True)
    assert table.startswith("NVIDIA H200 (143771 MiB) (driver 570.1); tensorflow ")
    kept = json.loads((folder / "gpu.json").read_text())["rows"]
    peaks = [gpu.format_bytes(row["figures"]["tensor_peak_bytes"]) for row in kept]
    assert [row["tensor peak on the GPU"] for row in rows_of(table)] == peaks


def test_the_memory_that_is_counted_is_the_gpus(monkeypatch):
    """The one thing that has to be pretended: what TensorFlow's allocator of a GPU answers."""
    import tensorflow as tf

    from kerasunroll.callbacks.device_memory import DeviceMemory

    answers = {"GPU:0": {"current": 3, "peak": 5}}
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: ["a GPU"] if kind == "GPU" else [])
    monkeypatch.setattr(tf.config.experimental, "get_memory_info", answers.__getitem__)
    monkeypatch.setattr(tf.config.experimental, "reset_memory_stats", lambda device: answers[device].update(peak=4))
    memory = DeviceMemory(SimpleNamespace(distribute_strategy=tf.distribute.get_strategy()))
    assert memory.reset() == {"gpu_0": 3}
    assert memory.peaks() == {"gpu_0": 4}


@pytest.mark.parametrize("variables", [TIMED, COUNTED])
def test_workers_leave_room_for_each_other_on_a_gpu(variables):
    assert variables["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
