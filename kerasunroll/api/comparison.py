"""A comparison that was measured: the verdict, the figures, the pictures, and the folder that holds them."""

import shutil
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kerasunroll.api.decision import Decision
from kerasunroll.api.shown.changes import Changes
from kerasunroll.api.shown.frame import variants_frame
from kerasunroll.api.shown.notebook import comparison_html
from kerasunroll.api.shown.plots import plot
from kerasunroll.api.shown.text import comparison_text
from kerasunroll.errors import InputError
from kerasunroll.figures.flow_history import FlowHistory
from kerasunroll.measurement.planning.findings import Measured, is_finished
from kerasunroll.measurement.planning.plan import Plan
from kerasunroll.measurement.progress import OnProgress
from kerasunroll.measurement.records.record import Record
from kerasunroll.measurement.statistics.rounds import TARGET_HALF_WIDTH
from kerasunroll.report.diff.changes import diff as changes_between
from kerasunroll.report.page.drawn import trained_histories
from kerasunroll.report.page.page import write_html, write_markdown
from kerasunroll.report.page.pictures import write_gradient_pictures, write_growth_pictures
from kerasunroll.report.results import write_records, write_results
from kerasunroll.report.rows import Row, comparison_rows
from kerasunroll.report.run import Run, planned_training_steps
from kerasunroll.report.sweeps import find_sweeps
from kerasunroll.report.tensorboard import write_tensorboard
from kerasunroll.report.verdict.summary import summary
from kerasunroll.report.verdict.verdict import Constraints, verdicts

if TYPE_CHECKING:
    import pandas as pd


