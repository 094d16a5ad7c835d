"""Trainings whose gradients or losses are looked at, and not their time. Imports TensorFlow only when one begins."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from kerasunroll.data import open_source
from kerasunroll.files import write_whole
from kerasunroll.measurement.records.environment import Environment, environment
from kerasunroll.training.config import TrainingConfig

from .claims import where_measured

TEXT: Final = Path(__file__).parents[2] / "LICENSE"
SOURCES: Final = {"adding": "adding", "copy": "copy", "digits": "digits", "text": f"text:{TEXT}"}
SETTINGS: Final = ("full", "k8", "own-loop")
UNITS: Final = 64
LEARNING_RATE: Final = 0.003


def trained(
    task: str, cell: str, seed: int, *, timesteps: int, units: int, **options: Any
) -> tuple[Any, Any, TrainingConfig]:
    """Return a model ready to be trained, with its data: kerasunroll's loop, in which training is quickest."""
    import keras

    from kerasunroll.training.session import prepare

    keras.backend.clear_session()
    examples = 4000 if task in ("adding", "copy") else None
    source = open_source(SOURCES[task], timesteps=timesteps, examples=examples, seed=seed)
    config = TrainingConfig.for_source(
        source,
        cell=cell,
        units=(units,),
        unroll="own-loop",
        source=SOURCES[task],
        timesteps=timesteps,
        examples=examples,
        seed=seed,
        learning_rate=LEARNING_RATE,
        **options,
    )
    session = prepare(config)
    return session.model, session.source, config


def fit(model: Any, source: Any, training_steps: int) -> float:
    """Train for so many training steps; return the loss on the validation sequences."""
    model.fit(source.train(32).repeat(), steps_per_epoch=training_steps, epochs=1, shuffle=False, verbose=0)
    loss, *_ = model.evaluate(source.x_validation, source.y_validation, batch_size=64, verbose=0)
    return float(loss)


def gradients_job(path: Path, task: str, cell: str, seed: int, *, timesteps: int, units: int, steps: int) -> None:
    """Train a network, and write how far gradients reach in it before and after."""
    model, source, _ = trained(task, cell, seed, timesteps=timesteps, units=units)
    found: dict[str, Any] = {"task": task, "cell": cell, "seed": seed, "timesteps": timesteps, "units": units}
    found |= {"training_steps": steps, "describe": source.describe()}
    found["at initialisation"] = reach(model, source, settings=SETTINGS if seed == 0 else ())
    found["validation_loss"] = fit(model, source, steps)
    found["after training"] = reach(model, source, settings=SETTINGS if seed == 0 else ())
    if (task, cell, seed) == ("digits", "lstm", 0):
        found["states"] = _states(model, source)
    write(path, found)


def reach(model: Any, source: Any, settings: tuple[str, ...]) -> dict[str, Any]:
    """Return the norms of dL/dh_t, how they fall on their way back, and how far other settings are off.

    Where there is a loss at every time step, that of the last one alone is followed: the others would hide how far it
    reaches.
    """
    import numpy as np

    from kerasunroll.inspection import gradient_flow_summary, gradients_through_time
    from kerasunroll.models import with_unroll

    x, y = source.x_validation[:32], source.y_validation[:32]
    weight = None
    if source.return_sequences:
        weight = np.zeros(y.shape[:2], "float32")
        weight[:, -1] = 1
    result = gradients_through_time(with_unroll(model, "loop"), x, y, weight, weights=False)
    (layer,) = result.layers
    norms = layer.main.mean
    flow = gradient_flow_summary(result).layers[0]
    differences = {}
    for setting in settings:
        other = gradients_through_time(with_unroll(model, setting), x, y, weight, weights=False).layers[0].main.mean
        differences[setting] = float(np.abs(other - norms).max() / np.abs(norms).max())
    return {
        "norms": [float(f"{norm:.4g}") for norm in norms],
        "doublings_per_time_step": flow.doublings_per_time_step,
        "r_squared": flow.r_squared,
        "differences": differences,
    }


def _states(model: Any, source: Any) -> dict[str, list[list[float]]]:
    from kerasunroll.inspection import hidden_states
    from kerasunroll.models import with_unroll

    (layer,) = hidden_states(with_unroll(model, "loop"), source.x_validation[:1]).values()
    return {name: values[0].round(3).astype(float).tolist() for name, values in layer.states.items()}


def truncation_job(path: Path, truncate: int | None, seed: int, *, timesteps: int, units: int, steps: int) -> None:
    """Train a network whose gradient is cut, on a task that needs long memory, and write what it has learned."""
    kwargs = {} if truncate is None else {"truncate": truncate}
    model, source, _ = trained("adding", "lstm", seed, timesteps=timesteps, units=units, cell_kwargs=kwargs)
    found = {"truncate": truncate, "seed": seed, "timesteps": timesteps, "units": units, "training_steps": steps}
    write(path, found | {"validation_loss": fit(model, source, steps), "describe": source.describe()})


def write(path: Path, found: dict[str, Any]) -> None:
    """Write what was found, all of it or nothing."""
    facts = {"environment": environment().model_dump(mode="json"), "created": datetime.now(UTC).isoformat()}
    write_whole(path, json.dumps(found | facts, indent=1) + "\n")


def read(folder: Path) -> list[dict[str, Any]]:
    """Return what was found in a folder, in the order of the files' names."""
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]


def trained_where(found: Sequence[dict[str, Any]]) -> str:
    """Return on which machine something was trained, and when the last of it."""
    newest = max(datetime.fromisoformat(each["created"]) for each in found)
    return where_measured(Environment.model_validate(found[0]["environment"]), newest)
