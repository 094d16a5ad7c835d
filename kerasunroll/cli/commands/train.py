"""`kerasunroll train`: one variant, with everything logged."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kerasunroll.api.progress import progress_bar
from kerasunroll.cli.console import interruptible, make_console
from kerasunroll.cli.executors import check_backend, executor_for
from kerasunroll.cli.options import SETTING_HELP, Cell, TrainingOptions, parse_units
from kerasunroll.errors import RunError
from kerasunroll.settings import parse_settings

if TYPE_CHECKING:
    from rich.console import Console

    from kerasunroll.data import Source
    from kerasunroll.measurement.execution.executor import Executor
    from kerasunroll.measurement.planning.rules import Rules
    from kerasunroll.measurement.planning.variant import Variant
    from kerasunroll.measurement.progress import OnProgress
    from kerasunroll.measurement.records.record import Record
    from kerasunroll.models import SavedModel
    from kerasunroll.training.config import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class TrainOptions(TrainingOptions):
    """The options of `train`."""

    timesteps: Annotated[int | None, typer.Option(help="length of a sequence; by default the source's own")] = None
    cell: Annotated[Cell, typer.Option(help="recurrent cell")] = Cell.LSTM
    units: Annotated[str, typer.Option(help="units of each layer, such as 64,64")] = "64,64"
    unroll: Annotated[str, typer.Option(help=SETTING_HELP)] = "loop"
    dtype: Annotated[str | None, typer.Option(help="dtype policy, such as mixed_bfloat16")] = None
    batch_size: Annotated[int, typer.Option(help="sequences per training step")] = 32
    jit: Annotated[bool, typer.Option("--jit", help="compile the training step with XLA")] = False
    time_limit: Annotated[float, typer.Option(min=1, help="seconds that any phase of the worker may take")] = 3600


def train(options: TrainOptions, given: frozenset[str]) -> None:
    """Train one variant, with graphs, memory and gradient norms logged for TensorBoard."""
    from kerasunroll.data import open_source
    from kerasunroll.measurement.planning.rules import Rules
    from kerasunroll.measurement.planning.variant import Variant, group_name
    from kerasunroll.measurement.records.folders import claim
    from kerasunroll.measurement.stages.training import RUN_FILE
    from kerasunroll.measurement.workers.worker import Limits
    from kerasunroll.training.config import MODEL_FILE

    console = make_console()
    model = options.saved_model(given)
    source = open_source(options.source, timesteps=options.timesteps, examples=options.examples, seed=options.seed)
    config = _config(options, model, source, given)
    config.check(source)
    check_backend(options, "train")
    if model:
        console.print(model.describe())
    console.print(source.describe())
    with executor_for(options) as (executor, _):
        folder = claim(options.logdir / group_name(config) / config.setting)
        rules = Rules(Limits(seconds=options.time_limit))
        with interruptible(folder), progress_bar() as on_progress:
            record = _trained(Variant(config, folder), len(source.x_train), rules, executor, on_progress)
    _report(console, record, folder / MODEL_FILE, folder / RUN_FILE)


def _trained(
    variant: "Variant", sequences: int, rules: "Rules", executor: "Executor", on_progress: "OnProgress"
) -> "Record":
    from kerasunroll.measurement.execution.executor import Schedule
    from kerasunroll.measurement.planning.estimate import estimate
    from kerasunroll.measurement.planning.findings import Findings
    from kerasunroll.measurement.planning.jobs import PlannedVariant, outstanding

    findings = Findings()
    group_jobs = outstanding(
        [PlannedVariant(variant, estimate(variant.config, sequences))], "training", findings, timed=False
    )
    executor.run(
        Schedule(group_jobs, "training", rules, findings, keep=findings.add, on_progress=on_progress, timed=False)
    )
    record = findings.of(variant, "training")
    assert record is not None  # noqa: S101 - without a deadline, everything ends with a record
    return record


def _config(
    options: TrainOptions, model: "SavedModel | None", source: "Source", given: frozenset[str]
) -> "TrainingConfig":
    from kerasunroll.training.config import TrainingConfig

    common = {"unroll": parse_settings(options.unroll), "timesteps": options.timesteps, **options.for_config()}
    if model is None:
        return TrainingConfig.for_source(
            source,
            cell=options.cell.value,
            units=parse_units(options.units),
            dtype=options.dtype,
            batch_size=options.batch_size,
            jit_compile=options.jit,
            **common,
        )
    fixed = None if "batch_size" in given else model.batch_size
    return TrainingConfig.for_model(
        source, model=model, batch_size=fixed or options.batch_size, jit_compile=options.jit or None, **common
    )


def _report(console: "Console", record: "Record", model: Path, run: Path) -> None:
    from kerasunroll.measurement.records.record import Outcome

    if record.outcome is not Outcome.DONE:
        raise RunError(f"Training ended in its {record.phase} phase ({record.outcome}): {record.cause}")
    figures = record.figures
    results = ", ".join(f"{name.removeprefix('final_')} {figures[name]:.4f}" for name in figures if "final_" in name)
    console.print(f"After the last epoch: {results}")
    console.print(f"Model: {model}\nRun: {run}")
    console.print(f"To look inside: tensorboard --logdir {model.parent}")
