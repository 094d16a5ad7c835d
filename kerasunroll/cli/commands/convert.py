"""`kerasunroll convert`: a user's model in another setting, as a file."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from kerasunroll.backend import require_backend
from kerasunroll.cli.commands.check import prove, show_proof, working
from kerasunroll.cli.console import make_console
from kerasunroll.cli.loaded_model import load
from kerasunroll.cli.model_options import ModelOptions
from kerasunroll.cli.options import SETTING_HELP
from kerasunroll.cli.second_process import alone, in_double_meanwhile
from kerasunroll.errors import InputError
from kerasunroll.settings import parse_settings


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(ModelOptions):
    """The options of `convert`."""

    unroll: Annotated[str, typer.Option(help=SETTING_HELP, show_default=False)]
    output: Annotated[Path, typer.Option("--output", "-o", help="the .keras file to write", show_default=False)]
    implementation: Annotated[
        Literal["keras", "kerasunroll"] | None, typer.Option(help="whose layers, if the setting leaves that open")
    ] = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the output file if it exists")] = False
    force: Annotated[bool, typer.Option("--force", help="write it even without a proof")] = False


def convert(options: ConvertOptions, given: frozenset[str]) -> None:  # noqa: ARG001
    """Write a saved model in another setting, after proving that it computes the same."""
    _check_output(options)
    setting = parse_settings(options.unroll)
    require_backend("convert")
    console = make_console()
    proof = None
    meanwhile = nullcontext(alone) if options.force else in_double_meanwhile(options, setting, options.implementation)
    with meanwhile as ask, working(console) as on_progress:
        model = load(options, on_progress)
        from kerasunroll.models.conversion.with_unroll import with_unroll
        from kerasunroll.models.files.loading import save_model

        on_progress("converting")
        converted = with_unroll(model, setting, layers=options.layer, implementation=options.implementation)
        if not options.force:
            proof = prove(options, model, converted, setting, on_progress, ask)
    if proof is not None:
        show_proof(console, proof)
        if not proof.equal:
            console.print(f"\n'{options.output}' was not written. To write it nevertheless: --force", style="red")
            raise typer.Exit(1)
    save_model(converted, options.output)
    console.print(f"Written: {options.output}" + (" (not proven to compute the same)" if options.force else ""))


def _check_output(options: ConvertOptions) -> None:
    if options.output.suffix != ".keras":
        raise InputError(f"Expected an output file that ends in .keras, got '{options.output}'.")
    if not options.output.exists():
        return
    if options.model.exists() and options.output.samefile(options.model):
        raise InputError(f"'{options.output}' is the model that is converted. Write to another file.")
    if not options.overwrite:
        raise InputError(f"'{options.output}' exists already. Write to another file, or replace it with --overwrite.")
