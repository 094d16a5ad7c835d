"""The folder of a comparison that nobody measured, as `kerasunroll compare` would leave it."""

from pathlib import Path

import numpy as np
from fixed_records import ENVIRONMENT, each_process, rounds

from kerasunroll.figures.flow_history import FlowHistory, save_histories
from kerasunroll.measurement.planning.jobs import PlannedVariant
from kerasunroll.measurement.planning.plan import Plan, SourceFacts
from kerasunroll.measurement.records import store
from kerasunroll.measurement.records.record import Outcome, Record
from kerasunroll.measurement.records.store import RECORDS
from kerasunroll.models import StackConfig
from kerasunroll.tasks import Classification
from kerasunroll.training.config import TrainingConfig

SETTINGS = {"loop": False, "k8": 8, "full": True}
STEP = {"loop": 30e-6, "k8": 19e-6, "full": 20e-6}
"""Seconds of a training step for each time step."""


def write_run(
    folder: Path,
    *,
    timesteps=(64,),
    settings=tuple(SETTINGS),
    follow_up="training",
    failed=(),
    missing=(),
    trained=True,
    data="digits: 1437 <sequences>",
) -> Path:
    """Write plan and records; `failed` and `missing` hold pairs of a length and a setting."""
    configs = [config(setting, t) for t in timesteps for setting in settings]
    sources = {str(t): SourceFacts(description=data, training_sequences=1437) for t in timesteps}
    plan = Plan(configs=configs, follow_up=follow_up, sources=sources)
    folder.mkdir(parents=True, exist_ok=True)
    plan.save(folder)
    for one in plan.planned(folder):
        of = (one.variant.config.timesteps, one.variant.setting)
        if of in failed:
            save(one, folder, "timing", outcome=Outcome.TIMEOUT, cause="more than <600> s", phase="compile")
        elif of not in missing:
            write_variant(one, folder, *of, follow_up if trained else None)
    return folder


def config(setting: str, timesteps: int) -> TrainingConfig:
    stack = StackConfig(
        cell="lstm", input_shape=(timesteps, 1), units=(64, 64), unroll=SETTINGS[setting], head=Classification(10)
    )
    return TrainingConfig(stack=stack, timesteps=timesteps)


def write_variant(one: PlannedVariant, folder: Path, timesteps: int, setting: str, follow_up: str | None) -> None:
    unrolled = {"loop": 0, "k8": 8, "full": timesteps}[setting]
    step = STEP[setting] * timesteps
    once = {
        "build_seconds": 0.1 + 0.002 * unrolled,
        "trace_seconds": 0.8 + 0.08 * unrolled,
        "compile_seconds": 0.6 + 0.06 * unrolled,
        "process_growth_bytes": 60_000_000 + 1_500_000 * unrolled + 200_000 * timesteps,
        "process_peak_bytes": 760_000_000 + 1_500_000 * unrolled,
    }
    save(
        one,
        folder,
        "timing",
        figures={
            "parameters": 50_442,
            "step_seconds": step,
            "training_step_nodes": 2100 + 120 * unrolled,
            **once,
        },
        samples={"step_seconds": rounds(step), **{name: each_process(value) for name, value in once.items()}},
        path={"loop": "while", "k8": "chunked", "full": "unrolled"}[setting],
        session=f"at {timesteps}",
        stopped_by="width",
    )
    if follow_up is None:
        return
    tensors = 60_000 * timesteps * (3 if unrolled else 2)
    figures = {"tensor_peak_bytes": tensors + 900_000, "tensor_added_bytes": tensors}
    save(one, folder, follow_up, figures=figures | ({"final_loss": 0.5} if follow_up == "training" else {}))
    place = one.variant.folder
    place.mkdir(parents=True, exist_ok=True)
    outputs = np.full((4, 10), 0.5, "float32") + (3e-7 if unrolled else 0)
    np.savez(place / "outputs.npz", before=outputs, after=outputs)
    if follow_up == "training":
        norms = np.geomspace(1e-6, 1e-2, timesteps)[None]
        flow = [
            FlowHistory(layer, np.array([0]), {"h": norms * (1 + 1e-7 * unrolled)}, np.zeros((1, timesteps)))
            for layer in ("lstm_1", "lstm_2")
        ]
        save_histories(flow, place)


def save(one: PlannedVariant, folder: Path, measurement: str, **fields) -> None:
    fields = {"outcome": Outcome.DONE, "environment": ENVIRONMENT} | fields
    question = one.variant.question(measurement)
    store.save(Record(configuration=question, variant=one.variant.setting, **fields), folder / RECORDS)
