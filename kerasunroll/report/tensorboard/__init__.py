"""A comparison in TensorBoard: the settings side by side in every tab, with nothing to be set up. No TensorFlow.

What the callbacks log while a variant is trained lies in `train`, `validation` and `forward` below its own folder.
Beside that come the runs that are written here, when everything is known:

| run | what it holds |
|---|---|
| the folder of the comparison | the layout of Custom Scalars; what is varied, for HParams |
| `<group>` | the verdict and the pictures |
| `<group>/<setting>` | what the setting is and costs |
| `<sweep>-over-T/<setting>` | what it costs over T |
"""

from collections.abc import Sequence
from pathlib import Path

from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.measurement.progress import OnProgress, ProgressCounter
from kerasunroll.report.rows import Row
from kerasunroll.report.sweeps import find_sweeps
from kerasunroll.report.tensorboard.curves import setting_curves, sweep_curves
from kerasunroll.report.tensorboard.events import write_events
from kerasunroll.report.tensorboard.hparams import experiment_summary, variant_summary, varied_values
from kerasunroll.report.tensorboard.layout import layout_summary
from kerasunroll.report.tensorboard.pictures import group_pictures, sweep_pictures
from kerasunroll.report.tensorboard.verdict import verdict_summary
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
    sweeps = find_sweeps(rows)
    trained = any(each.training for each in measured)
    varied = varied_values(rows)
    write_events(folder, [(0, layout_summary(trained=trained, swept=bool(sweeps))), (0, experiment_summary(rows))])
    counter = ProgressCounter(len(verdicts) + len(sweeps), on_progress)
    for verdict in verdicts:
        members = [place for place, row in enumerate(rows) if row.group == verdict.group]
        group, found = [rows[place] for place in members], [measured[place] for place in members]
        values = [verdict_summary(group, verdict), *group_pictures(group, found, verdict)]
        write_events(folder / verdict.group, [(0, value) for value in values])
        for row, each in zip(group, found, strict=True):
            variant = variant_summary(row, varied, f"{folder.name}/{row.group}/{row.setting}")
            curves = setting_curves(row.setting, group, found, verdict)
            write_events(each.variant.folder, [(0, variant), *curves])
        counter.report(verdict.group, f"{verdict.group}: TensorBoard", 1)
    for sweep in sweeps:
        below = folder / f"{sweep.name}-over-T"
        write_events(below, [(0, picture) for picture in sweep_pictures(sweep)])
        for setting in dict.fromkeys(curve.setting for curve in sweep.curves):
            write_events(below / setting, sweep_curves(setting, sweep))
        counter.report(below.name, f"{below.name}: TensorBoard", 1)
