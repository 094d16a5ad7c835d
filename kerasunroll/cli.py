"""The command line: the only place that prints or exits.

Exit status: 0 when all went well, 1 when a run failed, 2 when the input cannot be used, 130 after Ctrl-C.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kerasunroll import __version__
from kerasunroll.errors import InputError, KerasunrollError
from kerasunroll.settings import parse_settings, settings_name

if TYPE_CHECKING:
    from rich.console import Console

    from kerasunroll.data import Source
    from kerasunroll.measurement.progress import Tell
    from kerasunroll.measurement.records import Record
    from kerasunroll.training.config import TrainingConfig

INTERRUPTED: Final = 130
"""The exit status after Ctrl-C."""

app = typer.Typer(
    name="kerasunroll",
    help="Should I unroll this recurrent network? Compare loop and unrolled training in Keras by measurement.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class Cell(StrEnum):
    """The recurrent cells of the factories."""

    LSTM = "lstm"
    GRU = "gru"
    SIMPLE_RNN = "simple_rnn"


UnrollHelp = "loop, full, or one word per layer such as loop,full"
SourceOption = Annotated[str, typer.Option(help="digits, text:PATH, csv:PATH, npz:PATH, adding or copy")]
TimestepsOption = Annotated[int | None, typer.Option(help="length of a sequence; by default the source's own")]
ExamplesOption = Annotated[int | None, typer.Option(help="sequences to draw, for adding and copy")]
UnitsOption = Annotated[str, typer.Option(help="units of each layer, such as 64,64")]
BidirectionalOption = Annotated[bool, typer.Option("--bidirectional", help="read in both directions")]
DropoutOption = Annotated[float, typer.Option(help="share of inputs to drop in each recurrent layer")]
DTypeOption = Annotated[str | None, typer.Option(help="dtype policy, such as mixed_bfloat16")]
BatchSizeOption = Annotated[int, typer.Option(help="sequences per training step")]
EpochsOption = Annotated[int, typer.Option(help="passes over the training data")]
OptimizerOption = Annotated[str, typer.Option(help="adam, adamw, nadam, rmsprop, sgd, adagrad or lion")]
LearningRateOption = Annotated[float, typer.Option(help="learning rate")]
ClipnormOption = Annotated[float, typer.Option(help="norm to clip each weight's gradient to; 0 for no clipping")]
SeedOption = Annotated[int, typer.Option(help="fixes weights, batches and dropout")]
JitOption = Annotated[bool, typer.Option("--jit", help="compile the training step with XLA")]
LogdirOption = Annotated[Path, typer.Option(help="where results and TensorBoard's runs go")]
PhaseLimitOption = Annotated[float, typer.Option(min=1, help="seconds that any phase of a worker may take")]


_PASSED_ON = (
    *("source", "timesteps", "examples", "bidirectional", "dropout", "dtype"),
    *("batch_size", "epochs", "optimizer", "learning_rate", "seed"),
)
"""Options that are arguments of `TrainingConfig.for_source` by the same name."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kerasunroll {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="show the version and exit")
    ] = False,
) -> None:
    pass


@app.command()
def train(
    context: typer.Context,
    source: SourceOption = "digits",
    timesteps: TimestepsOption = None,
    examples: ExamplesOption = None,
    cell: Annotated[Cell, typer.Option(help="recurrent cell")] = Cell.LSTM,
    units: UnitsOption = "64,64",
    unroll: Annotated[str, typer.Option(help=UnrollHelp)] = "loop",
    bidirectional: BidirectionalOption = False,
    dropout: DropoutOption = 0.0,
    dtype: DTypeOption = None,
    batch_size: BatchSizeOption = 32,
    epochs: EpochsOption = 8,
    optimizer: OptimizerOption = "adam",
    learning_rate: LearningRateOption = 0.001,
    clipnorm: ClipnormOption = 1.0,
    seed: SeedOption = 0,
    jit: JitOption = False,
    logdir: LogdirOption = Path("logs"),
    time_limit: PhaseLimitOption = 3600,
) -> None:
    """Train one variant, with graphs, memory and gradient norms logged for TensorBoard."""
    from kerasunroll.measurement.folders import claim
    from kerasunroll.measurement.processes import Limits
    from kerasunroll.measurement.progress import Tally
    from kerasunroll.measurement.training_stage import RUN_FILE, train_variants
    from kerasunroll.measurement.variant import Variant
    from kerasunroll.training.config import MODEL_FILE

    console = _console()
    opened = _open(source, timesteps, examples, seed)
    config = _config(opened, context.params, cell=cell, unroll=unroll)
    console.print(opened.describe())
    folder = claim(logdir / config.stack.name / config.setting)
    variant = Variant(config, folder)
    with _progress_bar(console) as tell:
        (record,) = train_variants([variant], {}, Limits(seconds=time_limit), Tally(1, tell), jobs=1)
    _report_training(console, record, folder / MODEL_FILE, folder / RUN_FILE)