class Comparison:
    """What `kerasunroll.compare` and `measure` return, and what `load` reads from a folder of the command line.

    A notebook shows it as the verdict, a small table, and pictures.

    Attributes:
        folder: Path. The folder of the comparison, with its records, logs and TensorBoard's runs.
        rows: Tuple of `Row`, one per variant.
        verdicts: Tuple of `Decision`, one per group (network, batch size, ...).

    Example:
    >>> comparison = kerasunroll.compare(model, x, y)  # doctest: +SKIP
    >>> comparison.verdict.take
    'loop'
    >>> comparison.table[["setting", "step_seconds", "step_ratio", "step_ratio_low", "step_ratio_high"]]
    """

    def __init__(self, run: Run, constraints: Constraints | None = None) -> None:
        self._run = run
        self.folder = run.folder
        self.rows: tuple[Row, ...] = run.rows
        found = verdicts(run.rows, constraints, training_steps=planned_training_steps(run.plan))
        self.verdicts: tuple[Decision, ...] = tuple(map(Decision.of, found))

    @classmethod
    def of(cls, folder: Path, plan: Plan, measured: Sequence[Measured], half_width: float = TARGET_HALF_WIDTH) -> Self:
        """Return the comparison of what was measured just now."""
        # Environments were compared before anything was measured.
        rows = comparison_rows(measured, allow_different=True, half_width=half_width)
        return cls(Run(folder, plan, tuple(measured), tuple(rows)))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a comparison from its folder, even if the command line made it or it was interrupted.

        Args:
            folder: Path. The folder that `kerasunroll compare` or `measure` made.

        Raises:
            InputError: If the folder holds no comparison, or nothing has been measured yet.
        """
        return cls(Run.load(Path(folder)))

    @property
    def verdict(self) -> Decision:
        """The verdict on the only group.

        Raises:
            InputError: If there are several groups: then take one of `verdicts`.
        """
        if len(self.verdicts) != 1:
            names = ", ".join(each.group for each in self.verdicts)
            raise InputError(f"'{self.folder}' compares {len(self.verdicts)} groups ({names}). Take one of .verdicts.")
        return self.verdicts[0]

    @property
    def summary(self) -> str | None:
        """The verdicts on several groups in one sentence; `None` where there is only one."""
        return summary(self.verdicts)

    @property
    def table(self) -> "pd.DataFrame":
        """A data frame with a row per variant: see `kerasunroll.api.shown.frame.variants_frame`."""
        return variants_frame(self.rows)

    @property
    def measured(self) -> tuple[Measured, ...]:
        """What is known of each variant, one `Measured` per row."""
        return self._run.measured

    @property
    def records(self) -> list[Record]:
        """Every measurement, with its samples and its environment."""
        return [record for each in self.measured for record in each.records]

    @property
    def missing(self) -> list[str]:
        """What is not measured to its end, such as `"lstm-T64 full: training"`; see `compare(resume=...)`."""
        return [f"{row.group} {row.setting}: {' and '.join(kinds)}" for row, kinds in self.unfinished]

    @property
    def unfinished(self) -> list[tuple[Row, list[str]]]:
        """The rows of which something is not measured to its end, and which measurements."""
        wanted = ("timing", self._run.plan.follow_up)
        found = [
            (row, [kind for kind in wanted if not is_finished(getattr(each, kind))])
            for row, each in zip(self.rows, self.measured, strict=True)
        ]
        return [(row, kinds) for row, kinds in found if kinds]

    @property
    def gradients(self) -> Mapping[str, Mapping[str, FlowHistory]]:
        """The gradients through time of the only group: from setting to layer to `FlowHistory`.

        It has the settings that were trained (`train=True`), and the layers that can be observed.
        """
        found = trained_histories(self._of(self.verdict.group))
        return {setting: {each.layer: each for each in histories} for setting, histories in found.items()}

    def plot(self, what: str | None = None, *, group: str | None = None) -> Any:
        """Draw a picture.

        Args:
            what: String. `"time"`: over the number of training steps, with the break-even; `"ready"`: build, trace and
                compile; `"step"`: a training step; `"memory"`: of the process; `"tensors"`: their peak; `"graph"`: its
                nodes; `"gradients"`: through time. Defaults to `None`: `"time"`, or `"step"` if that is not known.
            group: String. The group to draw; needed if there are several.

        Returns:
            Matplotlib axes, or an array of them for the gradients of several layers. A notebook shows the picture.

        Raises:
            InputError: If there is no such picture, or nothing to draw in it.
        """
        verdict = self.verdict if group is None else self._verdict(group)
        rows = [row for row in self.rows if row.group == verdict.group]
        return plot(what, rows, verdict, self._of(verdict.group), self._run.colours)

    def report(self, path: str | Path) -> Path:
        """Write the report as one page, as `kerasunroll report` does.

        Args:
            path: Path of a file that ends in `.html` or `.md`.

        Raises:
            InputError: If the name ends differently, or the folder cannot be written to.
            RunError: If writing failed.
        """
        path = Path(path)
        write = {".html": write_html, ".md": write_markdown}.get(path.suffix)
        if write is None:
            raise InputError(f"Expected a file name that ends in .html or .md, got '{path}'.")
        write(self._run, self.verdicts, path)
        return path

    def save(self, folder: str | Path) -> Path:
        """Copy everything into a folder that does not exist yet; `Comparison.load` reads it.

        Raises:
            InputError: If the folder exists, or cannot be made.
        """
        folder = Path(folder)
        try:
            shutil.copytree(self.folder, folder)
        except FileExistsError:
            raise InputError(f"'{folder}' exists. Choose a folder that does not: nothing is written over.") from None
        except (OSError, shutil.Error) as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise InputError(f"Cannot save into '{folder}': {error}. Choose another folder.") from error
        return folder

    def diff(self, new: "Comparison | str | Path") -> Changes:
        """Return what changed from this comparison to a later one of the same configurations.

        Args:
            new: `Comparison`, or the folder of one.

        Returns:
            `Changes`: a ratio with its interval for each figure of each variant, and what differs in machine and
            software.

        Raises:
            InputError: If they have no variant in common.
        """
        later = new if isinstance(new, Comparison) else Comparison.load(new)
        return Changes.of(changes_between(self._run, later._run))

    def write(self, on_progress: OnProgress = lambda progress: None) -> list[Path]:  # noqa: ARG005
        """Write results, pictures and what TensorBoard shows into the folder; return the files that one looks at.

        Args:
            on_progress: Called with the `Progress`.

        Raises:
            InputError: If the folder cannot be written to.
            RunError: If writing failed.
        """
        written = [
            write_results(self.rows, self.measured, self.folder, self.verdicts),
            write_records(self.measured, self.folder),
            *write_growth_pictures(find_sweeps(self.rows), self._run.colours, self.folder),
            *write_gradient_pictures(self.measured, self._run.colours, self.folder),
        ]
        write_tensorboard(self.rows, self.measured, self.verdicts, self.folder, on_progress)
        return written

    def remove_with_me(self, folder: Path) -> None:
        """Remove a temporary folder once nobody has this object any more."""
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def keeps(self, earlier: "Comparison") -> None:
        """Keep the comparison that this one goes on with, whose folder may be a temporary one."""
        self._earlier = earlier

    def __repr__(self) -> str:
        return comparison_text(self._groups(), self.summary, self.missing)

    def _repr_html_(self) -> str:
        return comparison_html(self._groups(), self.measured, self._run.colours, self.summary, self.missing)

    def _groups(self) -> list[tuple[Decision, list[Row]]]:
        return [(verdict, [row for row in self.rows if row.group == verdict.group]) for verdict in self.verdicts]

    def _verdict(self, group: str) -> Decision:
        for verdict in self.verdicts:
            if verdict.group == group:
                return verdict
        raise InputError(f"There is no group '{group}', only {', '.join(each.group for each in self.verdicts)}.")

    def _of(self, group: str) -> list[Measured]:
        return [each for each in self.measured if each.variant.group == group]
