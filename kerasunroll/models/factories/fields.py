"""The kinds of value that a stack's arguments take, and what is said when one is given something else."""

import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import BeforeValidator, JsonValue, ValidationInfo

from kerasunroll.errors import InputError
from kerasunroll.settings import Implementation
from kerasunroll.tasks import Classification, Regression, Task

Cell: TypeAlias = Literal["simple_rnn", "lstm", "gru"]
CELL_NAMES: Final[Mapping[str, str]] = {"simple_rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}
"""What Keras, and people, call the cells."""
CELLS: Final[tuple[str, ...]] = get_args(Cell)

IMPLEMENTATIONS: Final[tuple[str, ...]] = get_args(Implementation)

DTypePolicy: TypeAlias = Literal["float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16"]
DTYPE_POLICIES: Final[tuple[str, ...]] = get_args(DTypePolicy)

# What the factories decide themselves, so that `cell_kwargs` cannot say something else.
_LAYER_ARGUMENTS: Final = {"units", "unroll", "return_sequences", "go_backwards", "stateful", "name", "dtype"}
_CELL_ARGUMENTS: Final = {"dropout", "recurrent_dropout", "seed"}
_INPUT_ARGUMENTS: Final = {"input_shape", "batch_size", "batch_shape"}
_OWN_ARGUMENTS: Final = _LAYER_ARGUMENTS | _CELL_ARGUMENTS | _INPUT_ARGUMENTS


def _accept(accepted: str, convert: Callable[[Any], Any]) -> BeforeValidator:
    """Return a validator that names `accepted` where `convert` raises `TypeError` or `ValueError`."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        try:
            return convert(value)
        except InputError:
            raise
        except (TypeError, ValueError):
            raise InputError(f"Invalid {info.field_name}: expected {accepted}, got {value!r}.") from None

    return BeforeValidator(validate)


def _or_none(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def _one_of(names: tuple[str, ...]) -> Callable[[Any], Any]:
    return lambda value: names[names.index(value)]


def _in_words(names: tuple[str, ...], last: str = "") -> str:
    quoted = [f"'{name}'" for name in names] + [last] * bool(last)
    return ", ".join(quoted[:-1]) + " or " + quoted[-1]


def _to_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _to_integer(value: Any, least: int = 1) -> int:
    if isinstance(value, bool) or operator.index(value) < least:
        raise ValueError
    return operator.index(value)


def _to_number(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _to_rate(value: Any) -> float:
    rate = _to_number(value)
    if not 0 <= rate < 1:
        raise ValueError
    return rate


def _to_shape(value: Any) -> tuple[int | None, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise TypeError
    timesteps, *features = value
    return (_or_none(_to_integer)(timesteps), *(_to_integer(size) for size in features))


def _to_units(value: Any) -> tuple[int, ...]:
    units = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not units:
        raise ValueError
    return tuple(_to_integer(size) for size in units)


def _to_head(value: Any) -> Task | None:
    match value:
        case None | Classification() | Regression():
            return value
        case {"classes": classes}:
            return Classification(classes)
        case {"outputs": outputs}:
            return Regression(outputs)
    raise TypeError


def _to_cell_kwargs(value: Any) -> dict[str, JsonValue]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise TypeError
    if clash := sorted(_OWN_ARGUMENTS.intersection(value)):
        raise InputError(
            f"Invalid cell_kwargs: '{clash[0]}' is decided by the stack, got {clash[0]}={value[clash[0]]!r}. "
            "Give the stack's own argument instead."
        )
    if "return_state" in value:
        raise InputError(
            "Invalid cell_kwargs: a stack passes one sequence from layer to layer, "
            f"got return_state={value['return_state']!r}. Leave it out."
        )
    return {key: _to_json(key, option) for key, option in value.items()}


def _to_json(key: str, option: Any) -> Any:
    try:
        return json.loads(json.dumps(option, allow_nan=False))
    except (TypeError, ValueError):
        raise InputError(
            f"Invalid cell_kwargs: expected '{key}' as Keras writes it in JSON, got {option!r}. "
            "Give its name, or keras.saving.serialize_keras_object(...) of it."
        ) from None


def _to_name(value: Any) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", value):
        raise ValueError
    return str(value)


CellField = Annotated[Cell, _accept(_in_words(CELLS), _one_of(CELLS))]
ImplementationField = Annotated[Implementation, _accept(_in_words(IMPLEMENTATIONS), _one_of(IMPLEMENTATIONS))]
PolicyField = Annotated[
    DTypePolicy | None,
    _accept(_in_words(DTYPE_POLICIES, "None (Keras's global policy)"), _or_none(_one_of(DTYPE_POLICIES))),
]
FlagField = Annotated[bool, _accept("True or False", _to_flag)]
CountField = Annotated[int | None, _accept("a positive integer or None", _or_none(_to_integer))]
SeedField = Annotated[
    int | None,
    _accept("an integer of at least 0 or None", _or_none(lambda value: _to_integer(value, least=0))),
]
NumberField = Annotated[float | None, _accept("a finite number or None", _or_none(_to_number))]
RateField = Annotated[float, _accept("a number of at least 0 and below 1", _to_rate)]
ShapeField = Annotated[
    tuple[int | None, ...],
    _accept("a tuple of positive integers, whose first, the time steps, may be None", _to_shape),
]
UnitsField = Annotated[
    tuple[int, ...],
    _accept("one positive integer per layer, such as (64, 64), or one integer for one layer", _to_units),
]
HeadField = Annotated[Task | None, _accept("Classification(...), Regression(...) or None", _to_head)]
CellKwargsField = Annotated[
    dict[str, JsonValue], _accept("a dict of arguments for the recurrent layers", _to_cell_kwargs)
]
NameField = Annotated[str, _accept("letters, digits, '_', '.' and '-', beginning with a letter or digit", _to_name)]
