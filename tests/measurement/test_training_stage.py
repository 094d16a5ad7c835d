"""Training with workers that only pretend, so that every message and every failure is known."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kerasunroll.data import open_source
from kerasunroll.measurement.planning import rules as rules_module
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.planning.variant import Variant
from kerasunroll.measurement.progress import ProgressCounter
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.record import Outcome, Record
from kerasunroll.measurement.stages import side_by_side as parallel
from kerasunroll.measurement.stages.training import train_variants
from kerasunroll.measurement.workers.worker import WorkerError
from kerasunroll.training.config import TrainingConfig

SECONDS = 10
MEMORY = {"tensor_peak_bytes": 9_000_000, "tensor_alive_bytes": 2_000_000}
Play = Callable[["Pretender"], Iterator[dict[str, Any]]]


def result(**changes) -> dict[str, Any]:
    history = {"loss": [0.9, 0.5], "val_mae": [0.8, 0.25]}
    return {"result": {"history": history, "fit_seconds": 3.5, **MEMORY, **changes}}


def trains(worker: "Pretender") -> Iterator[dict[str, Any]]:
    for done in (2, 4, 8):
        yield {"done": done, "of": 8}
    yield result()


def fails(worker: "Pretender") -> Iterator[dict[str, Any]]:
    yield {"done": 2, "of": 8}
    raise WorkerError(Outcome.CRASHED, "it was killed by SIGSEGV", "train")


def hangs(worker: "Pretender") -> Iterator[dict[str, Any]]:
    yield {"done": 2, "of": 8}
    assert worker.killed.wait(SECONDS)
    raise WorkerError(Outcome.INTERRUPTED, "the coordinator ended it", "train")


@dataclass
class Pretender:
    job: dict[str, Any]
    play: Play
    sent: Iterator[dict[str, Any]] | None = None
    killed: threading.Event = field(default_factory=threading.Event)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def receive(self, timeout):
        self.sent = self.sent or self.play(self)
        return next(self.sent)

    def kill(self):
        self.killed.set()


@pytest.fixture
def variants(tmp_path) -> list[Variant]:
    source = open_source("adding", timesteps=4, examples=40)
    configs = [
        TrainingConfig.for_source(source, cell=cell, units=(2,), unroll=unroll)
        for cell in ("lstm", "gru")
        for unroll in (False, True)
    ]
    return [Variant(config, tmp_path / config.stack.cell / config.setting) for config in configs]


@pytest.fixture
def train_them(variants, monkeypatch):
    """Train the first variants, each as its play says; returns the records and what was kept, in order."""

    def train_them(*plays: Play, at_once: int = 1, timings=None, on_progress=lambda _: None, workers=None, rules=None):
        workers = [] if workers is None else workers
        by_folder = {variant.folder: play for variant, play in zip(variants, plays, strict=False)}

        def start(job, *, log_path, **_):
            workers.append(Pretender(job, by_folder[log_path.parent]))
            return workers[-1]

        monkeypatch.setattr(parallel, "Worker", start)
        kept: list[Record] = []
        counter = ProgressCounter(len(plays), on_progress)
        chosen = variants[: len(plays)]
        return train_variants(chosen, timings or {}, rules or Rules(), counter, at_once, keep=kept.append), kept

    return train_them


def run_file(variant: Variant) -> Path:
    return variant.folder / "run.json"


def test_curves_of_an_interrupted_training_are_not_mixed_with_new_ones(train_them, variants):
    torn = variants[0].folder / "train" / "events.out.tfevents.1.host.2.0.v2"
    torn.parent.mkdir(parents=True)
    torn.write_bytes(b"half an event")
    seen = []

    def looks(worker):
        seen.append(torn.exists())
        yield result()

    train_them(looks)
    assert seen == [False]


def test_a_record_holds_the_last_of_each_metric_and_all_epochs(train_them, variants):
    (record,), kept = train_them(trains)
    assert record.outcome is Outcome.DONE
    assert dict(record.figures) == {
        "final_loss": 0.5,
        "final_val_mae": 0.25,
        "fit_seconds": 3.5,
        "tensor_peak_bytes": 9_000_000,
        "tensor_alive_bytes": 2_000_000,
        "tensor_added_bytes": 7_000_000,
    }
    assert json.loads(record.model_dump_json())["samples"] == {"loss": [[[0.9, 0.5]]], "val_mae": [[[0.8, 0.25]]]}
    assert kept == [record]
    assert Record.model_validate_json(run_file(variants[0]).read_text()) == record


def test_memory_that_could_not_be_counted_is_absent(train_them):
    (record,), _ = train_them(lambda _: iter([result(tensor_peak_bytes=None, tensor_alive_bytes=None)]))
    assert not [name for name in record.figures if name.endswith("_bytes")]


@pytest.mark.parametrize(("loss", "word"), [("nan", "NaN"), ("inf", "infinite")])
def test_a_loss_that_is_no_number_any_more_is_told_and_everything_kept(train_them, variants, loss, word):
    history = {"loss": [0.9, 0.8, float(loss)]}
    (record,), _ = train_them(lambda _: iter([result(history=history)]))
    assert (record.outcome, record.phase) == (Outcome.DIVERGED, "train")
    assert (
        record.cause
        == f"the loss became {word} in epoch 3: lower the learning rate, clip the gradient, or look for NaN in the data"
    )
    assert record.figures["tensor_added_bytes"] == 7_000_000
    written = json.loads(run_file(variants[0]).read_text())
    assert (written["figures"]["final_loss"], len(written["samples"]["loss"][0][0])) == (
        "NaN" if word == "NaN" else "Infinity",
        3,
    )


def test_what_is_not_done_when_the_time_is_spent_is_to_be_done_again(train_them, monkeypatch):
    now = [100.0]

    def takes_too_long(worker):
        yield {"done": 2, "of": 8}
        now[0] += 50
        raise WorkerError(Outcome.TIMEOUT, "it did not answer within 10 s", "train")

    monkeypatch.setattr(rules_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    workers: list[Pretender] = []
    records, kept = train_them(trains, takes_too_long, trains, workers=workers, rules=Rules(deadline=110))
    assert [record.outcome for record in records] == [Outcome.DONE, Outcome.INTERRUPTED, Outcome.INTERRUPTED]
    assert [record.cause for record in records[1:]] == ["the time budget was spent"] * 2
    assert [record.phase for record in records[1:]] == ["train", "start"]
    assert len(workers) == 2
    assert kept == records


def test_what_was_measured_before_goes_to_the_run(train_them, variants):
    figures = {"step_seconds": 0.02, "trace_seconds": 1.5, "compile_seconds": 2.5, "parameters": 7}
    timing = Record(configuration={}, variant="loop", outcome=Outcome.DONE, figures=figures, environment=environment())
    workers: list[Pretender] = []
    train_them(trains, trains, timings={variants[0].folder: timing}, workers=workers)
    timed, untimed = (worker.job for worker in workers)
    assert timed["figures"] == {
        "time/step_seconds": 0.02,
        "time/trace_seconds": 1.5,
        "time/compile_seconds": 2.5,
    }
    assert untimed["figures"] is None  # so that the run logs its own
    assert TrainingConfig(**timed["config"]) == variants[0].config
    assert timed["folder"] == str(variants[0].folder)


def test_one_that_dies_is_recorded_and_the_others_go_on(train_them, variants):
    records, kept = train_them(trains, fails, trains)
    assert [record.outcome for record in records] == [Outcome.DONE, Outcome.CRASHED, Outcome.DONE]
    dead = records[1]
    assert (dead.cause, dead.phase, dict(dead.figures)) == ("it was killed by SIGSEGV", "train", {})
    assert json.loads(run_file(variants[1]).read_text())["outcome"] == "crashed"
    assert kept == records


def test_each_record_is_kept_before_the_next_training_begins(train_them, variants):
    def looks(worker):
        assert run_file(variants[0]).is_file()
        return trains(worker)

    _, kept = train_them(trains, looks)
    assert len(kept) == 2


def test_as_many_as_asked_are_trained_at_once(train_them):
    together = threading.Barrier(2, timeout=SECONDS)

    def meets(worker):
        together.wait()
        return trains(worker)

    records, _ = train_them(meets, meets, meets, meets, at_once=2)
    assert {record.outcome for record in records} == {Outcome.DONE}


def test_progress_adds_up_to_the_whole(train_them):
    shares: list[float] = []
    train_them(trains, trains, on_progress=lambda progress: shares.append(progress.done))
    assert shares == [1 / 8, 1 / 4, 1 / 2, 5 / 8, 3 / 4, 1]


def interrupts(worker: Pretender) -> Iterator[dict[str, Any]]:
    """Ctrl-C comes while the coordinator waits for this one."""
    yield {"done": 2, "of": 8}
    raise KeyboardInterrupt


def test_ctrl_c_ends_those_that_run_and_starts_no_more(train_them, variants):
    workers: list[Pretender] = []
    with pytest.raises(KeyboardInterrupt):
        train_them(interrupts, hangs, trains, trains, at_once=2, workers=workers)
    (hung,) = (worker for worker in workers if worker.play is hangs)
    assert hung.killed.is_set()
    written = json.loads(run_file(variants[1]).read_text())
    assert (written["outcome"], written["cause"]) == ("interrupted", "interrupted by the user")
    assert not run_file(variants[3]).exists()


def test_ctrl_c_also_ends_a_worker_that_is_just_being_started(train_them, monkeypatch):
    killing = threading.Event()
    kill_all = parallel.Workers.kill

    def note(workers):
        kill_all(workers)
        killing.set()

    def starts_slowly(worker):
        assert killing.wait(SECONDS)
        return worker

    monkeypatch.setattr(parallel.Workers, "kill", note)
    monkeypatch.setattr(Pretender, "__enter__", lambda self: starts_slowly(self) if self.play is hangs else self)
    workers: list[Pretender] = []
    with pytest.raises(KeyboardInterrupt):
        train_them(interrupts, hangs, at_once=2, workers=workers)
    assert all(worker.killed.is_set() for worker in workers if worker.play is hangs)
