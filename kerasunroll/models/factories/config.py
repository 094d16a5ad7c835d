"""A recurrent stack, described in one validated object. Loads without TensorFlow."""

import json
import re
import zlib
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from kerasunroll.errors import InputError
from kerasunroll.models.factories.fields import (
    CellField,
    CellKwargsField,
    CountField,
    FlagField,
    HeadField,
    ImplementationField,
    NameField,
    NumberField,
    PolicyField,
    RateField,
    SeedField,
    ShapeField,
    UnitsField,
)
from kerasunroll.settings import Setting, expand_settings, is_full, own_setting, validate_setting


def default_name(options: dict[str, Any]) -> str:
    """Return the name of a network: its size, then whatever sets it apart from the plain stack.

    What the data decide (features, the head's outputs) and what does not change the network (the unroll
    setting, the seed) is not named: each data source has a log directory of its own, each setting a run.

    Args:
        options: Dict. The validated fields of a `StackConfig`.

    Returns:
        A string such as `"lstm-L2-U64-T100"` or `"gru-L2-U64-32-Tany-bidirectional-dropout0.2"`.
    """
    units, timesteps = options["units"], options["input_shape"][0]
    sizes = units[:1] if len(set(units)) == 1 else units
    words = [
        options["cell"],
        f"L{len(units)}",
        "U" + "-".join(str(size) for size in sizes),
        f"T{timesteps or 'any'}",
    ]
    words += [f"E{options['embedding']}"] if options["embedding"] else []
    words += [f"masked{options['mask_value']:g}"] if options["mask_value"] is not None else []
    words += [word for word, flag in _FLAG_WORDS.items() if options[flag]]
    words += [f"{rate}{options[rate]:g}" for rate in ("dropout", "recurrent_dropout") if options[rate]]
    words += [options["dtype"]] if options["dtype"] not in (None, "float32") else []
    words += [_option_word(key, option) for key, option in sorted(options["cell_kwargs"].items())]
    return re.sub(r"[^A-Za-z0-9_.-]", "_", "-".join(words))


_FLAG_WORDS = {
    "sequences": "return_sequences",
    "bidirectional": "bidirectional",
    "backwards": "go_backwards",
    "stateful": "stateful",
}


def _option_word(key: str, option: Any) -> str:
    # A serialised Keras object is too long for a folder name; its checksum sets it apart.
    nested = isinstance(option, dict | list)
    return f"{key}_{format(zlib.crc32(json.dumps(option).encode()), '08x') if nested else option}"


