"""`kerasunroll check`: does a user's model compute the same in another setting?"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kerasunroll.backend import require_backend
from kerasunroll.cli.console import make_console
from kerasunroll.cli.loaded_model import batches_for, load
from kerasunroll.cli.model_options import ModelOptions
from kerasunroll.cli.options import SETTING_HELP
from kerasunroll.cli.second_process import Ask, in_double_meanwhile
from kerasunroll.settings import Settings, parse_settings, settings_name

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from kerasunroll.inspection import MaskedBackwards, Parity
    from kerasunroll.inspection.model_parity.layers import LayerFacts


@dataclass(frozen=True, kw_only=True)
class CheckOptions(ModelOptions):
    """The options of `check`."""

    unroll: Annotated[str, typer.Option(help=SETTING_HELP)] = "full"
    json: Annotated[bool, typer.Option("--json", help="print what was found as JSON, and nothing else")] = False


@dataclass(frozen=True)
class Proof:
    """What was found on one or more batches.

    Args:
        batches: Descriptions of the batches.
        parities: A `Parity` for each.
        before: The recurrent layers of the given model.
        after: Those of the converted model.
        errors: The layers that Keras unrolls wrongly.
    """

    batches: "list[str]"
    parities: "list[Parity]"
    before: "tuple[LayerFacts, ...]"
    after: "tuple[LayerFacts, ...]"
    errors: "tuple[MaskedBackwards, ...]"

    @property
    def equal(self) -> bool:
        """Whether the two compute the same on every batch."""
        return all(parity.equal for parity in self.parities)


def check(options: CheckOptions, given: frozenset[str]) -> None:  # noqa: ARG001
    """Convert a saved model to another setting, and prove that it computes the same, or name what differs."""
    setting = parse_settings(options.unroll)
    require_backend("check")
    console = make_console()
    with in_double_meanwhile(options, setting) as ask, working(console, quiet=options.json) as on_progress:
        model = load(options, on_progress)
        from kerasunroll.models.conversion.with_unroll import with_unroll

        on_progress("converting")
        converted = with_unroll(model, setting, layers=options.layer)
        proof = prove(options, model, converted, setting, on_progress, ask)
    if options.json:
        typer.echo(json.dumps(_as_json(proof), indent=2, allow_nan=False))
    else:
        show_proof(console, proof)
    if not proof.equal:
        raise typer.Exit(1)


@contextmanager
def working(console: "Console", *, quiet: bool = False) -> "Iterator[Any]":
    """Show what is being done while it takes long; yield the function that says it."""
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    with console.status("starting") as status:
        yield lambda doing: status.update(f"{doing} …")


def prove(
    options: ModelOptions, model: Any, converted: Any, setting: Settings, on_progress: Any, ask: Ask = lambda _: None
) -> Proof:
    """Compare a model with its conversion.

    Args:
        options: `ModelOptions`.
        model: The given model.
        converted: The model in another setting.
        setting: That setting.
        on_progress: Called with what is being done.
        ask: Asked what another process found in float64. By default this one finds out.

    Raises:
        InputError: If there is no batch that the model takes.
    """
    from kerasunroll.inspection import masked_backwards_errors
    from kerasunroll.inspection.model_parity.layers import recurrent_layer_facts
    from kerasunroll.inspection.model_parity.of_models import compared as parity

    batches = list(batches_for(options, model, setting))
    names = options.model.name, settings_name(setting)
    parities = []
    for number, batch in enumerate(batches):
        on_progress(f"comparing on {batch.description}")
        found = parity(
            model,
            converted,
            (batch.x, batch.y),
            training_steps=options.training_steps,
            seed=options.seed,
            in_double=partial(ask, number),
        )
        parities.append(replace(found, names=names))
    on_progress("looking at the layers")
    x = batches[0].x
    errors = {error.layer: error for each in (model, converted) for error in masked_backwards_errors(each, x)}
    return Proof(
        [batch.description for batch in batches],
        parities,
        recurrent_layer_facts(model, x),
        recurrent_layer_facts(converted, x),
        tuple(errors.values()),
    )


def show_proof(console: "Console", proof: Proof) -> None:
    """Print the layers, the parity on every batch, and what Keras gets wrong."""
    console.print(_layer_table(proof), soft_wrap=False)
    stopping = list(dict.fromkeys(facts.mask_stops_at for facts in proof.before if facts.mask_stops_at))
    if stopping:
        from kerasunroll.compatibility import told_where_masks_stop

        console.print(told_where_masks_stop(stopping), soft_wrap=False)
    for batch, parity in zip(proof.batches, proof.parities, strict=True):
        console.print(f"\nOn {batch}:")
        console.print(str(parity))
    for error in proof.errors:
        console.print(f"\n{error}", style="red", soft_wrap=False)


def _layer_table(proof: Proof) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text("recurrent layers", style="bold"), title_justify="left")
    for name in ("layer", "class", "receives", "returns", "mask", "setting", "path"):
        table.add_column(name, overflow="fold")
    for before, after in zip(proof.before, proof.after, strict=True):
        cells = (
            before.name,
            _change(before.kind, after.kind),
            _shape(before.input_shape),
            _shape(before.output_shape),
            "yes" if before.masked else "no",
            _change(before.setting, after.setting),
            _change(before.path, after.path),
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _shape(shape: tuple[int | None, ...]) -> str:
    return "×".join("any" if size is None else str(size) for size in shape) or "–"


def _as_json(proof: Proof) -> dict[str, Any]:
    return {
        "equal": proof.equal,
        "batches": [
            {"data": batch, **parity.as_json()} for batch, parity in zip(proof.batches, proof.parities, strict=True)
        ],
        "layers": [
            {"before": asdict(before), "after": asdict(after)}
            for before, after in zip(proof.before, proof.after, strict=True)
        ],
        "keras_errors": [{**asdict(error), "text": str(error)} for error in proof.errors],
    }
