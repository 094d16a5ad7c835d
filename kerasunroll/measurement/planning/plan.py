"""The plan of a comparison: what is to be measured. It lies in the folder, so that an interrupted run can go on."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from kerasunroll import __version__
from kerasunroll.data import Source, open_source
from kerasunroll.data.given import GivenData
from kerasunroll.errors import InputError
from kerasunroll.files import write_whole
from kerasunroll.measurement.planning.estimate import estimate
from kerasunroll.measurement.planning.grid import Grid, ModelGrid
from kerasunroll.measurement.planning.jobs import FollowUp, PlannedVariant
from kerasunroll.measurement.planning.rules import PROCESSES
from kerasunroll.measurement.planning.variant import Variant, group_name
from kerasunroll.measurement.records import store
from kerasunroll.measurement.records.environment import Environment, differences, environment
from kerasunroll.measurement.records.frozen import Frozen
from kerasunroll.measurement.records.store import RECORDS
from kerasunroll.models import SavedModel
from kerasunroll.training.config import TrainingConfig

PLAN_FILE: Final = "plan.json"


def _read_config(config: Any) -> Any:
    return TrainingConfig(**config) if isinstance(config, Mapping) else config


class SourceFacts(BaseModel):
    """A data source as it was when the plan was made.

    Args:
        description: String. Its shapes and sizes in words.
        training_sequences: Integer. The sequences of an epoch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    training_sequences: int


