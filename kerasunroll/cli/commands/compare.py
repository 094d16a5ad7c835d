"""`kerasunroll compare` and `kerasunroll measure`: what variants cost, over grids, with a plan that can be resumed.

A long module: a third of it is the options.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kerasunroll.api.progress import beside_the_bar, progress_bar
from kerasunroll.cli.console import how_to_go_on, make_console, resumable
from kerasunroll.cli.executors import check_backend, executor_for, executor_words
from kerasunroll.cli.options import SETTING_HELP, Cell, TrainingOptions, parse_units, refuse_beside_resume
from kerasunroll.measurement.planning.quantities import parse_limits, parse_seconds
from kerasunroll.training.threads import DEFAULT, Threads

if TYPE_CHECKING:
    from rich.console import Console

    from kerasunroll.api.comparison import Comparison
    from kerasunroll.measurement.execution.executor import Executor
    from kerasunroll.measurement.planning.findings import Measured
    from kerasunroll.measurement.planning.grid import Grid, ModelGrid
    from kerasunroll.measurement.planning.jobs import FollowUp
    from kerasunroll.measurement.planning.plan import Plan
    from kerasunroll.measurement.planning.rules import Rules
    from kerasunroll.models import SavedModel

MIN_ROUNDS: Final = 10


@dataclass(frozen=True, kw_only=True)
class GridOptions(TrainingOptions):
    """A grid of variants, and what measuring them may take. Options whose type is a list may be repeated."""

    cell: Annotated[list[Cell] | None, typer.Option(help="recurrent cell; may be repeated")] = None
    units: Annotated[list[str] | None, typer.Option(help="units of each layer, by default 64,64; may be repeated")] = (
        None
    )
    layers: Annotated[list[int] | None, typer.Option(help="layers of --units each; may be repeated")] = None
    timesteps: Annotated[
        list[int] | None, typer.Option(help="length of a sequence; by default the source's own; may be repeated")
    ] = None
    batch_size: Annotated[
        list[int] | None, typer.Option(help="sequences per training step, by default 32; may be repeated")
    ] = None
    unroll: Annotated[list[str] | None, typer.Option(help=f"{SETTING_HELP}; may be repeated")] = None
    threads: Annotated[
        list[str] | None,
        typer.Option(help="TensorFlow's threads: 1 (intra-op), 2/1 (intra-op/inter-op) or default; may be repeated"),
    ] = None
    jit: Annotated[
        list[bool] | None, typer.Option("--jit/--no-jit", help="compile the training step with XLA; both may be given")
    ] = None
    dtype: Annotated[
        list[str] | None, typer.Option(help="dtype policy, such as float32 or mixed_bfloat16; may be repeated")
    ] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the plan and how long it will take, then end")] = (
        False
    )
    budget: Annotated[str | None, typer.Option(help="time for everything, such as 5m")] = None
    time_limit: Annotated[
        list[str] | None,
        typer.Option(help="time for any phase of a worker, by default 10m, or one such as compile=2m; may be repeated"),
    ] = None
    memory_limit: Annotated[str | None, typer.Option(help="memory that a worker may use, such as 4GB")] = None
    half_width: Annotated[
        float, typer.Option(min=0.001, max=1, help="how narrow to make the interval of each ratio: 0.03 is ±3 %")
    ] = 0.03
    max_rounds: Annotated[int, typer.Option(min=MIN_ROUNDS, help="rounds of timing at most")] = 40
    processes: Annotated[
        int,
        typer.Option(min=1, help="fresh processes that each variant is compiled and timed in; 1 is quick and rough"),
    ] = 3
    inference: Annotated[
        bool | None,
        typer.Option(help="also time the forward pass and predict; by default only if nothing is trained"),
    ] = None
    resume: Annotated[
        Path | None, typer.Option(help="go on in this folder of an earlier run: measure only what is missing")
    ] = None
    mix_environments: Annotated[
        bool,
        typer.Option("--mix-environments", help="go on even if machine or software changed, or differ between nodes"),
    ] = False
    per_node_type: Annotated[
        bool, typer.Option("--per-node-type", help="with --executor ray: measure everything on each kind of node")
    ] = False


@dataclass(frozen=True, kw_only=True)
class CompareOptions(GridOptions):
    """The options of `compare`."""

    train: Annotated[
        bool, typer.Option(help="also train every variant, with everything logged; otherwise only count its memory")
    ] = True


@dataclass(frozen=True, kw_only=True)
class MeasureOptions(GridOptions):
    """The options of `measure`."""


WITH_RESUME: Final = frozenset(
    {"resume", "dry_run", "budget", "time_limit", "memory_limit", "half_width", "max_rounds", "processes"}
    | {"mix_environments", "executor", "address"}
)
"""The options that go with --resume: what is measured stands in the plan."""


def compare(options: CompareOptions, given: frozenset[str]) -> None:
    """Train every variant from the same weights on the same batches, and compare what each costs."""
    cells = options.cell or [Cell.LSTM, Cell.GRU, Cell.SIMPLE_RNN]
    _run("compare", options, given, cells, options.unroll or ["loop", "full"], training=options.train)


def measure(options: MeasureOptions, given: frozenset[str]) -> None:
    """Measure what a variant costs to build, compile, run and hold in memory, without training it to the end."""
    _run("measure", options, given, options.cell or [Cell.LSTM], options.unroll or ["loop"], training=False)


def _run(
    command: str, options: GridOptions, given: frozenset[str], cells: list[Cell], settings: list[str], *, training: bool
) -> None:
    if options.resume:
        refuse_beside_resume(given, WITH_RESUME)
    per_kind = options.per_node_type or (options.resume is not None and _is_per_kind(options.resume))
    with executor_for(options, per_kind=per_kind, mix_environments=options.mix_environments) as (executor, kinds):
        _run_on(executor, kinds, command, options, given, cells, settings, training=training)


def _is_per_kind(folder: Path) -> bool:
    from kerasunroll.measurement.planning.plan import Plan

    return bool(Plan.load(folder).node_kinds)


def _run_on(
    executor: "Executor",
    kinds: tuple[str, ...],
    command: str,
    options: GridOptions,
    given: frozenset[str],
    cells: list[Cell],
    settings: list[str],
    *,
    training: bool,
) -> None:
    from kerasunroll.api.running import Undertaking
    from kerasunroll.measurement.records.folders import claim
    from kerasunroll.report.tables.plan import plan_line, plan_table

    rules = _rules(options)
    console = make_console()
    if not options.dry_run:  # before the records of the earlier run are said to come from another environment
        check_backend(options, command)
    if options.resume:
        undertaking = Undertaking.begun(options.resume, rules, executor, mix_environments=options.mix_environments)
    else:
        plan = _plan(options, given, cells, settings, kinds, training=training)
        undertaking = Undertaking(plan, replace(rules, inference=plan.inference), executor)
    plan, rules = undertaking.plan, undertaking.rules
    for damaged in undertaking.damaged:
        console.print(f"Set aside: '{damaged.path}': {damaged.reason}. It is measured again.", style="red")
    if plan.model:
        console.print(plan.model.describe())
    for source in plan.sources.values():
        console.print(source.description)
    if options.dry_run:
        console.print(plan_table(undertaking.group_jobs, rules, plan.follow_up, executor.places))
        return
    console.print(plan_line(undertaking.group_jobs, rules, executor.places))
    folder = options.resume or claim(options.logdir / command)
    go_on = how_to_go_on(command, folder, executor_words(options))
    with resumable(go_on):
        with progress_bar() as on_progress:
            comparison = undertaking.carry_out(folder, on_progress, on_timed=lambda group: _print_news(console, group))
        _report(console, comparison)
    _end(console, comparison, go_on)


def _plan(
    options: GridOptions,
    given: frozenset[str],
    cells: list[Cell],
    settings: list[str],
    kinds: tuple[str, ...],
    *,
    training: bool,
) -> "Plan":
    from kerasunroll.measurement.planning.plan import Plan

    inference = not training if options.inference is None else options.inference
    model = options.saved_model(given)
    grid = _grid(options, cells, settings) if model is None else _model_grid(options, model, settings)
    follow_up: FollowUp = "training" if training else "memory"
    return Plan.of_grid(grid, options.for_config(), follow_up, inference=inference, node_kinds=kinds)


def _rules(options: GridOptions) -> "Rules":
    from kerasunroll.measurement.planning.rules import Rules
    from kerasunroll.measurement.workers.phases import PHASES

    budget = math.inf if options.budget is None else parse_seconds(options.budget, "--budget")
    return Rules(
        limits=parse_limits(options.time_limit or [], options.memory_limit, PHASES),
        half_width=options.half_width,
        max_rounds=options.max_rounds,
        processes=options.processes,
        deadline=time.monotonic() + budget,
    )


def _grid(options: GridOptions, cells: list[Cell], settings: list[str]) -> "Grid":
    from kerasunroll.measurement.planning.grid import Grid

    return Grid(
        cells=[cell.value for cell in cells],
        units=[parse_units(text) for text in options.units or ["64" if options.layers else "64,64"]],
        layers=options.layers or [],
        timesteps=options.timesteps or [None],
        batch_sizes=options.batch_size or [32],
        jit=options.jit or [False],
        dtypes=options.dtype or [None],
        settings=settings,
        threads=_threads(options),
    )


def _model_grid(options: GridOptions, model: "SavedModel", settings: list[str]) -> "ModelGrid":
    from kerasunroll.measurement.planning.grid import ModelGrid

    return ModelGrid(
        model=model,
        timesteps=options.timesteps or [None],
        batch_sizes=options.batch_size or [model.batch_size or 32],
        jit=options.jit or [None],
        settings=settings,
        threads=_threads(options),
    )


def _threads(options: GridOptions) -> list[Threads | None]:
    return [Threads.of(text) for text in options.threads or [DEFAULT]]


def _print_news(console: "Console", group: "Sequence[Measured]") -> None:
    from kerasunroll.report.rows import comparison_rows
    from kerasunroll.report.tables.comparison import timing_line

    with beside_the_bar():
        for row in comparison_rows(group, allow_different=True):
            console.print(timing_line(row))


def _report(console: "Console", comparison: "Comparison") -> None:
    """Show and write what was found, that of interrupted runs too."""
    from kerasunroll.report.sweeps import find_sweeps
    from kerasunroll.report.tables.comparison import comparison_tables
    from kerasunroll.report.tables.growth import growth_tables
    from kerasunroll.report.verdict.text import small_print, verdict_text

    for verdict in comparison.verdicts:
        for part in comparison_tables([row for row in comparison.rows if row.group == verdict.group]):
            console.print(part, soft_wrap=False)
        console.print(verdict_text(verdict), style="bold", soft_wrap=False)
        for sentence in small_print(verdict):
            console.print(sentence, style="dim", soft_wrap=False)
    if comparison.summary:
        console.print()
        console.print(comparison.summary, style="bold", soft_wrap=False)
    for part in growth_tables(find_sweeps(comparison.rows)):
        console.print(part, soft_wrap=False)
    for row in comparison.rows:
        for problem in row.problems:
            console.print(f"{row.group} {row.setting}: {problem}", style="red")
    with progress_bar() as on_progress:
        written = comparison.write(on_progress)
    for path in written:
        console.print(str(path))
    console.print(f"To look inside: tensorboard --logdir {comparison.folder}")


def _end(console: "Console", comparison: "Comparison", go_on: str) -> None:
    """Say how to go on where something is missing, and end with status 1 where something failed."""
    from kerasunroll.measurement.records.record import Outcome

    if missing := comparison.unfinished:
        console.print(
            f"{len(missing)} of {len(comparison.rows)} variants are not measured to the end. Go on with: {go_on}"
        )
    if any(record.outcome not in (Outcome.DONE, Outcome.INTERRUPTED) for record in comparison.records):
        raise typer.Exit(1)
