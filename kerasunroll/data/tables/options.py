"""What of a table is read, and what is to be foretold of it."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from kerasunroll.data.spec import SourceSpec
from kerasunroll.errors import DataError


def _names(value: object) -> object:
    return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value


Fill = Literal["forward", "interpolate"]
Names = Annotated[tuple[str, ...], BeforeValidator(_names), Field(min_length=1)]


class TableOptions(BaseModel):
    """The options of `csv:PATH?...`.

    Args:
        columns: Names of the columns that the network reads. Defaults to all columns of numbers but `group` and
            `label`.
        target: Names of the columns to foretell. Defaults to those that the network reads.
        horizon: Integer, at least 1. How many rows after the window the target lies. Defaults to 1, the next row.
        group: Name of the column that tells the sequences of the table apart: no window reaches from one into another.
        label: Name of the column with the class: of a group, or without groups of the last row of each window.
        fill: `"forward"`: a missing cell takes the value above it; `"interpolate"`: values between those above and
            below. By default missing cells are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: Names | None = None
    target: Names | None = None
    horizon: int = Field(default=1, ge=1)
    group: str | None = Field(default=None, min_length=1)
    label: str | None = Field(default=None, min_length=1)
    fill: Fill | None = None

    @classmethod
    def of(cls, spec: SourceSpec) -> "TableOptions":
        """Return the options in the name of a source.

        Raises:
            DataError: If there is no such option, or its value does not fit.
        """
        try:
            options = cls.model_validate(spec.chosen())
        except ValidationError as error:
            first = error.errors()[0]
            name, value = first["loc"][0], first["input"]
            if first["type"] == "extra_forbidden":
                known = ", ".join(cls.model_fields)
                raise DataError(f"'{spec}': there is no option {name}. The options are {known}.") from None
            raise DataError(f"'{spec}': {name}={value} does not fit: {first['msg']}.") from None
        if options.label and (options.target or options.horizon != 1):
            raise DataError(
                f"'{spec}': label={options.label} asks for a class, so there is no target or horizon to foretell. "
                "Leave one of them out."
            )
        return options
