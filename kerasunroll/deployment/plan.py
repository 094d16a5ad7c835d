"""The plan of a deployment: what is to be tried. It lies in the folder, so that an interrupted one can go on."""

from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kerasunroll import __version__
from kerasunroll.deployment.contender import Contender
from kerasunroll.deployment.verdict import DeviceLimits
from kerasunroll.errors import InputError
from kerasunroll.files import changes, checksums, write_whole
from kerasunroll.models import SavedModel

PLAN_FILE: Final = "deployment.json"
GIVEN: Final = "given"
"""The folder of what was given, below that of the deployment: sequences, and a model of a running process."""
BATCH: Final = f"{GIVEN}/batch.npz"


class DeploymentPlan(BaseModel):
    """What a deployment is to try.

    Args:
        contenders: Tuple of `Contender`, without those with Flex operations, which depend on what cannot be made.
        limits: `DeviceLimits`. What it is judged by. Defaults to none.
        checksums: Dict from a file below `given` to its SHA-256, by which one that has changed is noticed.
        kerasunroll_version: String. Defaults to this version.
        schema_version: Integer. Always 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    contenders: tuple[Contender, ...] = Field(min_length=1)
    limits: DeviceLimits = DeviceLimits()
    checksums: dict[str, str] = {}
    kerasunroll_version: str = __version__

    def save(self, folder: Path) -> None:
        """Write `deployment.json`.

        Raises:
            InputError: If the folder cannot be written to.
            RunError: If writing failed, such as on a full disk.
        """
        write_whole(folder / PLAN_FILE, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the `deployment.json` of a folder.

        Raises:
            InputError: If there is none, or it is not one of this version.
        """
        path = folder / PLAN_FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(
                f"There is no deployment in '{folder}': there is no {PLAN_FILE} to read ({error.strerror}). Give the "
                "folder that kerasunroll deploy has made, such as logs/deploy."
            ) from None
        except (ValidationError, InputError):
            raise InputError(
                f"There is no deployment in '{folder}' that can be read: '{path}' is no plan of kerasunroll "
                f"{__version__}. Start a new run."
            ) from None

    def check_given(self, folder: Path) -> None:
        """See whether the model and the sequences are still what they were when the plan was made.

        Args:
            folder: Path. The folder of the deployment.

        Raises:
            InputError: If one of them has changed, or is missing.
        """
        stack = self.contenders[0].in_run(folder).stack
        if isinstance(stack, SavedModel):
            stack.check_file()
        for name, what in changes(self.checksums, checksums(folder / GIVEN, folder)):
            raise InputError(f"'{folder / name}' {what} since the run was begun. Start a new run.")
