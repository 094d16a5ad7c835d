"""A deployment carried out, from its plan to the result: files are made, then timed."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kerasunroll.deployment.known import Known
from kerasunroll.deployment.plan import BATCH, DeploymentPlan
from kerasunroll.deployment.result import Deployment
from kerasunroll.deployment.stages.making import make_files
from kerasunroll.deployment.stages.timing import time_files
from kerasunroll.deployment.verdict import DeviceLimits
from kerasunroll.measurement.planning.jobs import AT_ONCE
from kerasunroll.measurement.planning.plan import earlier_records
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.progress import OnProgress, ProgressCounter
from kerasunroll.measurement.records import store
from kerasunroll.measurement.records.record import Record
from kerasunroll.measurement.records.store import Damaged


@dataclass(frozen=True)
class DeploymentRun:
    """What is to be tried, and what of it is known.

    Args:
        folder: Path. It exists.
        known: `Known`.
        damaged: Tuple of `Damaged`: the records of an earlier run that cannot be read.
        remade: Tuple of strings: the files of an earlier run that are not as they were made, and are made again.
    """

    folder: Path
    known: Known
    damaged: tuple[Damaged, ...] = ()
    remade: tuple[str, ...] = ()

    @classmethod
    def begun(
        cls, folder: Path, limits: DeviceLimits | None = None, *, mix_environments: bool = False
    ) -> "DeploymentRun":
        """Return what is left of an earlier run.

        Args:
            folder: Path. Its folder.
            limits: `DeviceLimits` to judge it by. Defaults to those that it was begun with.
            mix_environments: Boolean. Whether to go on in another environment. Defaults to `False`.

        Raises:
            InputError: If there is no plan, the model or the sequences have changed, or the environment has.
        """
        plan = DeploymentPlan.load(folder)
        plan.check_given(folder)
        contents = earlier_records(folder, mix_environments=mix_environments)
        known = Known(plan if limits is None else plan.model_copy(update={"limits": limits}), contents.records)
        remade = known.damaged(folder)
        names = dict.fromkeys(each.file_name for each in remade)
        return cls(folder, known.without(remade), tuple(contents.damaged), tuple(names))

    def carry_out(self, rules: Rules, on_progress: OnProgress) -> Deployment:
        """Make and time what is missing; every record is in the folder as soon as there is one.

        What was timed in turns is timed again as a whole if one contender is missing.

        Args:
            rules: `Rules`. What it may take.
            on_progress: Called with the `Progress`.

        Raises:
            RunError: If what was found cannot be written.
        """
        known, keep = self.known, self._keep()
        known.plan.save(self.folder)
        counter = ProgressCounter(3.0, on_progress)
        making = counter.part("making", 2.0, len(known.to_make()) * 1.25 or 1.0)
        tried: set[str] = set()
        # Once as asked for, then with Flex operations where nothing else could be made.
        while left := [each for each in known.to_make() if each.label not in tried]:
            tried |= {each.label for each in left}
            known = known.with_records(make_files(left, self.folder, rules, making, AT_ONCE, keep))
        timing = counter.part("timing", 1.0, 1.0)
        timed = time_files(known.to_time(), self.folder, self.folder / BATCH, rules, timing, keep)
        deployment = Deployment.of(self.folder, known.with_records(timed))
        deployment.write_tensorboard()
        return deployment

    def _keep(self) -> Callable[[Record], object]:
        saving = threading.Lock()

        def keep(record: Record) -> None:
            with saving:
                store.save(record, self.folder / store.RECORDS)

        return keep
