"""What is known of data that were given in Python, without opening them."""

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from kerasunroll.errors import DataError

FACTS_FILE: Final = "facts.json"


class GivenFacts(BaseModel):
    """The data in a folder, in plain values.

    Args:
        kind: `"arrays"`, of which batches are made, or `"batches"`, which stay as they are.
        description: String. Shapes and sizes in words.
        training_sequences: Integer. The sequences of an epoch.
        validation_sequences: Integer. 0 where none were given.
        batch_size: Integer, or `None` where any may be chosen.
        input_shape: Tuple. The shape of one sequence; of several inputs, that of the first.
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

    @classmethod
    def read(cls, folder: Path) -> "GivenFacts":
        """Read the facts in a folder.

        Raises:
            DataError: If there are none.
        """
        try:
            return cls.model_validate_json((folder / FACTS_FILE).read_bytes())
        except (OSError, ValidationError) as error:
            raise DataError(
                f"The data that were given in Python are no longer in '{folder}' ({type(error).__name__}). A temporary "
                "folder ends with its Python process: give folder= to keep one. Start a new comparison."
            ) from None
