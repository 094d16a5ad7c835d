"""The options of the commands, each group of them once."""

from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from enum import StrEnum
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar, get_args

import typer

from kerasunroll.cli.devices import parse_devices
from kerasunroll.errors import InputError

if TYPE_CHECKING:
    from kerasunroll.models import SavedModel

SETTING_HELP = "loop, full, k8 or the like, own-loop, own-full, auto, or one word per layer such as loop,full"


NETWORK: Final = frozenset({"cell", "units", "layers", "dtype", "bidirectional", "dropout"})
"""The options that say what the network is, as a saved model does by itself."""

OPTIMIZER: Final = frozenset({"optimizer", "learning_rate", "clipnorm"})
"""The options that say how it learns, as a model does by itself that was compiled when it was saved."""


PANELS: Final = {
    "What to compare": (
        *("model", "custom_objects", "cell", "units", "layers", "timesteps", "batch_size", "unroll", "threads"),
        *("jit", "dtype", "bidirectional", "dropout", "distribute"),
    ),
    "Data and training": (
        *("source", "examples", "train", "epochs", "optimizer", "learning_rate", "clipnorm", "seed"),
    ),
    "How long": ("dry_run", "budget", "resume", "time_limit", "memory_limit"),
    "How exact": ("processes", "half_width", "max_rounds", "inference"),
    "Where": ("logdir", "executor", "address", "per_node_type", "mix_environments"),
}
"""Under which heading an option of `compare`, `measure` and `train` stands in the help, and in which order."""


class Cell(StrEnum):
    """The recurrent cells of the factories."""

    LSTM = "lstm"
    GRU = "gru"
    SIMPLE_RNN = "simple_rnn"


