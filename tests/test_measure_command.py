"""`measure` and `compare` over grids: plans, budgets, interruptions and going on, with stages that only pretend."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from kerasunroll.cli import main
from kerasunroll.errors import RunError
from kerasunroll.measurement.execution import local
from kerasunroll.measurement.records import store
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.record import Outcome, Record
from kerasunroll.measurement.records.store import RECORDS

ENVIRONMENT = environment()
SWEEP = [
    *("compare", "--no-train", "--source", "adding", "--examples", "100", "--cell", "lstm", "--units", "4"),
    *("--timesteps", "10", "--timesteps", "20", "--timesteps", "40"),
]


class Stages:
    """Pretends to time and to count: a full stack takes 2 ms for each time step, a loop 1 ms, and so on.

    Attributes:
        timed, counted: The folders below the comparison's own that were measured, in order.
        before: Called with the number of the group to be timed, so that something can happen first.
    """

    def __init__(self) -> None:
        self.timed: list[str] = []
        self.counted: list[str] = []
        self.before: Callable[[int], object] = id
        self.rules = []

    def time_group(self, variants, rules, *_, keep):
        self.before(len(self.timed) // 2)
        self.rules.append(rules)
        session = f"session {len(self.timed)}"
        for variant in variants:
            self.timed.append(name(variant))
            per_time_step = 0.002 if variant.setting == "full" else 0.001
            step = per_time_step * variant.config.stack.timesteps
            figures = {"step_seconds": step, "first_step_seconds": 1.0, "training_step_nodes": 100}
            keep(
                self.record(
                    variant, "timing", figures, samples={"step_seconds": [[[step] * 3] * 20] * 3}, session=session
                )
            )

    def count_variants(self, variants, *_, keep, **__):
        for variant in variants:
            self.counted.append(name(variant))
            added = 1000 * variant.config.stack.timesteps
            keep(self.record(variant, "memory", {"tensor_peak_bytes": added + 500, "tensor_added_bytes": added}))

    def record(self, variant, measurement, figures, **more):
        return Record(
            configuration=variant.question(measurement),
            variant=variant.setting,
            outcome=Outcome.DONE,
            figures=figures,
            environment=ENVIRONMENT,
            **more,
        )


def name(variant) -> str:
    return f"{variant.group} {variant.setting}"


@pytest.fixture
def stages(monkeypatch):
    made = Stages()
    monkeypatch.setattr(local, "time_group", made.time_group)
    monkeypatch.setattr(local, "count_variants", made.count_variants)
    return made


def run(*arguments: str) -> int:
    try:
        main(list(arguments))
    except SystemExit as end:
        return int(end.code or 0)
    return 0


EVERY = [f"lstm-L1-U4-T{timesteps} {setting}" for timesteps in (10, 20, 40) for setting in ("loop", "full")]


def test_a_sweep_tells_how_each_setting_grows_with_t(stages, tmp_path, capsys):
    """Both settings take a time in proportion to T; full takes twice the loop's at every T."""
    assert run(*SWEEP, "--logdir", str(tmp_path)) == 0
    assert stages.timed == EVERY
    assert sorted(stages.counted) == sorted(EVERY)
    output = capsys.readouterr().out
    assert output.count("2.00× the loop's") == 3
    results = json.loads((tmp_path / "compare" / "results.json").read_text())
    growth = {(each["setting"], each["figure"]): each for sweep in results["growth"] for each in sweep["curves"]}
    added = {key: curve["growth"]["per_time_step"] for key, curve in growth.items()}
    assert added["full", "step_seconds"] == pytest.approx(2 * added["loop", "step_seconds"])
    for (_, figure), curve in growth.items():
        assert curve["growth"]["bends"] is None
        offset = 100 if figure == "training_step_nodes" else 0
        assert curve["growth"]["offset"] == pytest.approx(offset, abs=1e-6)
    assert (tmp_path / "compare" / "results.csv").read_text().count("\n") == 1 + 12


def test_threads_are_compared_with_each_other_like_the_settings(stages, tmp_path, capsys):
    threads = ("--threads", "2/1", "--threads", "default")
    assert run(*SWEEP, *threads, "--logdir", str(tmp_path)) == 0
    names = ("loop-threads2-1", "full-threads2-1", "loop", "full")
    assert stages.timed == [f"lstm-L1-U4-T{t} {setting}" for t in (10, 20, 40) for setting in names]
    folder = tmp_path / "compare"
    results = json.loads((folder / "results.json").read_text())
    assert {each["setting"]: each["baseline"] for each in results["variants"]} == {
        **dict.fromkeys(names, "loop"),
        "loop": None,
    }
    assert [each["configuration"]["threads"] for each in results["variants"][:3]] == ["2/1", "2/1", None]
    assert len(results["verdicts"]) == 3
    (sweep,) = results["growth"]
    assert {each["setting"] for each in sweep["curves"]} == set(names)
    assert all(list((folder / "lstm-L1-U4-T10" / name / "train").glob("events.out.tfevents.*")) for name in names)
    stages.timed.clear()
    assert run("compare", "--resume", str(folder)) == 0
    assert stages.timed == []
    capsys.readouterr()
    assert run("compare", "--resume", str(folder), "--threads", "1") == 2
    assert "so that --threads cannot be given with it" in capsys.readouterr().err


