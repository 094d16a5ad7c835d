"""The command line: the only place that prints or exits.

Exit status: 0 when all went well, 1 when a run failed, 2 when the input cannot be used, 130 after Ctrl-C.
"""

import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from kerasunroll import __version__
from kerasunroll.cli.commands.advise import AdviseOptions, advise
from kerasunroll.cli.commands.check import CheckOptions, check
from kerasunroll.cli.commands.compare import CompareOptions, MeasureOptions, compare, measure
from kerasunroll.cli.commands.convert import ConvertOptions, convert
from kerasunroll.cli.commands.deploy import DeployOptions, deploy
from kerasunroll.cli.commands.diff import DiffOptions, diff
from kerasunroll.cli.commands.draw import DrawOptions, draw
from kerasunroll.cli.commands.report import ReportOptions, report
from kerasunroll.cli.commands.train import TrainOptions, train
from kerasunroll.cli.console import InterruptedRunError
from kerasunroll.cli.options import add_command
from kerasunroll.errors import InputError, KerasunrollError

INTERRUPTED: Final = 130
"""The exit status after Ctrl-C."""

app = typer.Typer(
    name="kerasunroll",
    help="Should I unroll this recurrent network? Compare loop and unrolled training in Keras by measurement.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


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


add_command(app, compare, CompareOptions)
add_command(app, measure, MeasureOptions)
add_command(app, report, ReportOptions)
add_command(app, diff, DiffOptions)
add_command(app, train, TrainOptions)
add_command(app, advise, AdviseOptions)
add_command(app, check, CheckOptions)
add_command(app, convert, ConvertOptions)
add_command(app, deploy, DeployOptions)
add_command(app, draw, DrawOptions)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Args:
        arguments: List of strings, or `None` for those of the process.
    """
    try:
        app(args=arguments)
    except InterruptedRunError as error:
        _fail(str(error), INTERRUPTED)
    except InputError as error:
        _fail(str(error), status=2)
    except KerasunrollError as error:
        _fail(str(error), status=1)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # what typer makes of Ctrl-C
            _fail("Interrupted.", INTERRUPTED)
        raise


def _fail(message: str, status: int) -> None:
    typer.echo(f"kerasunroll: {message}", err=True)
    sys.exit(status)
