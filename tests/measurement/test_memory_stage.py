"""Counting the memory of tensors: once for real, otherwise with workers that only pretend."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasunroll.data import open_source
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.planning.variant import Variant
from kerasunroll.measurement.progress import ProgressCounter
from kerasunroll.measurement.records.record import Outcome, Record
from kerasunroll.measurement.stages import side_by_side as parallel
from kerasunroll.measurement.stages.memory import count_variants
from kerasunroll.measurement.workers.worker import WorkerError
from kerasunroll.training.config import TrainingConfig

T, F, U, B = 4, 2, 64, 32
FIGURES = {"tensor_peak_bytes": 9, "tensor_alive_bytes": 4, "tensor_added_bytes": 5, "tensor_inference_peak_bytes": 6}


@pytest.fixture
def variants(tmp_path) -> list[Variant]:
    options: dict[str, Any] = {"timesteps": T, "examples": 100}
    source = open_source("adding", **options)
    configs = [
        TrainingConfig.for_source(
            source, cell="lstm", units=(U,), unroll=unroll, batch_size=B, source="adding", **options
        )
        for unroll in (False, True)
    ]
    return [Variant(config, tmp_path / config.setting) for config in configs]


def test_bytes_are_those_of_weights_slots_batch_and_activations(variants):
    shares: list[float] = []
    kept: list[Record] = []
    counter = ProgressCounter(len(variants), lambda progress: shares.append(progress.done))
    records = count_variants(variants, Rules(), counter, at_once=2, keep=kept.append)
    assert [record.outcome for record in records] == [Outcome.DONE] * 2, [record.cause for record in records]
    parameters = 4 * (F * U + U * U + U) + U + 1
    batch = B * T * F + B
    needed = 4 * (3 * parameters + batch)  # float32; Adam has two slots for each weight
    activations = 4 * T * B * U * 5  # of each time step at least the state and the four gates
    for record in records:
        figures = record.figures
        # TensorFlow's allocator gives up to twice what is asked for (it splits a chunk from twice the size on).
        assert needed <= figures["tensor_alive_bytes"] < 2 * needed
        assert activations + 4 * parameters <= figures["tensor_added_bytes"] < 5 * (activations + 4 * parameters)
        assert figures["tensor_peak_bytes"] == figures["tensor_alive_bytes"] + figures["tensor_added_bytes"]
        assert figures["tensor_alive_bytes"] < figures["tensor_inference_peak_bytes"] < figures["tensor_peak_bytes"]
    loop, full = (np.load(variant.folder / "outputs.npz") for variant in variants)
    for moment in ("before", "after"):
        np.testing.assert_allclose(loop[moment], full[moment], atol=1e-5)
    assert np.abs(loop["after"] - loop["before"]).max() > 1e-4
    assert sorted(record.key for record in kept) == sorted(record.key for record in records)
    assert {record.configuration["measurement"] for record in records} == {"memory"}
    assert shares[-1] == 1


@dataclass
class Pretender:
    folder: Path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def receive(self, timeout):
        if self.folder.name == "full":
            raise WorkerError(Outcome.OUT_OF_MEMORY, "it used 3 GB of memory, its limit is 2 GB", "compile")
        return {"result": FIGURES}


def test_one_that_dies_is_recorded_and_the_others_go_on(variants, monkeypatch):
    monkeypatch.setattr(parallel, "Worker", lambda job, **_: Pretender(Path(job["folder"])))
    loop, full = count_variants(variants, Rules(), ProgressCounter(2, lambda _: None), at_once=1)
    assert (loop.outcome, dict(loop.figures)) == (Outcome.DONE, FIGURES)
    assert (full.outcome, full.phase, dict(full.figures)) == (Outcome.OUT_OF_MEMORY, "compile", {})


def test_none_is_begun_when_the_time_is_spent(variants):
    records = count_variants(variants, Rules(deadline=0), ProgressCounter(2, lambda _: None), at_once=2)
    for record in records:
        assert (record.outcome, record.cause) == (Outcome.INTERRUPTED, "the time budget was spent")
        assert not record.figures
    assert not any(variant.folder.exists() for variant in variants)