class Plan(BaseModel):
    """What a comparison is to measure.

    Args:
        configs: Tuple of `TrainingConfig`: the variants, those of one group in a row.
        follow_up: `"training"` or `"memory"`. Whether every variant is trained with everything logged, or only its
            memory is counted.
        sources: Mapping from the length of sequences that was asked for to `SourceFacts`.
        inference: Boolean. Whether the forward pass and `predict` are timed too. Defaults to `True`.
        node_kinds: Tuple of strings. Every group is measured on each of these kinds of nodes. Defaults to `()`: once,
            on any node.
        kerasunroll_version: String. Defaults to this version.
        schema_version: Integer. Always 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    configs: tuple[Annotated[TrainingConfig, BeforeValidator(_read_config)], ...]
    follow_up: Annotated[FollowUp, Field(validation_alias=AliasChoices("follow_up", "second"))]
    sources: Frozen[SourceFacts]
    inference: bool = True
    node_kinds: tuple[str, ...] = ()
    kerasunroll_version: str = __version__

    @classmethod
    def of_grid(
        cls,
        grid: Grid | ModelGrid,
        options: Mapping[str, Any],
        follow_up: FollowUp,
        *,
        inference: bool = True,
        node_kinds: Sequence[str] = (),
    ) -> "Plan":
        """Return the plan of a grid.

        Args:
            grid: `Grid` or `ModelGrid`.
            options: Arguments of `TrainingConfig.for_source` or `for_model`, the same for all variants.
            follow_up: What follows the timing.
            inference: Boolean. Whether to time the forward pass and `predict` too. Defaults to `True`.
            node_kinds: Strings. The kinds of nodes to measure each group on. Defaults to none: once, on any node.

        Raises:
            InputError: If a value, or a combination, cannot be used.
        """
        sources: dict[str, SourceFacts] = {}

        def opened(timesteps: int | None) -> Source:
            chosen = {name: options[name] for name in ("examples", "seed")}
            source = open_source(options["source"], timesteps=timesteps, **chosen)
            sources[str(timesteps)] = source_facts(source)
            return source

        configs = grid.configs(opened, options)
        return cls(
            configs=tuple(configs),
            follow_up=follow_up,
            sources=sources,
            inference=inference,
            node_kinds=tuple(node_kinds),
        )

    @property
    def model(self) -> SavedModel | None:
        """The saved model that is measured, or `None` if the networks come from the factories."""
        stack = self.configs[0].stack if self.configs else None
        return stack if isinstance(stack, SavedModel) else None

    def planned(self, folder: Path, processes: int = PROCESSES) -> list[PlannedVariant]:
        """Return the variants with their estimates; results go to `<folder>/<group>/<setting>`.

        Args:
            folder: Path.
            processes: Integer. In how many processes each variant is timed. Defaults to 3.
        """
        kinds: tuple[str | None, ...] = self.node_kinds or (None,)
        return [
            PlannedVariant(
                Variant(config, folder / group_name(config, kind) / config.setting, kind),
                estimate(
                    config,
                    self.sources[str(config.timesteps)].training_sequences,
                    inference=self.inference,
                    processes=processes,
                ),
            )
            for _, group in groupby(self.configs, key=group_name)
            for members in [list(group)]
            for kind in kinds
            for config in members
        ]

    def check_sources(self, folder: Path) -> None:
        """Check that the data, and the model in its file, are still what they were when the plan was made.

        Args:
            folder: Path. The folder of the comparison.

        Raises:
            DataError: If the data cannot be read any more.
            InputError: If one of them has changed.
        """
        first = {str(config.timesteps): config.in_run(folder) for config in reversed(self.configs)}
        for stack in (config.stack for config in first.values()):
            if isinstance(stack, SavedModel):
                stack.check_file()
        for timesteps, before in self.sources.items():
            source = first[timesteps].open_source()
            if isinstance(source, GivenData):
                source.check_files()
            now = source_facts(source)
            if now != before:
                raise InputError(
                    f"The data have changed since the run was begun: '{before.description}' then, "
                    f"'{now.description}' now. Start a new run."
                )

    def save(self, folder: Path) -> None:
        """Write `plan.json`.

        Raises:
            InputError: If the folder cannot be written to.
            RunError: If writing failed, such as on a full disk.
        """
        write_whole(folder / PLAN_FILE, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "Plan":
        """Read the `plan.json` of a folder.

        Raises:
            InputError: If there is no plan, or it is not one of this version.
        """
        path = folder / PLAN_FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(
                f"Cannot go on in '{folder}': there is no {PLAN_FILE} to read ({error.strerror}). "
                "Give the folder that an earlier run has made, such as logs/compare."
            ) from None
        except (ValidationError, InputError) as error:
            raise InputError(
                f"Cannot go on in '{folder}': '{path}' is no plan of kerasunroll {__version__} "
                f"({_first_finding(error)}). Start a new run."
            ) from None


def earlier_records(
    folder: Path, *, mix_environments: bool = False, environments: Sequence[Environment] | None = None
) -> store.Contents:
    """Return what an earlier run has measured in a folder; files that are damaged are set aside.

    Args:
        folder: Path. The folder of the run.
        mix_environments: Boolean. Accept records of a machine or software that is not today's. Defaults to `False`.
        environments: What will be measured with; every record must come from one of these. Defaults to this machine's.

    Raises:
        InputError: If a record was taken in another environment; the message lists the facts that differ.
    """
    contents = store.load(folder / RECORDS)
    here = [environment()] if environments is None else environments
    facts: dict[str, None] = {}
    for record in contents.records:
        closest: list[str] = min((differences(record.environment, each) for each in here), key=len)
        facts |= dict.fromkeys(closest)
    if facts and not mix_environments:
        raise InputError(
            f"'{folder}' was measured in another environment, so that new figures would not compare with its own:\n"
            + "".join(f"- {fact}\n" for fact in facts)
            + "Start a new run, or go on all the same with --mix-environments."
        )
    return contents


def source_facts(source: Source | GivenData) -> SourceFacts:
    """Return what a plan remembers of a data source."""
    return SourceFacts(description=source.describe(), training_sequences=source.training_sequences)


def _first_finding(error: ValidationError | InputError) -> str:
    if isinstance(error, InputError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'its content'}: {first['msg']}"
