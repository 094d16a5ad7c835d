"""The options of the commands that convert a saved model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """A saved model, the layers of it that are converted, and on what parity is proven."""

    model: Annotated[Path, typer.Argument(help="a .keras file", metavar="MODEL.keras", show_default=False)]
    layer: Annotated[
        list[str] | None, typer.Option(help="name or pattern of layers to convert, by default all; may be repeated")
    ] = None
    data: Annotated[
        str | None, typer.Option(help="npz:PATH, digits or another source; by default data is generated")
    ] = None
    custom_objects: Annotated[
        list[str] | None,
        typer.Option(help="module:name of a class or function that the model uses (imports it); may be repeated"),
    ] = None
    training_steps: Annotated[int, typer.Option(min=0, help="training steps after which it is compared again")] = 3
    batch_size: Annotated[int, typer.Option(min=1, help="sequences in the batch")] = 8
    seed: Annotated[int, typer.Option(min=0, help="draws generated data")] = 0
