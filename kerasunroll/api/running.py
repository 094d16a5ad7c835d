"""A plan carried out, from the first worker to the files in its folder: for the command line and for Python alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kerasunroll.api.comparison import Comparison
from kerasunroll.measurement.comparison import compare as compare_variants
from kerasunroll.measurement.execution.executor import Executor
from kerasunroll.measurement.planning.findings import Findings, Measured
from kerasunroll.measurement.planning.jobs import GroupJob, outstanding
from kerasunroll.measurement.planning.plan import Plan, earlier_records
from kerasunroll.measurement.planning.rules import Rules
from kerasunroll.measurement.progress import OnProgress
from kerasunroll.measurement.records.record import Record
from kerasunroll.measurement.records.store import Damaged


@dataclass(frozen=True)
class Undertaking:
    """What is to be measured, and what of it is known.

    Args:
        plan: `Plan`.
        rules: `Rules`. What it may take.
        executor: `Executor`. Who measures.
        known: Tuple of `Record`, of an earlier run.
        damaged: Tuple of `Damaged`: the records of it that cannot be read, and are measured again.
    """

    plan: Plan
    rules: Rules
    executor: Executor
    known: tuple[Record, ...] = ()
    damaged: tuple[Damaged, ...] = ()

    @classmethod
    def begun(cls, folder: Path, rules: Rules, executor: Executor, *, mix_environments: bool = False) -> "Undertaking":
        """Return what is left of an earlier run.

        Args:
            folder: Path. Its folder.
            rules: `Rules`.
            executor: `Executor`.
            mix_environments: Boolean. Whether to go on in another environment. Defaults to `False`.

        Raises:
            InputError: If there is no plan, the data or the model have changed, or the environment has.
        """
        plan = Plan.load(folder)
        plan.check_sources(folder)
        contents = earlier_records(folder, mix_environments=mix_environments, environments=executor.environments)
        rules = replace(rules, inference=plan.inference)
        return cls(plan, rules, executor, tuple(contents.records), tuple(contents.damaged))

    @property
    def group_jobs(self) -> list[GroupJob]:
        """What is still to be done."""
        planned = self.plan.planned(Path(), self.rules.processes)
        return outstanding(planned, self.plan.follow_up, Findings(self.known))

    def carry_out(
        self,
        folder: Path,
        on_progress: OnProgress,
        on_timed: Callable[[Sequence[Measured]], None] = lambda measured: None,  # noqa: ARG005
    ) -> Comparison:
        """Measure what is missing. Every record is in the folder as soon as there is one.

        Args:
            folder: Path. It exists.
            on_progress: Called with the `Progress`.
            on_timed: Called with each group as soon as it has been timed.

        Raises:
            RunError: If what was measured cannot be written.
        """
        self.plan.save(folder)
        measured = compare_variants(
            self.plan.planned(folder, self.rules.processes),
            folder,
            on_progress,
            self.rules,
            follow_up=self.plan.follow_up,
            known=self.known,
            on_timed=on_timed,
            executor=self.executor,
        )
        return Comparison.of(folder, self.plan, measured, self.rules.half_width)