@app.command()
def compare(
    context: typer.Context,
    source: SourceOption = "digits",
    timesteps: TimestepsOption = None,
    examples: ExamplesOption = None,
    cell: Annotated[list[Cell] | None, typer.Option(help="recurrent cell; may be repeated; all by default")] = None,
    units: UnitsOption = "64,64",
    unroll: Annotated[
        list[str] | None, typer.Option(help=f"{UnrollHelp}; may be repeated; loop and full by default")
    ] = None,
    bidirectional: BidirectionalOption = False,
    dropout: DropoutOption = 0.0,
    dtype: DTypeOption = None,
    batch_size: BatchSizeOption = 32,
    epochs: EpochsOption = 8,
    optimizer: OptimizerOption = "adam",
    learning_rate: LearningRateOption = 0.001,
    clipnorm: ClipnormOption = 1.0,
    seed: SeedOption = 0,
    jit: JitOption = False,
    logdir: LogdirOption = Path("logs"),
    time_limit: PhaseLimitOption = 600,
) -> None:
    """Train every variant from the same weights on the same batches, and compare what each costs."""
    from kerasunroll.measurement.comparison import compare as compare_variants
    from kerasunroll.measurement.folders import claim
    from kerasunroll.measurement.processes import Limits
    from kerasunroll.measurement.variant import Variant
    from kerasunroll.report.pictures import write_gradient_pictures
    from kerasunroll.report.results import write_results
    from kerasunroll.report.rows import comparison_rows
    from kerasunroll.report.table import comparison_tables

    console = _console()
    opened = _open(source, timesteps, examples, seed)
    settings = {settings_name(parse_settings(word)): word for word in unroll or ["loop", "full"]}
    configs = [
        _config(opened, context.params, cell=each_cell, unroll=word)
        for each_cell in dict.fromkeys(cell or [Cell.LSTM, Cell.GRU, Cell.SIMPLE_RNN])
        for word in settings.values()
    ]
    console.print(opened.describe())
    folder = claim(logdir / "compare")
    variants = [Variant(config, folder / config.stack.name / config.setting) for config in configs]
    with _progress_bar(console) as tell:
        measured = compare_variants(variants, folder, tell, Limits(seconds=time_limit))
    rows = comparison_rows(measured)
    for table in comparison_tables(rows):
        console.print(table, soft_wrap=False)
    problems = [f"{row.group} {row.setting}: {problem}" for row in rows for problem in row.problems]
    for problem in problems:
        console.print(problem, style="red")
    pictures = write_gradient_pictures(measured, folder)
    results = write_results(rows, measured, folder)
    for path in [results, *pictures]:
        console.print(str(path))
    console.print(f"To look inside: tensorboard --logdir {folder}")
    if problems:
        raise typer.Exit(1)


def _open(source: str, timesteps: int | None, examples: int | None, seed: int) -> "Source":
    from kerasunroll.data import open_source

    return open_source(source, timesteps=timesteps, examples=examples, seed=seed)


def _config(opened: "Source", options: Mapping[str, Any], cell: Cell, unroll: str) -> "TrainingConfig":
    from kerasunroll.training.config import TrainingConfig

    try:
        units = tuple(int(word) for word in options["units"].split(","))
    except ValueError:
        raise InputError(f"Invalid units: expected integers such as 64,64, got '{options['units']}'.") from None
    config = TrainingConfig.for_source(
        opened,
        cell=cell.value,
        units=units,
        unroll=parse_settings(unroll),
        clipnorm=options["clipnorm"] or None,
        jit_compile=options["jit"],
        **{name: options[name] for name in _PASSED_ON},
    )
    config.check(opened)
    return config


def _report_training(console: "Console", record: "Record", model: Path, run: Path) -> None:
    from kerasunroll.measurement.records import Outcome

    if record.outcome is not Outcome.DONE:
        raise KerasunrollError(f"Training ended in its {record.phase} phase ({record.outcome}): {record.cause}")
    figures = record.figures
    results = ", ".join(f"{name.removeprefix('final_')} {figures[name]:.4f}" for name in figures if "final_" in name)
    console.print(f"After the last epoch: {results}")
    console.print(f"Model: {model}\nRun: {run}")
    console.print(f"To look inside: tensorboard --logdir {model.parent}")


def _console() -> "Console":
    from rich.console import Console

    # Paths go out as they are: a bracket in one is no markup, and a long one is not cut into lines.
    return Console(highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _progress_bar(console: "Console") -> "Iterator[Tell]":
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = [BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(), TimeRemainingColumn()]
    with Progress(*columns, TextColumn("{task.description}"), console=console, transient=True) as progress:
        task = progress.add_task("starting", total=1.0)
        yield lambda news: progress.update(task, description=news.doing, completed=news.done)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Args:
        arguments: List of strings, or `None` for those of the process.
    """
    try:
        app(args=arguments)
    except InputError as error:
        _fail(str(error), status=2)
    except KerasunrollError as error:
        _fail(str(error), status=1)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # what typer makes of Ctrl-C
            _fail("Interrupted. What was measured so far is kept.", INTERRUPTED)
        raise


def _fail(message: str, status: int) -> None:
    typer.echo(f"kerasunroll: {message}", err=True)
    sys.exit(status)
