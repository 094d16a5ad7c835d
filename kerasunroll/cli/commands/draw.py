"""`kerasunroll draw`: the textbook pictures of a network."""

import json
import os
import warnings
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kerasunroll.backend import require_backend
from kerasunroll.cli.console import make_console
from kerasunroll.cli.options import SETTING_HELP, Cell, parse_units
from kerasunroll.errors import InputError
from kerasunroll.settings import parse_settings

if TYPE_CHECKING:
    from kerasunroll.figures.diagram import Kind, MeasuredNorms, Network, Picture


class PictureKind(StrEnum):
    """What is drawn."""

    FOLDED = "folded"
    UNFOLDED = "unfolded"
    BACKWARD = "backward"
    EXECUTION = "execution"
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class DrawOptions:
    """The options of `draw`."""

    kind: Annotated[PictureKind, typer.Option(help="which picture")] = PictureKind.ALL
    cell: Annotated[Cell, typer.Option(help="recurrent cell")] = Cell.LSTM
    units: Annotated[str, typer.Option(help="units of each layer, such as 64,64")] = "64,64"
    timesteps: Annotated[int | None, typer.Option(help="length of a sequence, by default 6 or the model's own")] = None
    unroll: Annotated[str, typer.Option(help=SETTING_HELP)] = "loop"
    truncate: Annotated[int | None, typer.Option(help="cut the gradient every N time steps")] = None
    recompute: Annotated[int | None, typer.Option(help="recompute segments of N time steps")] = None
    bidirectional: Annotated[bool, typer.Option("--bidirectional", help="read in both directions")] = False
    return_sequences: Annotated[
        bool, typer.Option("--return-sequences", help="an output at every time step, not only at the last")
    ] = False
    model: Annotated[Path | None, typer.Option(help="draw the recurrent layers of a .keras file")] = None
    layer: Annotated[
        list[str] | None, typer.Option(help="with --model: name or pattern of layers to draw; may be repeated")
    ] = None
    custom_objects: Annotated[
        list[str] | None,
        typer.Option(help="module:name of a class or function that the model uses (imports it); may be repeated"),
    ] = None
    run: Annotated[
        Path | None, typer.Option(help="folder of a trained variant: shade the backward pass by what was measured")
    ] = None
    training_step: Annotated[
        int | None, typer.Option(help="with --run: the training step whose gradients are shown, by default the last")
    ] = None
    show: Annotated[int | None, typer.Option(min=3, help="time steps to draw; the others are an ellipsis")] = None
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="the .svg or .png file to write, by default <kind>.svg")
    ] = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace existing files")] = False


OF_CONFIG: Final = ("cell", "units", "unroll", "truncate", "recompute", "bidirectional", "return_sequences")
"""The options that describe a network."""


def draw(options: DrawOptions, given: frozenset[str]) -> None:
    """Draw a network folded, unfolded over time, on the way back, and as it executes, as SVG or PNG."""
    outputs = _outputs(options)
    network = _network(options, given)
    norms = _norms(options, network)
    from kerasunroll.figures.diagram import draw as draw_picture
    from kerasunroll.files import write_whole

    # All are drawn before the first is written.
    pictures = {kind: draw_picture(network, kind, show=options.show, norms=norms) for kind in outputs}
    files = {path: _file(pictures[kind], path) for kind, path in outputs.items()}
    console = make_console()
    for path, content in files.items():
        write_whole(path, content)
        console.print(str(path))


def _outputs(options: DrawOptions) -> "dict[Kind, Path]":
    """Return which picture goes where; with several, each has its kind in its name."""
    from kerasunroll.figures.diagram import KINDS

    kinds = KINDS if options.kind is PictureKind.ALL else tuple(kind for kind in KINDS if kind == options.kind.value)
    output = options.output
    if output is None:
        outputs = {kind: Path(f"{kind}.svg") for kind in kinds}
    elif output.suffix not in (".svg", ".png"):
        raise InputError(f"Expected an output file that ends in .svg or .png, got '{output}'.")
    elif len(kinds) == 1:
        outputs = {kinds[0]: output}
    else:
        outputs = {kind: output.with_name(f"{output.stem}-{kind}{output.suffix}") for kind in kinds}
    there = [path for path in outputs.values() if path.is_dir() or (path.exists() and not options.overwrite)]
    if there:
        raise InputError(f"'{there[0]}' exists already. Write to another file, or replace it with --overwrite.")
    return outputs