@pytest.mark.parametrize("bad", ["0", "5000", "many"])
def test_what_is_no_number_of_threads_is_one_sentence(bad, stages, tmp_path, capsys):
    assert run(*SWEEP, "--threads", bad, "--logdir", str(tmp_path / "logs")) == 2
    said = capsys.readouterr().err
    assert said.startswith("kerasunroll: Invalid threads: expected a number from 1 to 1024 such as 2 (intra-op), ")
    assert said.endswith(f"or default, got '{bad}'.\n")
    assert not (tmp_path / "logs").exists()


def test_a_dry_run_shows_the_plan_and_leaves_nothing(stages, tmp_path, capsys):
    assert run(*SWEEP, "--dry-run", "--logdir", str(tmp_path / "logs")) == 0
    output = capsys.readouterr().out
    assert "6 variants in 3 groups, about " in output
    assert "lstm-L1-U4-T40" in output
    assert stages.timed == []
    assert not (tmp_path / "logs").exists()


def test_a_budget_leaves_out_what_does_not_fit_and_says_how_to_go_on(stages, tmp_path, capsys):
    assert run(*SWEEP, "--budget", "40s", "--logdir", str(tmp_path)) == 0
    assert stages.timed == EVERY[:2]
    assert stages.rules[0].deadline < time.monotonic() + 40
    output = " ".join(capsys.readouterr().out.split())
    assert "The time suffices for the first 1 group; --resume does the others." in output
    folder = tmp_path / "compare"
    assert f"Go on with: kerasunroll compare --resume {folder}" in output
    assert run("compare", "--resume", str(folder)) == 0
    assert stages.timed == EVERY
    assert len(store.load(folder / RECORDS).records) == 12


def test_an_interrupted_sweep_keeps_what_it_has_and_goes_on(stages, tmp_path, capsys):
    def interrupt(number):
        if number == 1:
            raise KeyboardInterrupt

    stages.before = interrupt
    assert run(*SWEEP, "--logdir", str(tmp_path)) == 130
    folder = tmp_path / "compare"
    assert capsys.readouterr().err == (
        "kerasunroll: Interrupted. What was measured so far is kept; "
        f"go on with: kerasunroll compare --resume {folder}\n"
    )
    assert len(store.load(folder / RECORDS).records) == 2
    stages.before = id
    assert run("compare", "--resume", str(folder)) == 0
    assert stages.timed == EVERY
    assert sorted(stages.counted) == sorted(EVERY)


def test_a_run_that_is_complete_has_nothing_left_to_do(stages, tmp_path, capsys):
    run(*SWEEP, "--logdir", str(tmp_path))
    results = tmp_path / "compare" / "results.json"
    first = results.read_text()
    capsys.readouterr()
    assert run("compare", "--resume", str(tmp_path / "compare")) == 0
    assert stages.timed == EVERY
    assert results.read_text() == first
    assert "6 variants in 3 groups: all of it has been measured." in capsys.readouterr().out


def test_a_damaged_record_is_told_and_measured_again(stages, tmp_path, capsys):
    run(*SWEEP, "--logdir", str(tmp_path))
    path = next(
        path
        for path in (tmp_path / "compare" / RECORDS).glob("full-*")
        if '"tensor_added_bytes": 20000' in path.read_text()
    )
    path.write_text(path.read_text().replace("20000", "10000"))
    assert run("compare", "--resume", str(tmp_path / "compare")) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert f"Set aside: '{path}.damaged': its checksum does not fit" in output
    assert stages.counted[6:] == ["lstm-L1-U4-T20 full"]
    assert stages.timed == EVERY


def test_another_machine_does_not_go_on_unless_told_to(stages, tmp_path, capsys, monkeypatch):
    run(*SWEEP, "--budget", "40s", "--logdir", str(tmp_path))
    elsewhere = ENVIRONMENT.model_copy(update={"cpu": "Zuse Z3"})
    monkeypatch.setattr("kerasunroll.measurement.execution.local.environment", lambda: elsewhere)
    resume = ["compare", "--resume", str(tmp_path / "compare")]
    assert run(*resume) == 2
    assert f"- cpu: {ENVIRONMENT.cpu} against Zuse Z3\n" in capsys.readouterr().err
    assert len(stages.timed) == 2
    assert run(*resume, "--mix-environments") == 0
    assert len(stages.timed) == 6


