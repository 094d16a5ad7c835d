"""Variants with records that nobody measured: what the reports make of them can be worked out by hand."""

from pathlib import Path

import numpy as np

from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.measurement.planning.variant import Variant
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.record import Outcome, Record
from kerasunroll.models import StackConfig
from kerasunroll.tasks import Classification
from kerasunroll.training.config import TrainingConfig

ENVIRONMENT = environment({})
FOLDER = Path("nowhere")
DRIFT = np.linspace(1.0, 1.1, 20)
"""A machine that becomes 10 % slower, which the ratios must not notice; too little for a mark."""


def rounds(seconds, drift=DRIFT) -> list[list[list[float]]]:
    """Return the rounds of three processes that differ, and scatter: no two blocks take exactly the same time."""
    scatter = np.random.default_rng(round(1e6 * seconds)).normal(0, 1e-3, (3, len(drift)))
    scatter += np.array([[-0.018], [0], [0.018]])
    return [
        [[float(seconds * factor * np.exp(noise))] * 5 for factor, noise in zip(drift, process, strict=True)]
        for process in scatter
    ]


def each_process(value: float) -> list[list[list[float]]]:
    """Return what three processes gave once, a hundredth apart."""
    return [[[value * factor]] for factor in (0.99, 1.0, 1.01)]


def variant(setting="loop", folder=FOLDER, timesteps=4, name=None, **options) -> Variant:
    named = {} if name is None else {"name": name}
    stack = StackConfig(
        cell="lstm", input_shape=(timesteps, 1), units=(2,), unroll=setting == "full", head=Classification(10), **named
    )
    return Variant(TrainingConfig(stack=stack, timesteps=timesteps, **options), folder / setting)


def record(of: Variant, measurement="timing", outcome=Outcome.DONE, facts=ENVIRONMENT, **fields) -> Record:
    ended = {} if outcome is Outcome.DONE else {"cause": "it took too long", "phase": "compile"}
    return Record(
        configuration=of.question(measurement),
        variant=of.setting,
        outcome=outcome,
        environment=facts,
        **ended | fields,
    )


def timing(of: Variant, step_seconds=0.02, figures=None, samples=None, **fields) -> Record:
    return record(
        of,
        **{
            "figures": {"parameters": 1234, "step_seconds": step_seconds, **(figures or {})},
            "samples": {"step_seconds": rounds(step_seconds), **(samples or {})},
            "path": "while" if of.setting == "loop" else "unrolled",
            "session": "one",
            "stopped_by": "width",
        }
        | fields,
    )


def failed(of: Variant, outcome=Outcome.TIMEOUT) -> Record:
    """Return the record of a variant that was never timed."""
    return record(of, outcome=outcome, figures={"build_seconds": 0.1}, session="one")


def training(of: Variant, **fields) -> Record:
    figures = {"final_loss": 0.5, "final_val_accuracy": 0.914, "tensor_peak_bytes": 12_900_000}
    return record(of, "training", **{"figures": figures} | fields)


def measured(setting="loop", step_seconds=0.02, folder=FOLDER, **fields) -> Measured:
    """Return a variant of which everything was measured but its memory, in a pass of its own."""
    of = variant(setting, folder)
    return Measured(of, timing=timing(of, step_seconds, **fields), training=training(of))
