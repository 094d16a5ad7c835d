"""The options of the commands, each group of them once."""

from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from enum import StrEnum
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from kerasunroll.errors import InputError

SETTING_HELP = "loop, full, k8 or the like, own-loop, own-full, auto, or one word per layer such as loop,full"


class Cell(StrEnum):
    """The recurrent cells of the factories."""

    LSTM = "lstm"
    GRU = "gru"
    SIMPLE_RNN = "simple_rnn"


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What is trained on what: options that are the same for all variants."""

    source: Annotated[str, typer.Option(help="digits, text:PATH, csv:PATH, npz:PATH, adding or copy")] = "digits"
    examples: Annotated[int | None, typer.Option(help="sequences to draw, for adding and copy")] = None
    bidirectional: Annotated[bool, typer.Option("--bidirectional", help="read in both directions")] = False
    dropout: Annotated[float, typer.Option(help="share of inputs to drop in each recurrent layer")] = 0.0
    epochs: Annotated[int, typer.Option(help="passes over the training data")] = 6
    optimizer: Annotated[str, typer.Option(help="adam, adamw, nadam, rmsprop, sgd, adagrad or lion")] = "adam"
    learning_rate: Annotated[float, typer.Option(help="learning rate")] = 0.001
    clipnorm: Annotated[float, typer.Option(help="norm to clip each weight's gradient to; 0 for none")] = 1.0
    seed: Annotated[int, typer.Option(help="fixes weights, batches and dropout")] = 0
    logdir: Annotated[Path, typer.Option(help="where results and TensorBoard's runs go")] = Path("logs")

    def for_config(self) -> dict[str, Any]:
        """Return the arguments of `TrainingConfig.for_source` that are the same for all variants."""
        passed_on = ("source", "examples", "bidirectional", "dropout", "epochs", "optimizer", "learning_rate", "seed")
        return {name: getattr(self, name) for name in passed_on} | {"clipnorm": self.clipnorm or None}


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

    parameters = [Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    parameters += [
        Parameter(field.name, Parameter.KEYWORD_ONLY, default=_default(field), annotation=field.type)
        for field in fields(options_type)  # type: ignore[arg-type]
    ]
    # Typer reads a command's options from its signature.
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app.command(name=function.__name__, help=function.__doc__)(command)


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