def _network(options: DrawOptions, given: frozenset[str]) -> "Network":
    if options.model:
        _refuse(given & {*OF_CONFIG}, "--model")
    elif options.run:
        _refuse(given & {*OF_CONFIG, "timesteps"}, "--run")
    if not options.model:
        _refuse_without(given & {"layer", "custom_objects"}, "--model")
    if not options.run:
        _refuse_without(given & {"training_step"}, "--run")
    if options.model:
        return _network_of_model(options, options.model)
    if options.run:
        return _network_of_run(options.run)
    from kerasunroll.figures.diagram import Network
    from kerasunroll.models import StackConfig

    config = StackConfig(
        cell=options.cell.value,
        input_shape=(6 if options.timesteps is None else options.timesteps, 1),
        units=parse_units(options.units),
        unroll=parse_settings(options.unroll),
        bidirectional=options.bidirectional,
        return_sequences=options.return_sequences,
    )
    recompute = False if options.recompute is None else options.recompute
    return Network.from_config(config, truncate=options.truncate, recompute=recompute)


def _network_of_model(options: DrawOptions, path: Path) -> "Network":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
    require_backend("draw --model")
    from kerasunroll.figures.diagram.from_model import network_of
    from kerasunroll.models.files.loading import load_model

    with warnings.catch_warnings():
        # Of a model that was saved before it was trained: there is no state of the optimizer to be loaded.
        warnings.filterwarnings("ignore", message="Skipping variable loading for optimizer")
        model = load_model(path, custom_objects=options.custom_objects or ())
    return network_of(model, timesteps=options.timesteps, layers=options.layer or ())


def _network_of_run(folder: Path) -> "Network":
    from kerasunroll.figures.diagram import Network
    from kerasunroll.measurement.stages.training import RUN_FILE
    from kerasunroll.models import StackConfig

    path = folder / RUN_FILE
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
        stack, setting = record["configuration"]["stack"], record["variant"]
    except OSError as error:
        raise InputError(
            f"'{path}' cannot be read: {error.strerror}. Give the folder of a trained variant, as kerasunroll train "
            "prints it, or the network beside it: --model."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"'{path}' is no record of a training run. Train the variant again.") from error
    if "sha256" in stack:
        raise InputError(f"'{folder}' is a run of a saved model: give its file too, --model {stack['path']}.")
    return Network.from_config(StackConfig(**stack | {"unroll": parse_settings(setting)}))


def _norms(options: DrawOptions, network: "Network") -> "MeasuredNorms | None":
    if options.run is None:
        return None
    from kerasunroll.figures.diagram import MeasuredNorms
    from kerasunroll.figures.flow_history import load_histories

    try:
        histories = load_histories(options.run)
    # NumPy has errors of many kinds for a damaged archive.
    except Exception as error:
        raise InputError(
            f"The gradients in '{options.run}' cannot be read: {error}. Train the variant again."
        ) from error
    return MeasuredNorms.of_run(histories, network, options.training_step)


def _refuse(given: frozenset[str], flag: str) -> None:
    if given:
        words = ", ".join(_flag(name) for name in sorted(given))
        raise InputError(f"{flag} says what the network is, so that {words} cannot be given with it.")


def _refuse_without(given: frozenset[str], flag: str) -> None:
    if given:
        raise InputError(f"{_flag(min(given))} goes with {flag}, which is not given.")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _file(picture: "Picture", path: Path) -> str | bytes:
    from kerasunroll.figures.diagram import to_png, to_svg

    return to_svg(picture) if path.suffix == ".svg" else to_png(picture)
