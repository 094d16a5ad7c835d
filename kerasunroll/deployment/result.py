"""A deployment that was measured: verdict, table, pictures, files."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final, Self

from matplotlib.figure import Figure

from kerasunroll.deployment.contender import SUFFIXES, Contender
from kerasunroll.deployment.known import Known
from kerasunroll.deployment.plan import DeploymentPlan
from kerasunroll.deployment.rows import Row, deployment_rows
from kerasunroll.deployment.stages.making import file_of
from kerasunroll.deployment.stages.timing import INFERENCE
from kerasunroll.deployment.table import deployment_frame, deployment_markdown, deployment_table, operation_lines
from kerasunroll.deployment.tensorboard import write_deployment_events
from kerasunroll.deployment.verdict import DeploymentVerdict, DeviceLimits, deployment_verdict
from kerasunroll.display.colours import setting_colours
from kerasunroll.display.html import html_block, html_picture, html_table, html_text
from kerasunroll.display.kernel import show_in_notebook
from kerasunroll.errors import InputError, RunError
from kerasunroll.figures.settings import Bar, settings_figure
from kerasunroll.files import write_whole, written_whole
from kerasunroll.measurement.records import store
from kerasunroll.measurement.records.record import Record
from kerasunroll.units import format_bytes, format_seconds

if TYPE_CHECKING:
    import pandas as pd

_PICTURES: Final = {
    "latency": (INFERENCE, "an inference", format_seconds),
    "size": ("file_bytes", "the file", format_bytes),
    "arena": ("arena_bytes", "tensors alive at once", format_bytes),
}

_WIDTH: Final = 100
_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>body {{ font-family: sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; line-height: 1.5 }}</style>
</head><body><h1>{title}</h1>{content}</body></html>
"""


