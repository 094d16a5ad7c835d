"""`kerasunroll deploy`: can the network run on the device, and in which setting?"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kerasunroll.backend import require_backend
from kerasunroll.cli.console import how_to_go_on, make_console, resumable
from kerasunroll.cli.options import SETTING_HELP, Cell, parse_units, refuse_beside_resume
from kerasunroll.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from kerasunroll.deployment.result import Deployment
    from kerasunroll.deployment.run import DeploymentRun


@dataclass(frozen=True, kw_only=True)
class DeployOptions:
    """The options of `deploy`. Options whose type is a list may be repeated."""

    model: Annotated[
        Path | None, typer.Argument(help="a .keras file; without it, a network of --cell", metavar="[MODEL.keras]")
    ] = None
    cell: Annotated[Cell | None, typer.Option(help="recurrent cell of a network made here")] = None
    units: Annotated[str, typer.Option(help="units of each layer")] = "64,64"
    timesteps: Annotated[int, typer.Option(min=1, help="length of a sequence")] = 32
    features: Annotated[int, typer.Option(min=1, help="numbers in a time step")] = 1
    outputs: Annotated[int, typer.Option(min=1, help="classes of the output")] = 10
    unroll: Annotated[list[str] | None, typer.Option(help=f"{SETTING_HELP}; may be repeated")] = None
    target: Annotated[
        list[str] | None, typer.Option(help="litert, onnx or saved_model; several with commas, or repeated")
    ] = None
    quantize: Annotated[
        list[str] | None, typer.Option(help="none, float16 or int8; several with commas, or repeated")
    ] = None
    batch_size: Annotated[int, typer.Option(min=1, help="sequences of one inference")] = 1
    threads: Annotated[list[int] | None, typer.Option(min=1, help="threads of the runtime; may be repeated")] = None
    streaming: Annotated[bool, typer.Option("--streaming", help="also one time step per call, with states kept")] = (
        False
    )
    data: Annotated[
        str | None, typer.Option(help="npz:PATH, digits or another source: sequences to compare and calibrate on")
    ] = None
    custom_objects: Annotated[
        list[str] | None, typer.Option(help="module:name of a class or function that the model uses; may be repeated")
    ] = None
    flash_limit: Annotated[str | None, typer.Option(help="how large the file may be, such as 256kB")] = None
    latency_limit: Annotated[str | None, typer.Option(help="how long one inference may take here, such as 5ms")] = None
    builtins_only: Annotated[
        bool, typer.Option("--builtins-only", help="only files that the plain LiteRT interpreter runs")
    ] = False
    micro: Annotated[bool, typer.Option("--micro", help="only operations that TensorFlow Lite Micro knows")] = False
    write: Annotated[Path | None, typer.Option(help="where to write the file of the setting to take")] = None
    seed: Annotated[int, typer.Option(min=0, help="fixes weights and made-up sequences")] = 0
    logdir: Annotated[Path, typer.Option(help="where files, logs and records go")] = Path("logs")
    budget: Annotated[str | None, typer.Option(help="time for everything, such as 5m")] = None
    resume: Annotated[
        Path | None, typer.Option(help="go on in this folder of an earlier run: make and time only what is missing")
    ] = None
    mix_environments: Annotated[
        bool, typer.Option("--mix-environments", help="go on although machine or software changed")
    ] = False
    time_limit: Annotated[
        list[str] | None, typer.Option(help="time for any phase, by default 10m, or one such as convert=2m")
    ] = None
    memory_limit: Annotated[str | None, typer.Option(help="memory that a process may use, such as 4GB")] = None
    processes: Annotated[int, typer.Option(min=1, help="fresh processes that each file is timed in")] = 3
    half_width: Annotated[float, typer.Option(min=0.001, max=1, help="how narrow to make each interval")] = 0.03
    max_rounds: Annotated[int, typer.Option(min=10, help="rounds of timing at most")] = 40


WITH_RESUME: Final = frozenset(
    {"resume", "mix_environments", "write", "budget", "time_limit", "memory_limit"}
    | {"processes", "half_width", "max_rounds", "flash_limit", "latency_limit", "builtins_only", "micro"}
)
"""The options that go with --resume: what is tried stands in the plan."""


def deploy(options: DeployOptions, given: frozenset[str]) -> None:
    """Say in which setting a network runs on a device: what converts, how large, how fast, and is it the same?"""
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
    require_backend("deploy")
    if options.resume:
        refuse_beside_resume(given, WITH_RESUME)
    from kerasunroll.api.functions import limits_of
    from kerasunroll.api.progress import progress_bar

    rules = limits_of(
        options.budget,
        options.time_limit or (),
        options.memory_limit,
        options.processes,
        options.half_width,
        options.max_rounds,
    )
    console = make_console()
    run = _run(options, given)
    for damaged in run.damaged:
        console.print(f"Set aside: '{damaged.path}': {damaged.reason}. It is made or timed again.", style="red")
    for name in run.remade:
        console.print(f"'{name}' is not as it was made. It is made again.", style="red")
    go_on = how_to_go_on("deploy", run.folder, ["--write", str(options.write)] if options.write else [])
    with resumable(go_on):
        with progress_bar() as on_progress:
            deployment = run.carry_out(rules, on_progress)
        _show(console, deployment, options.write)
    _end(console, deployment, go_on)


def _run(options: DeployOptions, given: frozenset[str]) -> "DeploymentRun":
    from kerasunroll.api.deploying import LIMITS, device_limits
    from kerasunroll.api.request.deployment import new_deployment
    from kerasunroll.deployment.run import DeploymentRun

    limits = device_limits(
        options.flash_limit, options.latency_limit, builtins_only=options.builtins_only, micro=options.micro
    )
    if options.resume:
        run = DeploymentRun.begun(
            options.resume, limits if given & LIMITS else None, mix_environments=options.mix_environments
        )
        _check_write(options.write, {each.target for each in run.known.plan.contenders})
        return run
    targets = _words(options.target) or ["litert"]
    _check_write(options.write, targets)
    return new_deployment(
        _network(options, given),
        _sequences(options),
        options.logdir / "deploy",
        limits,
        unroll=options.unroll or ["loop", "full", "own-loop"],
        target=targets,
        quantize=_words(options.quantize) or ["none"],
        batch_size=options.batch_size,
        threads=options.threads or [1],
        streaming=options.streaming,
        custom_objects=options.custom_objects or (),
        seed=options.seed,
    )


def _words(given: list[str] | None) -> list[str]:
    """Return what was given with commas, in an option that was repeated, or both, as one list."""
    return [word.strip() for each in given or [] for word in each.split(",")]


def _check_write(path: Path | None, targets: Collection[str]) -> None:
    """Say before anything is made that the file of no target could be written so."""
    from kerasunroll.deployment.contender import SUFFIXES
    from kerasunroll.deployment.result import check_free

    if path is None:
        return
    suffixes = sorted({SUFFIXES[target] for target in targets if target in SUFFIXES})
    if suffixes and path.suffix not in suffixes:  # there are none where every target is unknown: that is said later
        raise InputError(f"--write: expected a name that ends in {' or '.join(suffixes)}, got '{path}'.")
    check_free(path)
    _check_writable(path)


def _check_writable(path: Path) -> None:
    """Say before anything is measured that a file could not be written."""
    import os

    folder = next(each for each in path.absolute().parents if each.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise InputError(f"--write: cannot write to '{folder}'. Choose another folder.")


def _network(options: DeployOptions, given: frozenset[str]) -> Any:
    from kerasunroll import Classification
    from kerasunroll.models import StackConfig

    if options.model is not None:
        if clash := given & {"cell", "units", "timesteps", "features", "outputs"}:
            raise InputError(f"A model was given, so that --{', --'.join(sorted(clash))} cannot be. Leave that out.")
        return options.model
    if options.cell is None:
        raise InputError("Expected a .keras file, or a network: --cell lstm --units 32,32 --timesteps 32.")
    return StackConfig(
        cell=options.cell.value,
        units=parse_units(options.units),
        input_shape=(options.timesteps, options.features),
        head=Classification(options.outputs),
        seed=options.seed,
    )


def _sequences(options: DeployOptions) -> Any:
    from kerasunroll.data import open_source

    if options.data is None:
        return None
    source = open_source(options.data, seed=options.seed)
    return source.probed(max(256, options.batch_size))


def _show(console: "Console", deployment: "Deployment", write: Path | None) -> None:
    from rich.table import Table
    from rich.text import Text

    from kerasunroll.deployment.table import deployment_table, operation_lines

    texts = deployment_table(deployment.rows)
    table = Table(pad_edge=False)  # with all columns it fits into 80 characters
    for number, column in enumerate(texts.columns):
        table.add_column(
            Text(column),
            overflow="fold",
            justify="right" if 0 < number < len(texts.columns) - 2 else "left",
            min_width=max(map(len, column.split())),  # a heading breaks between words
        )
    for row in texts.rows:
        table.add_row(*map(Text, row))
    console.print(table, soft_wrap=False)
    for line in operation_lines(deployment.rows):
        console.print(line, style="dim", soft_wrap=False)
    console.print(deployment.verdict.text, style="bold", soft_wrap=False)
    for name in ("report.html", "report.md"):
        console.print(str(deployment.report(deployment.folder / name)))
    if write and not deployment.missing:
        console.print(str(deployment.write(write)))


def _end(console: "Console", deployment: "Deployment", go_on: str) -> None:
    """Say how to go on where something is missing, and end with status 1 where there is nothing to take."""
    if missing := deployment.missing:
        console.print(f"Not measured to the end: {', '.join(missing)}. Go on with: {go_on}", soft_wrap=False)
    if deployment.verdict.take is None:
        raise typer.Exit(1)
