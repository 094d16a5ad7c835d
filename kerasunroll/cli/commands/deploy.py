"""`kerasunroll deploy`: can the network run on the device, and in which setting?"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kerasunroll.backend import require_backend
from kerasunroll.cli.console import make_console
from kerasunroll.cli.options import SETTING_HELP, Cell, parse_units
from kerasunroll.errors import InputError

if TYPE_CHECKING:
    from kerasunroll.deployment.result import Deployment


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
    outputs: Annotated[int, typer.Option(min=1, help="classes that it tells apart")] = 10
    unroll: Annotated[list[str] | None, typer.Option(help=f"{SETTING_HELP}; may be repeated")] = None
    target: Annotated[list[str] | None, typer.Option(help="litert, onnx or saved_model; may be repeated")] = None
    quantize: Annotated[list[str] | None, typer.Option(help="none, float16 or int8; may be repeated")] = None
    batch_size: Annotated[int, typer.Option(min=1, help="sequences of one inference")] = 1
    threads: Annotated[list[int] | None, typer.Option(min=1, help="threads of the runtime; may be repeated")] = None
    streaming: Annotated[bool, typer.Option("--streaming", help="also one time step at a time, with states kept")] = (
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
        bool, typer.Option("--builtins-only", help="only what the plain LiteRT interpreter runs")
    ] = False
    micro: Annotated[bool, typer.Option("--micro", help="only operations that TensorFlow Lite Micro knows")] = False
    write: Annotated[Path | None, typer.Option(help="file to write: that of the setting to take")] = None
    seed: Annotated[int, typer.Option(min=0, help="draws weights and sequences")] = 0
    logdir: Annotated[Path, typer.Option(help="where files, logs and records go")] = Path("logs")
    budget: Annotated[str | None, typer.Option(help="time for everything, such as 5m")] = None
    time_limit: Annotated[
        list[str] | None, typer.Option(help="time for any phase, by default 10m, or one such as convert=2m")
    ] = None
    memory_limit: Annotated[str | None, typer.Option(help="memory that a process may use, such as 4GB")] = None
    processes: Annotated[int, typer.Option(min=1, help="fresh processes that each file is timed in")] = 3
    half_width: Annotated[float, typer.Option(min=0.001, max=1, help="how narrow to make each interval")] = 0.03
    max_rounds: Annotated[int, typer.Option(min=10, help="rounds of timing at most")] = 40


_PASSED_ON = (
    *("batch_size", "streaming", "flash_limit", "latency_limit", "builtins_only", "micro", "seed", "budget"),
    *("memory_limit", "processes", "half_width", "max_rounds"),
)


def deploy(options: DeployOptions, given: frozenset[str]) -> None:
    """Say in which setting a network runs on a device: what converts, how large, how fast, and is it the same?"""
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
    require_backend("deploy")
    from kerasunroll.api.deploying import deploy as deploy_model
    from kerasunroll.deployment.contender import SUFFIXES

    suffixes = {SUFFIXES[target] for target in options.target or ["litert"] if target in SUFFIXES}
    if options.write and options.write.suffix not in suffixes:
        raise InputError(f"--write: expected a name that ends in {' or '.join(suffixes)}, got '{options.write}'.")
    if options.write:
        _check_writable(options.write)
    deployment = deploy_model(
        _network(options, given),
        _sequences(options),
        unroll=options.unroll or ["loop", "full", "own-loop"],
        target=options.target or ["litert"],
        quantize=options.quantize or ["none"],
        threads=options.threads or [1],
        custom_objects=options.custom_objects or (),
        time_limit=options.time_limit or (),
        folder=options.logdir / "deploy",
        **{name: getattr(options, name) for name in _PASSED_ON},
    )
    _show(deployment, options.write)


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


def _show(deployment: "Deployment", write: Path | None) -> None:
    from rich.table import Table
    from rich.text import Text

    from kerasunroll.deployment.table import deployment_table, operation_lines

    console = make_console()
    texts = deployment_table(deployment.rows)
    table = Table()
    for number, column in enumerate(texts.columns):
        table.add_column(Text(column), justify="right" if 0 < number < 5 else "left")
    for row in texts.rows:
        table.add_row(*map(Text, row))
    console.print(table, soft_wrap=False)
    for line in operation_lines(deployment.rows):
        console.print(line, style="dim", soft_wrap=False)
    console.print(deployment.verdict.text, style="bold", soft_wrap=False)
    for name in ("report.html", "report.md"):
        console.print(str(deployment.report(deployment.folder / name)))
    if write:
        console.print(str(deployment.write(write)))
    if deployment.verdict.take is None:
        raise typer.Exit(1)
