"""One real timing, of a network so small that it takes seconds: with XLA, and without."""

import math
import random
from dataclasses import replace

import pytest

from kerasunroll.data import open_source
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.planning.variant import Variant
from kerasunroll.measurement.progress import ProgressCounter
from kerasunroll.measurement.records.record import Outcome
from kerasunroll.measurement.stages.timed_variant import PER_PROCESS
from kerasunroll.measurement.stages.timing import time_group
from kerasunroll.training.config import TrainingConfig

T, F, U = 4, 2, 2


@pytest.fixture
def variants(tmp_path) -> list[Variant]:
    """The first compiled by XLA, the second without it, and it diverges."""
    options = {"timesteps": T, "examples": 60, "source": "adding", "units": (U,), "cell": "lstm", "unroll": True}
    source = open_source("adding", timesteps=T, examples=60)
    xla = TrainingConfig.for_source(source, jit_compile=True, **options)
    plain = TrainingConfig.for_source(source, optimizer="sgd", learning_rate=1e30, clipnorm=None, **options)
    return [Variant(xla, tmp_path / "xla"), Variant(plain, tmp_path / "plain")]


def test_every_figure_is_measured(variants):
    rules = replace(Rules(), half_width=9.0)  # the fewest rounds
    xla, plain = time_group(variants, rules, ProgressCounter(7, lambda _: None), random.Random(0))
    assert (xla.outcome, plain.outcome) == (Outcome.DONE, Outcome.DIVERGED), (xla.cause, plain.cause)
    assert (xla.path, plain.path) == ("unrolled+xla", "unrolled")
    for record in (xla, plain):
        figures = record.figures
        assert figures["parameters"] == 4 * (F * U + U * U + U) + U + 1
        assert sum(record.operations.values()) == figures["training_step_nodes"] > figures["forward_nodes"]
        assert record.operations["MatMul"] >= 2 * T  # input and state of each time step
        assert figures["training_step_graph_bytes"] > figures["forward_graph_bytes"] > 0
        grown = figures["process_peak_bytes"] - figures["process_start_bytes"]
        assert figures["process_growth_bytes"] == pytest.approx(grown, abs=1)
        assert grown > 0
        times = [figures[name] for name in figures if name.endswith("_seconds")]
        assert all(0 < seconds < math.inf for seconds in times)
        assert figures["trace_seconds"] + figures["compile_seconds"] < figures["first_step_seconds"]
        assert figures["step_seconds"] < figures["first_step_seconds"]
        assert {name: [len(rounds) for rounds in processes] for name, processes in record.samples.items()} == {
            "step_seconds": [10] * 3,
            **dict.fromkeys(("forward_seconds", "predict_seconds"), [10] * 2),
            **dict.fromkeys(PER_PROCESS if record is xla else set(PER_PROCESS) - {"xla_compile_seconds"}, [1] * 3),
        }
        assert 0.5 < record.environment.import_seconds < 60
    assert 0 < xla.figures["xla_compile_seconds"] < xla.figures["first_step_seconds"]
    assert "xla_compile_seconds" not in plain.figures
