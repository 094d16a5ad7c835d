"""The unroll setting: how a recurrent layer runs through time, and whose layer it is.

| setting | meaning | whose layer | in text and in names |
|---|---|---|---|
| `False` | a loop over the time steps | Keras's | `loop` |
| `True` | one copy of the cell per time step | Keras's | `full` |
| integer `k >= 2` | `k` time steps per loop iteration | kerasunroll's | `k8` (read also as `8`) |
| `"own-loop"` | a loop over the time steps | kerasunroll's | `own-loop` |
| `"own-full"` | one copy of the cell per time step | kerasunroll's | `own-full` |
| `"auto"` | the fastest of all these on this machine | kerasunroll's | `auto` |

A stack has one setting per layer; a single value means all layers. What Keras cannot do needs no word for whose layer
it is; where both can, the plain word is Keras's.
"""

import re
from collections.abc import Sequence
from numbers import Integral
from typing import Final, Literal, TypeAlias, get_args

from kerasunroll.errors import SettingError

Word: TypeAlias = Literal["own-loop", "own-full", "auto"]
"""A setting of kerasunroll's layers that Keras's would not tell apart, or cannot have."""

Setting: TypeAlias = bool | int | Word
"""How one layer runs through time: `False`, `True`, an integer `k >= 2` or a `Word`."""

Settings: TypeAlias = Setting | Sequence[Setting]
"""One setting for all layers, or one per layer."""

Implementation: TypeAlias = Literal["keras", "kerasunroll"]
"""Whose layers: those of `keras.layers` or those of `kerasunroll.layers`."""

LayerUnroll: TypeAlias = bool | int | Literal["auto"]
"""The `unroll` argument of a layer of `kerasunroll.layers`."""

LOOP: Final = False
FULL: Final = True
AUTO: Final = "auto"
WORDS: Final[tuple[str, ...]] = get_args(Word)

_PLAIN: Final = "False (loop), True (full) or an integer k >= 2 (k time steps per loop iteration)"
ACCEPTED: Final = f"{_PLAIN}; for kerasunroll's layers also 'own-loop', 'own-full' or 'auto'"
ACCEPTED_TEXT: Final = (
    "loop, full, or k8 (also written 8) for 8 time steps per loop iteration; "
    "for kerasunroll's layers also own-loop, own-full or auto"
)
ACCEPTED_BY_LAYER: Final = f"{_PLAIN}; or 'auto'"


def validate_setting(value: object, layer: int | None = None) -> Setting:
    """Return `value` as a setting, or say why it is none.

    Args:
        value: Anything.
        layer: Integer or `None`. The layer that the setting is for, counted from 1; named in the error.

    Returns:
        `False`, `True`, an `int` of at least 2, `"own-loop"`, `"own-full"` or `"auto"`.

    Raises:
        SettingError: If `value` is not a setting.
    """
    if isinstance(value, str) and value in WORDS:
        return value  # type: ignore[return-value]  # mypy does not see that WORDS are those of Word
    where = "" if layer is None else f" for layer {layer}"
    return _bool_or_k(value, f"Invalid unroll setting{where}", ACCEPTED)


def validate_layer_unroll(value: object) -> LayerUnroll:
    """Return `value` as the `unroll` argument of a layer of `kerasunroll.layers`, or say why it is none.

    Args:
        value: Anything.

    Returns:
        `False`, `True`, an `int` of at least 2 or `"auto"`.

    Raises:
        SettingError: If `value` is something else.
    """
    if isinstance(value, str) and value == AUTO:
        return AUTO
    return _bool_or_k(value, "Invalid unroll", ACCEPTED_BY_LAYER)


