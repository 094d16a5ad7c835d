"""How fast this machine is beside the reference one: measured once, in half a minute, and kept.

What was found is kept with the environment that it was found in, for as many machines as share the file: `advice.json`
in the folder that the environment variable `KERASUNROLL_CACHE` names, else in `~/.cache/kerasunroll` (`XDG_CACHE_HOME`
is respected). A change of the machine, of a version or of a flag that matters makes it be measured anew.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from kerasunroll.advice.amounts import work
from kerasunroll.advice.model import FIGURES, Example, fit_factors
from kerasunroll.advice.network import Network
from kerasunroll.advice.reference import Reference
from kerasunroll.backend import require_backend
from kerasunroll.cache import cache_folder
from kerasunroll.errors import InputError, RunError
from kerasunroll.files import write_whole
from kerasunroll.measurement.progress import OnProgress, Progress
from kerasunroll.measurement.records.environment import Environment, differences, environment
from kerasunroll.measurement.records.frozen import Frozen
from kerasunroll.measurement.workers.environment_variables import TIMED
from kerasunroll.measurement.workers.worker import Limits, Worker, WorkerError
from kerasunroll.models import StackConfig
from kerasunroll.settings import parse_settings
from kerasunroll.tasks import Regression
from kerasunroll.training.config import TrainingConfig

ROUNDS: Final = 6
LIMITS: Final = Limits(seconds=300)


class Group(BaseModel):
    """Variants that are timed in turns: one layer in several settings, on two features.

    Args:
        cell: String.
        units: Integer.
        timesteps: Integer.
        batch_size: Integer.
        settings: Tuple of strings.
        layers: Integer. Defaults to 1.
        bidirectional: Boolean. Defaults to `False`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: str
    units: int
    timesteps: int
    batch_size: int
    settings: tuple[str, ...]
    layers: int = 1
    bidirectional: bool = False

    def configs(self) -> list[TrainingConfig]:
        """Return the variants."""
        # Sequences for one batch, beside a fifth that is kept for validation.
        examples = self.batch_size + self.batch_size // 4 + 4
        return [
            TrainingConfig(
                stack=StackConfig(
                    cell=self.cell,
                    input_shape=(self.timesteps, 2),
                    units=(self.units,) * self.layers,
                    unroll=parse_settings(setting),
                    head=Regression(1),
                    bidirectional=self.bidirectional,
                    seed=0,
                ),
                source="adding",
                timesteps=self.timesteps,
                examples=examples,
                batch_size=self.batch_size,
            )
            for setting in self.settings
        ]


GROUPS: Final = (
    Group(cell="lstm", units=64, timesteps=24, batch_size=32, settings=("loop", "full", "own-loop")),
    Group(cell="lstm", units=256, timesteps=24, batch_size=64, settings=("loop", "own-loop")),
    Group(cell="simple_rnn", units=64, timesteps=48, batch_size=32, settings=("loop", "own-loop")),
    Group(cell="gru", units=128, timesteps=48, batch_size=32, settings=("loop", "own-loop")),
)
"""What is measured: few variants that are compiled soon, small and large products, Keras's layers and kerasunroll's."""


class Calibration(BaseModel):
    """What was found of a machine.

    Args:
        environment: `Environment`. Where.
        reference: Integer. The `version` of the `Reference` that it is beside.
        factors: Mapping from a kind of work to how much longer this machine takes than the reference one.
        start_bytes: Integer. What a process takes once TensorFlow has been imported.
        created: Datetime. When, in UTC. Defaults to now.
        schema_version: Integer. Always 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    environment: Environment
    reference: int
    factors: Frozen[float]
    start_bytes: int
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))


_Calibrations: Final = TypeAdapter(list[Calibration])


def cache_file() -> Path:
    """Return where the calibration of this machine is kept."""
    return cache_folder() / "advice.json"


def calibration(
    reference: Reference,
    *,
    anew: bool = False,
    on_progress: OnProgress = lambda progress: None,  # noqa: ARG005
    warn: Callable[[str], object] = lambda problem: None,  # noqa: ARG005
    measure: Callable[[Reference, OnProgress], "Calibration"] | None = None,
) -> Calibration:
    """Return what is known of this machine; what is not known is measured first.

    Args:
        reference: `Reference`.
        anew: Boolean. Measure it although it is known. Defaults to `False`.
        on_progress: Called with the `Progress` of measuring.
        warn: Called with the reason where the result cannot be kept.
        measure: Measures this machine. Defaults to `measure_machine`.

    Raises:
        RunError: If measuring failed.
    """
    path, here = cache_file(), environment()
    known = _read(path)
    fits = [each for each in known if each.reference == reference.version and not differences(each.environment, here)]
    if fits and not anew:
        return fits[-1]
    found = (measure or measure_machine)(reference, on_progress)
    # Read again: another process may have written meanwhile.
    kept = [each for each in _read(path) if differences(each.environment, here)]
    try:
        write_whole(path, _Calibrations.dump_json([*kept, found], indent=1).decode() + "\n")
    except (InputError, RunError) as error:
        warn(f"What was measured of this machine cannot be kept, so that the next advice will measure again. {error}")
    return found


def measure_machine(reference: Reference, on_progress: OnProgress) -> Calibration:
    """Measure this machine in a fresh process.

    Raises:
        BackendError: If TensorFlow is not installed, or Keras has another backend.
        RunError: If that failed; the message says why.
    """
    require_backend("Measuring this machine for advice")
    examples = []
    start_bytes = 0
    for group, message in measure_groups(GROUPS, ROUNDS, on_progress):
        start_bytes = message["start_bytes"]
        examples += examples_of(group, message["figures"])
    return Calibration(
        environment=environment(),
        reference=reference.version,
        factors=fit_factors(examples, reference.coefficients),
        start_bytes=start_bytes,
    )


def measure_groups(
    groups: Sequence[Group], rounds: int, on_progress: OnProgress, *, limits: Limits = LIMITS
) -> Iterator[tuple[Group, dict[str, Any]]]:
    """Yield each group with what `kerasunroll.advice.calibration_worker` says of it, from one fresh process.

    Raises:
        RunError: If the process ended before it had measured all of them.
    """
    job = {"groups": [[each.model_dump(mode="json") for each in group.configs()] for group in groups], "rounds": rounds}
    on_progress(Progress("measuring this machine: start", 0.0))
    with tempfile.TemporaryDirectory() as folder:
        try:
            with Worker(
                job,
                module="kerasunroll.advice.calibration_worker",
                log_path=Path(folder) / "calibration.log",
                env=TIMED,
                limits=limits,
            ) as worker:
                for number, group in enumerate(groups, start=1):
                    message = worker.receive()
                    on_progress(
                        Progress(f"measuring this machine: {group.cell} of {group.units} units", number / len(groups))
                    )
                    yield group, message
        except WorkerError as error:
            raise RunError(f"This machine could not be measured. {error}") from error


def examples_of(group: Group, figures: Sequence[Mapping[str, float]]) -> list[tuple[str, Example]]:
    """Return what was measured of a group as examples, each with its figure."""
    examples = []
    for config, measured in zip(group.configs(), figures, strict=True):
        amounts = work(Network.of(config.stack, config.batch_size), config.stack.settings)
        for part in amounts.values():
            part["start"] *= measured["cold"]  # whoever comes later finds TensorFlow warm
        examples += [(figure, Example(amounts, value)) for figure, value in measured.items() if figure in FIGURES]
    return examples


def _read(path: Path) -> list[Calibration]:
    """Return what is known. A file that is missing or damaged knows nothing; it will be written anew."""
    try:
        return _Calibrations.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return []