class StackConfig(BaseModel):
    """Describe a recurrent stack and its head.

    Frozen and made of plain values, so that it travels as JSON between processes and into records.
    `kerasunroll.models.build_stack` makes the Keras model. Each argument is explained where it is used: see
    `kerasunroll.models.recurrent_stack`.

    Args:
        cell: String. `"simple_rnn"`, `"lstm"` or `"gru"`.
        input_shape: Tuple. `(timesteps, features)`, or `(timesteps,)` with `embedding`; `timesteps` may be
            `None` if no layer is unrolled.
        units: Tuple of integers, one per layer, or one integer for one layer. Defaults to `(64, 64)`.
        unroll: One setting, or one per layer. Defaults to `False`.
        implementation: String. Whose layers run `unroll=False` and `True`: `"keras"` (default) or `"kerasunroll"`,
            which is the same as `unroll="own-loop"` and `"own-full"`. All other settings are kerasunroll's anyway.
        head: `Classification`, `Regression` or `None`. Defaults to `None`: the bare stack.
        return_sequences: Boolean, default `False`.
        bidirectional: Boolean, default `False`.
        mask_value: Float or `None`. Defaults to `None`: no mask.
        embedding: Integer or `None`. The vocabulary size. Defaults to `None`: the input is real numbers.
        dropout: Float in [0, 1), default 0.
        recurrent_dropout: Float in [0, 1), default 0.
        stateful: Boolean, default `False`. Needs `batch_size`.
        batch_size: Integer or `None`. Defaults to `None`: any.
        go_backwards: Boolean, default `False`.
        cell_kwargs: Dict of further arguments of the recurrent layers, as JSON values. Defaults to `{}`.
        dtype: String or `None`. The name of a dtype policy. Defaults to `None`: Keras's global policy.
        seed: Integer or `None`. Defaults to `None`: other weights every time.
        name: String. The name of the model and of its run folder. Defaults to what `default_name` returns.

    Raises:
        SettingError: If `unroll` is no setting, or has a wrong number of them.
        InputError: If another argument is missing, unknown or invalid, or two do not go together.

    Example:
    >>> config = StackConfig(cell="lstm", input_shape=(100, 1), unroll=[False, True])
    >>> config.name
    'lstm-L2-U64-T100'
    >>> StackConfig.from_json(config.model_dump_json()) == config
    True
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: CellField
    embedding: CountField = None
    input_shape: ShapeField
    units: UnitsField = (64, 64)
    unroll: Setting | tuple[Setting, ...] = False
    implementation: ImplementationField = "keras"
    head: HeadField = None
    return_sequences: FlagField = False
    bidirectional: FlagField = False
    mask_value: NumberField = None
    dropout: RateField = 0.0
    recurrent_dropout: RateField = 0.0
    stateful: FlagField = False
    batch_size: CountField = None
    go_backwards: FlagField = False
    cell_kwargs: CellKwargsField = Field(default_factory=dict)
    dtype: PolicyField = None
    seed: SeedField = None
    name: NameField = Field(default_factory=default_name)

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except ValidationError as error:
            raise _in_plain_words(error) from None

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `model_dump_json` wrote.

        Raises:
            InputError: If `text` is no JSON object, or not one of a valid stack.
        """
        try:
            options = json.loads(text)
        except ValueError as error:
            raise InputError(f"Expected a stack's configuration as JSON, got {text!r}: {error}.") from None
        if not isinstance(options, dict):
            raise InputError(f"Expected a stack's configuration as a JSON object, got {text!r}.")
        return cls(**options)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some arguments changed, validated anew; a name not given follows the changes.

        Args:
            **changes: Arguments of `StackConfig`.

        Raises:
            InputError: As `StackConfig`.

        Example:
        >>> StackConfig(cell="gru", input_shape=(100, 1)).replace(input_shape=(200, 1)).name
        'gru-L2-U64-T200'
        """
        options = self.model_dump()
        if self.name == default_name(options):
            del options["name"]
        return type(self)(**(options | changes))

    @property
    def layers(self) -> int:
        """The number of recurrent layers."""
        return len(self.units)

    @property
    def timesteps(self) -> int | None:
        """`T`, or `None` if it is unknown."""
        return self.input_shape[0]

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The unroll setting of each layer, the first layer's first; each says by itself whose layer it is."""
        settings = expand_settings(self.unroll, self.layers)
        return settings if self.implementation == "keras" else tuple(own_setting(setting) for setting in settings)

    @property
    def gives_sequences(self) -> tuple[bool, ...]:
        """Whether each layer returns all time steps: the last one does in a many-to-many stack only."""
        return (True,) * (self.layers - 1) + (self.return_sequences,)

    @field_validator("unroll", mode="before")
    @classmethod
    def _check_unroll(cls, unroll: Any, info: ValidationInfo) -> Any:
        if not isinstance(unroll, list | tuple):
            return validate_setting(unroll)
        # Without valid units there is another error to report.
        return expand_settings(unroll, len(info.data.get("units", unroll)))

    @model_validator(mode="after")
    def _check_input(self) -> Self:
        expected = "(timesteps, features)" if self.embedding is None else "(timesteps,)"
        if len(self.input_shape) != (2 if self.embedding is None else 1):
            raise InputError(
                f"Invalid input_shape: expected {expected} with embedding={self.embedding}, without the "
                f"batch size, got {self.input_shape!r}."
            )
        if self.embedding is not None and self.mask_value not in (None, 0):
            raise InputError(
                "Invalid mask_value: with embedding only index 0 can be masked (mask_value=0), "
                f"got {self.mask_value!r}."
            )
        if self.timesteps is None and any(is_full(setting) for setting in self.settings):
            raise InputError(
                f"Cannot unroll an unknown time dimension: got input_shape={self.input_shape!r} with "
                f"unroll={self.unroll!r}. Give the number of time steps, such as input_shape="
                f"{(100, *self.input_shape[1:])!r}, or unroll=False."
            )
        return self

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.stateful and self.batch_size is None:
            raise InputError("stateful=True needs the batch size: give batch_size as a positive integer.")
        if self.bidirectional and self.go_backwards:
            raise InputError(
                "bidirectional=True and go_backwards=True do not go together: a bidirectional layer reads "
                "in both directions already. Give one of the two."
            )
        if self.go_backwards and self.mask_value is not None and any(self.gives_sequences):
            raise InputError(
                f"go_backwards=True with mask_value={self.mask_value!r} needs units of one layer and "
                f"return_sequences=False, got units={self.units!r} and return_sequences="
                f"{self.return_sequences}: Keras returns the sequence reversed but its mask unreversed. "
                "Reverse the time steps of the data instead; the network is the same."
            )
        return self


def _in_plain_words(error: ValidationError) -> InputError:
    """Return pydantic's first finding as one of our errors."""
    first = error.errors()[0]
    ours = first.get("ctx", {}).get("error")
    if isinstance(ours, InputError):
        return ours
    argument = str(first["loc"][0])
    if first["type"] == "missing":
        return InputError(f"Missing argument: {argument}.")
    known = ", ".join(StackConfig.model_fields)
    return InputError(f"Unknown argument: {argument}={first['input']!r}. Known are {known}.")