def test_what_is_measured_cannot_be_changed_when_going_on(tmp_path, capsys):
    assert run("compare", "--resume", str(tmp_path), "--cell", "lstm", "--units", "4") == 2
    assert "so that --cell, --units cannot be given with it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "soon"], "Invalid --budget: expected a time such as 90s, 5m or 1h30m, got 'soon'"),
        (["--budget", "-5m"], "Invalid --budget"),
        (["--time-limit", "0"], "Invalid --time-limit"),
        (["--time-limit", "lunch=5m"], "there is no phase 'lunch'. There are start, import, build, compile"),
        (["--memory-limit", "much"], "Invalid --memory-limit: expected a size such as 4GB or 500MiB, got 'much'"),
        (["--half-width", "0"], "half-width"),
        (["--max-rounds", "3"], "max-rounds"),
        (["--processes", "0"], "processes"),
        (["--layers", "2", "--units", "4,4"], "With --layers, units are for one layer"),
        (["--layers", "0"], "units"),
    ],
)
def test_bad_options_are_refused_before_anything_is_made(tmp_path, capsys, arguments, message):
    assert run("measure", *arguments, "--logdir", str(tmp_path / "logs")) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert not (tmp_path / "logs").exists()


def test_limits_reach_the_workers(stages, tmp_path):
    limits = ["--time-limit", "5m", "--time-limit", "compile=90", "--memory-limit", "2GB"]
    assert (
        run(*SWEEP, *limits, "--half-width", "0.1", "--max-rounds", "15", "--processes", "2", "--logdir", str(tmp_path))
        == 0
    )
    (rules, *_) = stages.rules
    assert (rules.limits.of("build"), rules.limits.of("compile")) == (300, 90)
    assert rules.limits.memory_bytes == 2_000_000_000
    assert (rules.half_width, rules.max_rounds, rules.processes) == (0.1, 15, 2)


@contextmanager
def small_disk(folder: Path):
    folder.mkdir()
    mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=48k", "none", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, check=False).returncode:
        pytest.skip("mounting a small tmpfs needs root on Linux")
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", str(folder)], check=True)


def test_a_full_disk_loses_nothing_that_was_measured(stages, tmp_path, capsys):
    with small_disk(tmp_path / "disk") as disk:
        assert run(*SWEEP, "--logdir", str(disk)) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "No space left on device" in said
        assert f"go on with: kerasunroll compare --resume {disk / 'compare'}" in said
        contents = store.load(disk / "compare" / RECORDS)
        assert contents.damaged == ()
        assert 0 < len(contents.records) < 12


def test_a_read_only_disk_is_refused(stages, tmp_path, capsys):
    with small_disk(tmp_path / "disk") as disk:
        subprocess.run(["/bin/mount", "-o", "remount,ro", str(disk)], check=True)
        assert run(*SWEEP, "--logdir", str(disk)) == 2
        assert f"Cannot make folder '{disk / 'compare'}': Read-only file system" in capsys.readouterr().err
        assert stages.timed == []


def test_a_failure_to_write_in_the_middle_says_how_to_go_on(stages, tmp_path, capsys, monkeypatch):
    def fail(record, folder):
        raise RunError("Could not write 'x': Input/output error.")

    monkeypatch.setattr(store, "save", fail)
    assert run(*SWEEP, "--logdir", str(tmp_path)) == 1
    assert "Input/output error. What was measured so far is kept; go on with: kerasunroll" in capsys.readouterr().err


def test_a_coordinator_that_is_killed_leaves_no_worker_and_can_be_resumed(tmp_path):
    """For real: SIGKILL while a worker imports TensorFlow; then the rest is measured."""
    command = [sys.executable, "-c", "from kerasunroll.cli import main; main()"]
    tiny = ["--source", "adding", "--examples", "80", "--timesteps", "4", "--units", "2"]
    measure = [*command, "measure", *tiny, "--logdir", str(tmp_path)]
    coordinator = subprocess.Popen(measure, stdout=subprocess.DEVNULL)
    workers: list[psutil.Process] = []
    deadline = time.monotonic() + 60
    while not workers and time.monotonic() < deadline:
        workers = psutil.Process(coordinator.pid).children(recursive=True)
        time.sleep(0.05)
    os.kill(coordinator.pid, signal.SIGKILL)
    coordinator.wait()
    assert workers
    _, alive = psutil.wait_procs(workers, timeout=15)
    assert alive == []
    resumed = subprocess.run(
        [*command, "measure", "--resume", str(tmp_path / "measure")], capture_output=True, text=True, check=False
    )
    assert resumed.returncode == 0, resumed.stderr
    records = store.load(tmp_path / "measure" / RECORDS).records
    assert {record.outcome for record in records} == {Outcome.DONE}
    assert sorted(record.configuration["measurement"] for record in records) == ["memory", "timing"]
