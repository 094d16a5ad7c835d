"""What is known of data that were given in Python, without opening them."""

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from kerasunroll.errors import DataError
from kerasunroll.files import changes, checksums

FACTS_FILE: Final = "facts.json"


def _checksums(folder: Path) -> dict[str, str]:
    return {name: each for name, each in checksums(folder, folder).items() if Path(name).name != FACTS_FILE}


class GivenFacts(BaseModel):
    """The data in a folder, in plain values.

    Args:
        kind: `"arrays"`, of which batches are made, or `"batches"`, which stay as they are.
        description: String. Shapes and sizes in words.
        training_sequences: Integer. The sequences of an epoch.
        validation_sequences: Integer. 0 where none were given.
        batch_size: Integer, or `None` where any may be chosen.
        input_shape: Tuple. The shape of one sequence; of several inputs, that of the first.
        checksums: Dict from a file's name to its SHA-256, by which a file that has changed is noticed.
        structure: JSON values: how the arrays are nested, see `kerasunroll.data.given.nests`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["arrays", "batches"]
    description: str
    training_sequences: int
    validation_sequences: int
    batch_size: int | None = None
    input_shape: tuple[int | None, ...]
    structure: dict[str, Any] = {}
    checksums: dict[str, str] = {}

    @classmethod
    def with_checksums(cls, folder: Path, **facts: Any) -> "GivenFacts":
        """Return the facts of the data that lie in a folder now."""
        return cls(checksums=_checksums(folder), **facts)

    def check_files(self, folder: Path) -> None:
        """See whether the data in a folder are still what they were.

        Raises:
            DataError: If a file has changed, or is missing.
        """
        for name, what in changes(self.checksums, _checksums(folder)):
            raise DataError(f"'{folder / name}' {what} since the run was begun. Start a new comparison.")

    @classmethod
    def read(cls, folder: Path) -> "GivenFacts":
        """Read the facts in a folder.

        Raises:
            DataError: If there are none.
        """
        try:
            return cls.model_validate_json((folder / FACTS_FILE).read_bytes())
        except OSError:
            raise DataError(
                f"The data that were given in Python are no longer in '{folder}'. A temporary folder ends with its "
                "Python process: give folder= to keep one. Start a new comparison."
            ) from None
        except ValidationError:
            raise DataError(f"'{folder / FACTS_FILE}' is damaged. Start a new comparison.") from None