def expand_settings(unroll: object, layers: int) -> tuple[Setting, ...]:
    """Return one valid setting per layer.

    Args:
        unroll: One setting for all layers, or a list or tuple with one per layer.
        layers: Integer. The number of recurrent layers, at least 1.

    Returns:
        A tuple of `layers` settings, the first layer's first.

    Raises:
        SettingError: If a setting is invalid, or their number is not `layers`.

    Example:
    >>> expand_settings(True, layers=2)
    (True, True)
    >>> expand_settings([False, 8], layers=2)
    (False, 8)
    """
    if not isinstance(unroll, list | tuple):
        return (validate_setting(unroll),) * layers
    if len(unroll) != layers:
        raise SettingError(
            f"Expected one unroll setting, or one for each of the {layers} layers, got {len(unroll)}: {unroll!r}."
        )
    return tuple(validate_setting(value, layer) for layer, value in enumerate(unroll, start=1))


def parse_settings(text: str) -> Settings:
    """Read settings as they are written on the command line.

    Args:
        text: String such as `"loop"`, `"full"`, `"k8"`, `"8"`, `"own-loop"`, `"own-full"` or `"auto"`; or
            `"loop,full"` with one setting per layer.

    Returns:
        One setting, or a tuple with one per layer.

    Raises:
        SettingError: If a word is not a setting; the message names the word and its layer.
    """
    words = [word.strip() for word in text.split(",")]
    if len(words) == 1:
        return _parse_word(words[0], layer=None)
    return tuple(_parse_word(word, layer) for layer, word in enumerate(words, start=1))


def settings_name(unroll: object) -> str:
    """Return the short name used for runs, tags and tables; `parse_settings` reads it back.

    Args:
        unroll: One setting, or a list or tuple with one per layer.

    Returns:
        `"loop"`, `"full"`, `"k8"`, `"own-loop"`; with unequal settings, one word per layer: `"loop,full"`.

    Raises:
        SettingError: If a setting is invalid, or there is none.
    """
    layers = len(unroll) if isinstance(unroll, list | tuple) else 1
    if layers == 0:
        raise SettingError(f"Expected at least one unroll setting, got {unroll!r}.")
    words = [_word(setting) for setting in expand_settings(unroll, layers)]
    return words[0] if len(set(words)) == 1 else ",".join(words)


def own_setting(setting: Setting) -> Setting:
    """Return the setting by which kerasunroll's layers do what `setting` says.

    Example:
    >>> own_setting(False)
    'own-loop'
    >>> own_setting(8)
    8
    """
    return ("own-full" if setting else "own-loop") if isinstance(setting, bool) else setting


def layer_arguments(setting: Setting) -> tuple[Implementation, LayerUnroll]:
    """Return whose layer runs a setting, and that layer's `unroll` argument.

    Args:
        setting: A valid setting.

    Example:
    >>> layer_arguments(True)
    ('keras', True)
    >>> layer_arguments("own-full")
    ('kerasunroll', True)
    """
    if isinstance(setting, bool):
        return "keras", setting
    if setting == "own-loop" or setting == "own-full":  # spelt out, as it narrows the type
        return "kerasunroll", setting == "own-full"
    return "kerasunroll", setting


def is_full(setting: Setting) -> bool:
    """Tell whether a setting lays out every time step, so that their number must be known."""
    return layer_arguments(setting)[1] is FULL


def _bool_or_k(value: object, what: str, accepted: str) -> bool | int:
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral) and int(value) >= 2:
        return int(value)
    hint = " One time step per loop iteration is the loop: use False." if _is_one(value) else ""
    raise SettingError(f"{what}: expected {accepted}, got {value!r}.{hint}")


def _is_one(value: object) -> bool:
    return isinstance(value, Integral) and int(value) == 1


def _parse_word(word: str, layer: int | None) -> Setting:
    if word in ("loop", "full"):
        return word == "full"
    if word in WORDS:
        return validate_setting(word)
    number = re.fullmatch(r"k?([0-9]+)", word)
    if number and int(number[1]) >= 2:
        return int(number[1])
    where = "" if layer is None else f" for layer {layer}"
    raise SettingError(f"Invalid unroll setting{where}: expected {ACCEPTED_TEXT}, got '{word}'.")


def _word(setting: Setting) -> str:
    if isinstance(setting, bool):
        return "full" if setting else "loop"
    return setting if isinstance(setting, str) else f"k{setting}"
