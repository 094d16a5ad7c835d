"""What can be said about a table behind the `?` of its name."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TableOptions(BaseModel):
    """The options of `csv:PATH?option=value&option=value`.

    Args:
        columns: Tuple of strings or `None`. The columns that the network reads. Defaults to all columns of numbers.
        target: Tuple of strings or `None`. The columns to forecast. Defaults to those that the network reads.
        horizon: Integer, at least 1. How many of the next rows are forecast. Defaults to 1.
        group: String or `None`. The column that tells apart the sequences of a file: no window crosses from one to
            another.
        label: String or `None`. The column that holds the class of a sequence, which is then the target.
        time: String or `None`. The column of times. Defaults to the first column that looks like one; `"none"` leaves
            the rows in the order of the file.
        fill: `"forward"`, `"interpolate"` or `None`. What takes the place of a missing cell: the value before it, or
            the line between the values around it. Defaults to `None`: missing cells are refused.
        separator: `"comma"`, `"semicolon"`, `"tab"`, `"pipe"` or `None`. Defaults to what the first lines show.
        decimal: `"point"`, `"comma"` or `None`. Defaults to what the first lines show.
        encoding: String or `None`. How the text is encoded, such as `"cp1252"`. Defaults to UTF-8, or what the byte
            order mark says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[str, ...] | None = None
    target: tuple[str, ...] | None = None
    horizon: int = Field(1, ge=1)
    group: str | None = None
    label: str | None = None
    time: str | None = None
    fill: Literal["forward", "interpolate"] | None = None
    separator: Literal["comma", "semicolon", "tab", "pipe"] | None = None
    decimal: Literal["point", "comma"] | None = None
    encoding: str | None = None

    @model_validator(mode="after")
    def _check_label(self) -> Self:
        if self.label is not None and (self.target is not None or self.horizon != 1):
            raise ValueError("label= makes the class of a sequence the target: leave out target= and horizon=")
        return self