class Deployment:
    """What `kerasunroll.deploy` returns. A notebook shows the verdict, a table and pictures.

    Args:
        folder: Path. Where files, logs and records lie.
        found: Pairs of `Contender` and `Record`.
        limits: `DeviceLimits`. What the device allows.
        missing: Strings: what has not come to its end, such as `"loop fixed: timing"`; `deploy(resume=...)` goes on.

    Attributes:
        rows: Tuple of `Row`, one per contender; one for a file that could not be made.
        verdict: `DeploymentVerdict`: `take`, `text`, and why others are `out`.
    """

    def __init__(
        self,
        folder: Path,
        found: Sequence[tuple[Contender, Record]],
        limits: DeviceLimits | None = None,
        missing: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.missing = list(missing)
        self.rows: tuple[Row, ...] = tuple(deployment_rows(found))
        self.verdict: DeploymentVerdict = deployment_verdict(self.rows, limits)

    @classmethod
    def load(cls, folder: str | Path, limits: DeviceLimits | None = None) -> Self:
        """Read a deployment from its folder, even if the command line made it.

        Args:
            folder: Path. The folder that `kerasunroll deploy` made.
            limits: `DeviceLimits` to judge it by. Defaults to those that it was made with.

        Raises:
            InputError: If the folder holds no deployment.
        """
        folder = Path(folder)
        return cls.of(folder, Known(DeploymentPlan.load(folder), store.load(folder / store.RECORDS).records), limits)

    @classmethod
    def of(cls, folder: Path, known: Known, limits: DeviceLimits | None = None) -> Self:
        """Return what is known of the deployment in a folder.

        Args:
            folder: Path.
            known: `Known`.
            limits: `DeviceLimits` to judge it by. Defaults to those of its plan.
        """
        return cls(folder, known.found, limits or known.plan.limits, known.missing)

    @property
    def table(self) -> "pd.DataFrame":
        """A data frame with a row per contender; sizes in bytes, times in seconds."""
        return deployment_frame(self.rows)

    @property
    def records(self) -> list[Record]:
        """Every measurement, with its samples and its environment."""
        return [row.record for row in self.rows]

    def file(self, name: str | None = None) -> Path:
        """Return the path of a file that was made.

        Args:
            name: String. The name of a contender, or of its file alone, such as `"full fixed"`. Defaults to the one to
                take.

        Raises:
            InputError: If there is no such contender, or it has no file.
        """
        name = self.verdict.take if name is None else name
        row = next((row for row in self.rows if name in (row.name, row.contender.label)), None)
        if row is None or not row.is_made:
            made = ", ".join(dict.fromkeys(row.contender.label for row in self.rows if row.is_made)) or "none"
            raise InputError(f"There is no file of {name!r}. There are: {made}.")
        return file_of(row.contender, self.folder)

    def write(self, path: str | Path, name: str | None = None) -> Path:
        """Copy a file out, if it computes what the model does.

        Args:
            path: Path of the file to write.
            name: String. The name of a contender. Defaults to the one to take.

        Raises:
            InputError: If there is no file to take, if it computes something else, if the name has the wrong ending, or
                if a folder of that name exists.
            RunError: If writing failed.
        """
        source, path = self.file(name), Path(path)
        row = next(row for row in self.rows if file_of(row.contender, self.folder) == source)
        if not row.computes_the_same:
            raise InputError(f"The file of '{row.name}' computes something else than the model. It is not written.")
        suffix = SUFFIXES[row.contender.target]
        if path.suffix != suffix:
            raise InputError(f"Expected a name that ends in '{suffix}', got '{path}'.")
        check_free(path)
        if source.is_dir():
            return _copied_folder(source, path)
        with written_whole(path) as temporary:
            shutil.copyfile(source, temporary)
        return path

    def plot(self, what: str = "latency") -> Any:
        """Draw a picture and return its Matplotlib axes; a notebook shows it.

        Args:
            what: String. `"latency"`, `"size"` or `"arena"`.

        Raises:
            InputError: If there is no such picture, or nothing to draw in it.
        """
        if what not in _PICTURES:
            raise InputError(f"Expected one of {', '.join(map(repr, _PICTURES))}, got {what!r}.")
        figure = self._figure(what)
        show_in_notebook(figure)
        return figure.axes[0]

    def report(self, path: str | Path) -> Path:
        """Write verdict, table and pictures as one page.

        Args:
            path: Path of a file that ends in `.html` or `.md`.

        Raises:
            InputError: If the name ends differently, or the folder cannot be written to.
            RunError: If writing failed.
        """
        path = Path(path)
        if path.suffix == ".html":
            write_whole(path, _PAGE.format(title="Deployment", content=self._repr_html_()))
        elif path.suffix == ".md":
            write_whole(path, deployment_markdown(self.rows, self.verdict.text))
        else:
            raise InputError(f"Expected a file name that ends in .html or .md, got '{path}'.")
        return path

    def write_tensorboard(self) -> None:
        """Write what TensorBoard shows: the verdict, the pictures, a run per contender."""
        pictures = {what: self._figure(what) for what in _PICTURES if self._bars(what)}
        write_deployment_events(self.folder, self.rows, self.verdict.text, pictures)

    def __repr__(self) -> str:
        table = deployment_table(self.rows).lines()
        missing = [fill(text, _WIDTH) for text in self._missing_text]
        return "\n".join([fill(self.verdict.text, _WIDTH), *missing, "", *table, "", *operation_lines(self.rows)])

    def _repr_html_(self) -> str:
        pictures = [html_picture(partial(self._figure, what), what) for what in _PICTURES if self._bars(what)]
        texts = [html_text(self.verdict.text, strong=True), *map(html_text, self._missing_text)]
        return html_block(*texts, html_table(deployment_table(self.rows), self._colours), *pictures)

    @property
    def _missing_text(self) -> list[str]:
        go_on = "Go on with kerasunroll.deploy(resume=...)."
        return [f"Not measured to the end: {', '.join(self.missing)}. {go_on}"] if self.missing else []

    @property
    def _colours(self) -> dict[str, str]:
        """The colour of each contender, under its names: that of its setting."""
        colours = setting_colours(row.contender.setting for row in self.rows)
        return {name: colours[row.contender.setting] for row in self.rows for name in (row.contender.label, row.name)}

    def _figure(self, what: str) -> Figure:
        _, title, show = _PICTURES[what]
        bars = self._bars(what)
        if not bars:
            raise InputError(f"Nothing was measured that could be drawn for {what!r}.")
        return settings_figure(title, show, bars)

    def _bars(self, what: str) -> list[Bar]:
        figure = _PICTURES[what][0]
        return [
            Bar(row.title if figure == INFERENCE else row.contender.label, value, self._colours[row.name])
            for row in (self._files if figure != INFERENCE else self.rows)
            if (value := row.figure(figure)) is not None
        ]

    @property
    def _files(self) -> list[Row]:
        """A row for each file, whatever the number of threads."""
        return list({row.contender.label: row for row in reversed(self.rows)}.values())[::-1]


def check_free(path: Path) -> None:
    """Refuse a place that a file, or the folder of a SavedModel, cannot be written to: files are replaced, folders not.

    Raises:
        InputError: If there is a folder, or a file where a folder is to be.
    """
    if path.is_dir() or (not path.suffix and path.exists()):
        raise InputError(f"Cannot write '{path}': it exists already. Choose another name.")


def _copied_folder(source: Path, path: Path) -> Path:
    try:
        shutil.copytree(source, path)
    except OSError as error:
        shutil.rmtree(path, ignore_errors=True)
        raise RunError(f"Could not write '{path}': {error}. Nothing half-written is left.") from error
    return path
