"""The unroll setting: how a recurrent layer runs through time.

| setting | meaning | in text | in names |
|---|---|---|---|
| `False` | a loop over the time steps | `loop` | `loop` |
| `True` | one copy of the cell per time step | `full` | `full` |
| integer `k >= 2` | `k` time steps per loop iteration | `k8` or `8` | `k8` |

A stack has one setting per layer; a single value means all layers.
"""

import re
from collections.abc import Sequence
from numbers import Integral
from typing import Final, TypeAlias

from kerasunroll.errors import SettingError

Setting: TypeAlias = bool | int
"""How one layer runs through time: `False`, `True` or an integer `k >= 2`."""

Settings: TypeAlias = Setting | Sequence[Setting]
"""One setting for all layers, or one per layer."""

LOOP: Final = False
FULL: Final = True

ACCEPTED: Final = "False (loop), True (full) or an integer k >= 2 (k time steps per loop iteration)"
ACCEPTED_TEXT: Final = "loop, full, or k8 (also written 8) for 8 time steps per loop iteration"


def validate_setting(value: object, layer: int | None = None) -> Setting:
    """Return `value` as a setting, or say why it is none.

    Args:
        value: Anything.
        layer: Integer or `None`. The layer that the setting is for, counted from 1; named in the error.

    Returns:
        `False`, `True` or an `int` of at least 2.

    Raises:
        SettingError: If `value` is not a setting.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral) and int(value) >= 2:
        return int(value)
    where = "" if layer is None else f" for layer {layer}"
    hint = " One time step per loop iteration is the loop: use False." if _is_one(value) else ""
    raise SettingError(f"Invalid unroll setting{where}: expected {ACCEPTED}, got {value!r}.{hint}")


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
        text: String such as `"loop"`, `"full"`, `"k8"`, `"8"`, or `"loop,full"` with one setting per layer.

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
        `"loop"`, `"full"`, `"k8"`; with unequal settings, one word per layer: `"loop,full"`.

    Raises:
        SettingError: If a setting is invalid, or there is none.
    """
    layers = len(unroll) if isinstance(unroll, list | tuple) else 1
    if layers == 0:
        raise SettingError(f"Expected at least one unroll setting, got {unroll!r}.")
    words = [_word(setting) for setting in expand_settings(unroll, layers)]
    return words[0] if len(set(words)) == 1 else ",".join(words)


def keras_unroll(setting: Setting, layer: str) -> bool:
    """Return the `unroll` argument of a Keras layer.

    Args:
        setting: `False`, `True` or an integer.
        layer: String. The layer's name, for the error.

    Raises:
        SettingError: If `setting` is an integer, which Keras's own layers cannot run.
    """
    if isinstance(setting, bool):
        return setting
    raise SettingError(
        f"Layer '{layer}' with unroll={setting} needs kerasunroll.layers: Keras's own layers know only "
        "unroll=False and unroll=True. Take one of those two."
    )


def _is_one(value: object) -> bool:
    return isinstance(value, Integral) and int(value) == 1


def _parse_word(word: str, layer: int | None) -> Setting:
    if word in ("loop", "full"):
        return word == "full"
    number = re.fullmatch(r"k?([0-9]+)", word)
    if number and int(number[1]) >= 2:
        return int(number[1])
    where = "" if layer is None else f" for layer {layer}"
    raise SettingError(f"Invalid unroll setting{where}: expected {ACCEPTED_TEXT}, got '{word}'.")


def _word(setting: Setting) -> str:
    if isinstance(setting, bool):
        return "full" if setting else "loop"
    return f"k{setting}"