class Where(StrEnum):
    """Who does the measuring."""

    LOCAL = "local"
    RAY = "ray"


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What is trained on what: options that are the same for all variants."""

    model: Annotated[
        Path | None, typer.Option(help="a .keras file: measure this model instead of a network made here")
    ] = None
    custom_objects: Annotated[
        list[str] | None,
        typer.Option(help="with --model: module:name of a class or function that it uses; may be repeated"),
    ] = None
    source: Annotated[
        str,
        typer.Option(
            help="digits, text:PATH, csv:PATH or csv:PATH?target=NAME&..., npz:PATH, npy:PATH, adding or copy"
        ),
    ] = "digits"
    examples: Annotated[int | None, typer.Option(help="sequences to draw, for adding and copy")] = None
    bidirectional: Annotated[bool, typer.Option("--bidirectional", help="read in both directions")] = False
    dropout: Annotated[float, typer.Option(help="share of inputs to drop in each recurrent layer")] = 0.0
    epochs: Annotated[int, typer.Option(help="passes over the training data")] = 6
    optimizer: Annotated[str, typer.Option(help="adam, adamw, nadam, rmsprop, sgd, adagrad or lion")] = "adam"
    learning_rate: Annotated[float, typer.Option(help="learning rate")] = 0.001
    clipnorm: Annotated[float, typer.Option(help="norm to clip each weight's gradient to; 0 for none")] = 1.0
    seed: Annotated[int, typer.Option(help="fixes weights, batches and dropout")] = 0
    distribute: Annotated[
        str | None,
        typer.Option(help="spread each batch over so many devices, or all: the GPUs, or logical CPUs if there is none"),
    ] = None
    logdir: Annotated[Path, typer.Option(help="where results and TensorBoard's runs go")] = Path("logs")
    executor: Annotated[Where, typer.Option(help="measure on this machine, or on the nodes of a Ray cluster")] = (
        Where.LOCAL
    )
    address: Annotated[
        str | None, typer.Option(help="with --executor ray: host:port of the cluster's head, by default this machine's")
    ] = None

    def for_config(self) -> dict[str, Any]:
        """Return the arguments of `TrainingConfig.for_source`, or `for_model`, that are the same for all variants."""
        passed_on = ["source", "examples", "epochs", "optimizer", "learning_rate", "seed"]
        passed_on += [] if self.model else ["bidirectional", "dropout"]
        devices = None if self.distribute is None else parse_devices(self.distribute)
        return {name: getattr(self, name) for name in passed_on} | {
            "clipnorm": self.clipnorm or None,
            "distribute": devices,
        }

    def saved_model(self, given: frozenset[str]) -> "SavedModel | None":
        """Return what `--model` names, or `None` where it was not given.

        Args:
            given: The names of the options that stood on the command line.

        Raises:
            InputError: If the file cannot be used, or other options say what the model says by itself.
        """
        from kerasunroll.models import SavedModel

        if self.model is None:
            if self.custom_objects:
                raise InputError("--custom-objects is for --model: give the .keras file that uses them.")
            return None
        if clash := given & NETWORK:
            raise InputError(
                f"--model gives the whole network, so that {as_options(clash)} cannot be given with it. Leave that out."
            )
        saved = SavedModel.read(self.model, custom_objects=self.custom_objects or ())
        if saved.compiled and (clash := given & OPTIMIZER):
            raise InputError(
                f"'{self.model}' was compiled and brings its own optimizer, so that {as_options(clash)} cannot be "
                "given with it. Leave that out, or compile and save the model anew."
            )
        return saved


def as_options(names: frozenset[str]) -> str:
    """Return names of options as they are written on the command line.

    Example:
    >>> as_options(frozenset({"batch_size", "cell"}))
    '--batch-size, --cell'
    """
    return ", ".join("--" + name.replace("_", "-") for name in sorted(names))


def refuse_beside_resume(given: frozenset[str], allowed: frozenset[str]) -> None:
    """Refuse options beside --resume that would change what is measured.

    Args:
        given: Names of the options that were given.
        allowed: Names of those that may be.

    Raises:
        InputError: If another one was given.
    """
    if others := given - allowed:
        raise InputError(
            f"--resume goes on with the plan of the earlier run, so that {as_options(others)} cannot be given with it."
        )


OptionsType = TypeVar("OptionsType")


def add_command(
    app: typer.Typer, function: Callable[[OptionsType, frozenset[str]], None], options_type: type[OptionsType]
) -> None:
    """Make a function a command; its options are the fields of a dataclass.

    Args:
        app: The Typer application.
        function: Called with the options, and the names of those that stood on the command line.
        options_type: The dataclass. Each field is annotated with its `typer.Option`.
    """

    def command(context: typer.Context, **values: Any) -> None:
        given = {name for name in values if _was_given(context, name)}
        function(options_type(**values), frozenset(given))

    known = fields(options_type)  # type: ignore[arg-type]
    if issubclass(options_type, TrainingOptions):
        known = _in_panels(known)
    parameters = [Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    parameters += [
        Parameter(field.name, Parameter.KEYWORD_ONLY, default=_default(field), annotation=field.type) for field in known
    ]
    # Typer reads a command's options from its signature.
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app.command(name=function.__name__, help=function.__doc__)(command)


def _in_panels(known: tuple[Field[Any], ...]) -> tuple[Field[Any], ...]:
    """Return the fields in the order of the panels, each option with its panel."""
    places = {name: (panel, place) for panel, names in PANELS.items() for place, name in enumerate(names)}
    order = list(PANELS)
    for field in known:
        get_args(field.type)[1].rich_help_panel = places[field.name][0]
    return tuple(sorted(known, key=lambda field: (order.index(places[field.name][0]), places[field.name][1])))


def _default(field: Field[Any]) -> Any:
    """Return a field's default; what has none must stand on the command line."""
    return Parameter.empty if field.default is MISSING else field.default


def _was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def parse_units(text: str) -> tuple[int, ...]:
    """Return the units of each layer from a text such as `64,64`.

    Raises:
        InputError: If it is none.
    """
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise InputError(f"Invalid units: expected integers such as 64,64, got '{text}'.") from None
