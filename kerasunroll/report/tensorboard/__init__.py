"""A comparison in TensorBoard: the settings side by side in every tab, with nothing to be set up. No TensorFlow.

What the callbacks log while a variant is trained lies in `train` and `validation` below its own folder. What is written
here, when everything is known, comes beside it:

| run | what it holds |
|---|---|
| the folder of the comparison | the layout of Custom Scalars; what is varied, for HParams; which settings to take |
| `<group>/<setting>/train` | what the setting is and costs, in an event file beside that of the training |
"""

from collections.abc import Sequence
from pathlib import Path

from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.measurement.progress import OnProgress, ProgressCounter
from kerasunroll.report.rows import Row
from kerasunroll.report.tensorboard.curves import setting_curves
from kerasunroll.report.tensorboard.events import write_events
from kerasunroll.report.tensorboard.hparams import experiment_summary, variant_summary, varied_values
from kerasunroll.report.tensorboard.layout import layout_summary
from kerasunroll.report.tensorboard.verdict import verdicts_summary
from kerasunroll.report.verdict.verdict import Verdict


def write_tensorboard(
    rows: Sequence[Row],
    measured: Sequence[Measured],
    verdicts: Sequence[Verdict],
    folder: Path,
    on_progress: OnProgress = lambda progress: None,  # noqa: ARG005
) -> None:
    """Write what TensorBoard shows of a comparison, in place of what an earlier call wrote.

    Args:
        rows: One row per variant.
        measured: What they were made from, in the same order; any record may be missing.
        verdicts: One for each group.
        folder: Path. The folder of the comparison.
        on_progress: Called with the `Progress`.

    Raises:
        InputError: If the folder cannot be written to.
        RunError: If writing failed. No half-written file is left behind.
    """
    varied = varied_values(rows)
    trained = any(each.training for each in measured)
    overall = [layout_summary(trained=trained), experiment_summary(rows), verdicts_summary(verdicts)]
    write_events(folder, [(0, summary) for summary in overall])
    counter = ProgressCounter(len(verdicts), on_progress)
    for verdict in verdicts:
        members = [place for place, row in enumerate(rows) if row.group == verdict.group]
        group, found = [rows[place] for place in members], [measured[place] for place in members]
        for row, each in zip(group, found, strict=True):
            variant = variant_summary(row, varied, f"{folder.name}/{row.group}/{row.setting}")
            curves = setting_curves(row.setting, group, found, verdict)
            write_events(each.variant.folder / "train", [(0, variant), *curves])
        counter.report(verdict.group, f"{verdict.group}: TensorBoard", 1)
