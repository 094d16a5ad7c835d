"""`kerasunroll advise`: which setting to take, predicted instead of measured."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kerasunroll.api.progress import progress_bar
from kerasunroll.cli.console import make_console
from kerasunroll.cli.options import SETTING_HELP, Cell, TrainingOptions, as_options, parse_units
from kerasunroll.errors import InputError
from kerasunroll.measurement.planning.quantities import parse_bytes

if TYPE_CHECKING:
    from kerasunroll.advice import Advice, Network
    from kerasunroll.data import Source
    from kerasunroll.models import SavedModel, StackConfig

DATA: Final = frozenset({"model", "custom_objects", "source", "examples", "epochs"})
"""The options that cannot be given where --features says that there are no data, only shapes."""

TOLD: Final = 3
"""How many settings the command that measures compares, at least."""


@dataclass(frozen=True, kw_only=True)
class AdviseOptions:
    """The options of `advise`."""

    cell: Annotated[Cell, typer.Option(help="recurrent cell")] = Cell.LSTM
    units: Annotated[str | None, typer.Option(help="units of each layer, by default 64,64")] = None
    layers: Annotated[int | None, typer.Option(min=1, help="layers of --units each")] = None
    timesteps: Annotated[
        int | None, typer.Option(min=1, help="length of a sequence; by default the source's own, or the model's")
    ] = None
    features: Annotated[
        int | None, typer.Option(min=1, help="numbers in a time step: predict from shapes alone, without a source")
    ] = None
    batch_size: Annotated[int | None, typer.Option(min=1, help="sequences per training step, by default 32")] = None
    bidirectional: Annotated[bool, typer.Option("--bidirectional", help="read in both directions")] = False
    source: Annotated[
        str,
        typer.Option(
            help="digits, text:PATH, csv:PATH or csv:PATH?target=NAME&..., npz:PATH, npy:PATH, adding or copy"
        ),
    ] = "digits"
    examples: Annotated[int | None, typer.Option(help="sequences to draw, for adding and copy")] = None
    model: Annotated[
        Path | None, typer.Option(help="a .keras file: its recurrent layers instead of a network described here")
    ] = None
    custom_objects: Annotated[
        list[str] | None,
        typer.Option(help="with --model: module:name of a class or function that it uses; may be repeated"),
    ] = None
    training_steps: Annotated[
        int | None,
        typer.Option(min=1, help="how many training steps you plan; by default those of --epochs, with data"),
    ] = None
    epochs: Annotated[int, typer.Option(min=1, help="passes over the training data")] = 6
    inference: Annotated[
        bool, typer.Option("--inference", help="the network is only applied; --training-steps counts batches")
    ] = False
    memory_limit: Annotated[str | None, typer.Option(help="memory that the process may take, such as 4GB")] = None
    unroll: Annotated[
        list[str] | None, typer.Option(help=f"settings to choose from: {SETTING_HELP}; may be repeated")
    ] = None
    recalibrate: Annotated[bool, typer.Option("--recalibrate", help="measure this machine again")] = False


def advise(options: AdviseOptions, given: frozenset[str]) -> None:
    """Predict what each setting costs on this machine and recommend one, in seconds and without measuring it."""
    from kerasunroll.advice.advice import advise_network, check_question, settings_for, this_machine
    from kerasunroll.advice.reference import reference
    from kerasunroll.advice.text import advice_table, advice_text

    limit = None if options.memory_limit is None else parse_bytes(options.memory_limit, "--memory-limit")
    asked = _Asked.read(options, given)
    settings = options.unroll or settings_for(asked.network)
    check_question(asked.network, settings, asked.training_steps, limit)
    known, console = reference(), make_console()
    with progress_bar() as on_progress:
        machine = this_machine(
            known,
            anew=options.recalibrate,
            on_progress=on_progress,
            warn=lambda problem: console.print(problem, style="red"),
        )
    advice = advise_network(
        asked.network,
        settings,
        known,
        machine,
        training_steps=asked.training_steps,
        memory_limit=limit,
        inference=options.inference,
    )
    console.print(advice_table(advice), soft_wrap=False)
    console.print(advice_text(advice), style="bold", soft_wrap=False)
    console.print(f"To measure it: {_how_to_measure(advice, asked)}")


@dataclass(frozen=True)
class _Asked:
    """What the options ask about.

    Args:
        network: Its shapes.
        training_steps: How many there will be, if that is known.
        compare: The arguments by which `kerasunroll compare` measures the same.
    """

    network: "Network"
    training_steps: int | None
    compare: list[str]

    @classmethod
    def read(cls, options: AdviseOptions, given: frozenset[str]) -> "_Asked":
        from kerasunroll.advice import Network

        if "training_steps" in given and "epochs" in given:
            raise InputError("--training-steps and --epochs both say how long the training is: give one of them.")
        model = TrainingOptions(model=options.model, custom_objects=options.custom_objects).saved_model(given)
        source = None
        if options.features is not None:
            _check_shapes_alone(options, given)
        elif model is not None and "source" not in given:
            _check_without_data(given)
        else:
            from kerasunroll.data import open_source

            source = open_source(options.source, timesteps=options.timesteps, examples=options.examples)
        batch_size = options.batch_size or (model.batch_size if model else None) or 32
        stack = _stack(options, source) if model is None else _model(options, model, source)
        _check_batch_size(batch_size, source, model)
        steps = options.training_steps
        if steps is None and source is not None and not options.inference:
            steps = options.epochs * (len(source.x_train) // batch_size)
        return cls(Network.of(stack, batch_size), steps, _compare(options, batch_size, source, model))


def _check_shapes_alone(options: AdviseOptions, given: frozenset[str]) -> None:
    if clash := given & DATA:
        raise InputError(f"--features is for shapes alone, without data: {as_options(clash)} cannot be given with it.")
    if options.timesteps is None:
        raise InputError("--features needs the length of a sequence as well: give --timesteps.")


def _check_without_data(given: frozenset[str]) -> None:
    if clash := given & {"examples", "epochs"}:
        raise InputError(f"{as_options(clash)} is for data: give their --source as well, or --training-steps instead.")


def _check_batch_size(batch_size: int, source: "Source | None", model: "SavedModel | None") -> None:
    if source is not None:
        source.check_batch_size(batch_size)
    if model is not None and model.batch_size not in (None, batch_size):
        raise InputError(
            f"'{model.path}' takes batches of {model.batch_size} sequences only, got {batch_size}. "
            f"Give --batch-size {model.batch_size}."
        )


def _stack(options: AdviseOptions, source: "Source | None") -> "StackConfig":
    from kerasunroll.models import StackConfig

    units = parse_units(options.units or ("64" if options.layers else "64,64"))
    if options.layers and len(units) != 1:
        raise InputError(f"With --layers, units are for one layer, such as --units 64, got {options.units}.")
    return StackConfig(
        cell=options.cell.value,
        input_shape=source.input_shape if source else (options.timesteps, options.features),
        embedding=source.vocabulary if source else None,
        units=units * (options.layers or 1),
        bidirectional=options.bidirectional,
    )


def _model(options: AdviseOptions, model: "SavedModel", source: "Source | None") -> "SavedModel":
    if source is not None:
        return model.replace(input_shape=source.input_shape)
    return model.replace(input_shape=(options.timesteps or model.timesteps, *model.input_shape[1:]))


def _compare(options: AdviseOptions, batch_size: int, source: "Source | None", model: "SavedModel | None") -> list[str]:
    words = ["--inference"] if options.inference else []
    if model is not None:
        words += ["--model", str(options.model)]
        words += [word for each in options.custom_objects or () for word in ("--custom-objects", each)]
    else:
        words += ["--cell", options.cell.value, "--units", options.units or ("64" if options.layers else "64,64")]
        words += ["--layers", str(options.layers)] if options.layers else []
        words += ["--bidirectional"] if options.bidirectional else []
    # Shapes alone have no data: those of adding are of any length.
    words += ["--source", options.source if source else "npz:YOUR_DATA.npz" if model else "adding"]
    words += ["--timesteps", str(options.timesteps)] if options.timesteps else []
    words += ["--examples", str(options.examples)] if options.examples else []
    return [*words, "--batch-size", str(batch_size)]


def _how_to_measure(advice: "Advice", asked: _Asked) -> str:
    """Return the command that measures the recommended setting beside those that come next."""
    best = sorted((each for each in advice.predictions if each.setting not in advice.out), key=advice.cost)
    first = [advice.recommended, *advice.close, *(each.setting for each in best)] if advice.recommended else []
    settings = list(dict.fromkeys(first))[: max(TOLD, 1 + len(advice.close))] or [advice.predictions[0].setting]
    words = [*asked.compare, *(word for setting in settings for word in ("--unroll", str(setting)))]
    return f"kerasunroll compare --no-train {shlex.join(words)}"
