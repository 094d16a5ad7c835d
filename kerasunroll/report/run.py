"""A comparison as it lies on the disk, complete or not. No TensorFlow."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Self

from kerasunroll.display.colours import setting_colours
from kerasunroll.errors import InputError
from kerasunroll.measurement.planning.findings import Findings, Measured
from kerasunroll.measurement.planning.plan import PLAN_FILE, Plan
from kerasunroll.measurement.planning.variant import group_name
from kerasunroll.measurement.records import store
from kerasunroll.measurement.records.environment import Environment, differences
from kerasunroll.measurement.records.store import RECORDS
from kerasunroll.report.rows import Row, comparison_rows


@dataclass(frozen=True)
class Run:
    """What a comparison has measured so far.

    Args:
        folder: Path. The folder of the comparison.
        plan: `Plan`.
        measured: Tuple of `Measured`, one per variant, those of one group in a row; any record may be missing.
        rows: Tuple of `Row`, one per variant.
        damaged: Tuple of `Damaged`: the files of records that were set aside just now.
    """

    folder: Path
    plan: Plan
    measured: tuple[Measured, ...]
    rows: tuple[Row, ...]
    damaged: tuple[store.Damaged, ...] = ()

    @classmethod
    def load(cls, folder: Path, *, set_aside: bool = True) -> Self:
        """Read a comparison, even one that failed or was interrupted.

        Args:
            folder: Path. The folder that `kerasunroll compare` or `measure` made.
            set_aside: Boolean. Whether files of records that are damaged are renamed. Defaults to `True`.

        Raises:
            InputError: If the folder holds no comparison, or nothing has been measured yet.
        """
        if not (folder / PLAN_FILE).is_file():
            raise InputError(
                f"There is no comparison in '{folder}': it has no {PLAN_FILE}. Give the folder that kerasunroll "
                "compare has made, such as logs/compare."
            )
        plan = Plan.load(folder)
        contents = store.load(folder / RECORDS, set_aside=set_aside)
        findings = Findings(contents.records)
        measured = tuple(findings.measured(one.variant) for one in plan.planned(folder))
        if not any(each.records for each in measured):
            raise InputError(
                f"Nothing has been measured in '{folder}' yet. Go on with: kerasunroll compare --resume '{folder}'"
            )
        # A report refuses nothing that was allowed when it was measured; it says what differs.
        return cls(folder, plan, measured, tuple(comparison_rows(measured, allow_different=True)), contents.damaged)

    @property
    def groups(self) -> dict[str, list[Row]]:
        """The rows of each group, those of the first group first."""
        return {group: list(members) for group, members in groupby(self.rows, key=lambda row: row.group)}

    @property
    def colours(self) -> dict[str, str]:
        """The colour of each setting, in every picture and table."""
        return setting_colours(row.setting for row in self.rows)

    @property
    def environment(self) -> Environment:
        """Where the first record was taken."""
        return next(record.environment for each in self.measured for record in each.records)

    @property
    def other_environments(self) -> list[str]:
        """The facts in which other records' environments differ from that one, in words."""
        records = [record for each in self.measured for record in each.records]
        facts = {fact: None for record in records for fact in differences(self.environment, record.environment)}
        return list(facts)


def planned_training_steps(plan: Plan) -> Mapping[str, int]:
    """Return how many training steps the runs of each group have: epochs × whole batches of an epoch.

    Args:
        plan: `Plan`.
    """
    return {
        group_name(config, kind): config.epochs
        * (plan.sources[str(config.timesteps)].training_sequences // config.batch_size)
        for config in plan.configs
        for kind in plan.node_kinds or (None,)
    }
