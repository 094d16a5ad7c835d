"""What was learned once, on a reference machine, and ships with the package: `reference.json`.

`benchmarks/advice_reference.py` makes the file.
"""

from importlib.resources import files
from typing import Final

from pydantic import BaseModel, ConfigDict

from kerasunroll.measurement.records.environment import Environment
from kerasunroll.measurement.records.frozen import Frozen

FILE: Final = "reference.json"


class Reference(BaseModel):
    """The coefficients of the cost model on the reference machine, and how well they predict.

    Args:
        version: Integer. Another one makes every machine be measured anew.
        environment: `Environment`. Where it was learned.
        coefficients: Mapping from a figure to mappings from a cell and way, such as `"lstm full"`, to what one piece of
            each kind of work costs, in seconds or bytes.
        spread: Mapping from a figure to the standard deviation of the logarithm of what was measured over what was
            predicted, of networks that nothing was learned from.
        spread_between: The same of the ratio of two settings of one network, divided by √2.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    environment: Environment
    coefficients: Frozen[dict[str, dict[str, float]]]
    spread: Frozen[float]
    spread_between: Frozen[float]


def reference() -> Reference:
    """Return the reference that ships with this version."""
    return Reference.model_validate_json(files("kerasunroll.advice").joinpath(FILE).read_bytes())
