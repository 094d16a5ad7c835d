"""The same network in several settings."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras

from kerasunroll.errors import InputError, SettingError
from kerasunroll.models.building import is_built
from kerasunroll.models.factories.config import StackConfig
from kerasunroll.models.factories.stack import build_stack
from kerasunroll.settings import Settings, parse_settings, settings_name

Factory: TypeAlias = Callable[..., keras.Model]
"""Takes `unroll` and returns a model."""


def variants(
    source: StackConfig | Factory, settings: Sequence[Settings | str], **factory_kwargs: Any
) -> dict[str, keras.Model]:
    """Build one network in several settings, with identical weights.

    Every variable of the first variant is copied to the others: weights, states of stateful layers, and the
    states of the seed generators, so that dropout too draws the same masks in every variant.

    Args:
        source: `StackConfig`, whose own `unroll` is ignored; or a factory such as `lstm_stack`: any function that takes
            `unroll` and returns a built `keras.Model`.
        settings: List of settings. Each is a value (`False`, `True`, or a list with one per layer) or text
            (`"loop"`, `"full"`, `"loop,full"`).
        **factory_kwargs: The factory's other arguments.

    Returns:
        A dict from the setting's short name to the model, in the order of `settings`.

    Raises:
        SettingError: If a setting is invalid or given twice, or there is none.
        InputError: If an argument is invalid, or the factory's models differ in more than their setting.

    Example:
    >>> models = variants(lstm_stack, ["loop", "full"], input_shape=(64, 1), head=Classification(10))
    >>> list(models)
    ['loop', 'full']
    """
    build = _builder(source, factory_kwargs)
    models: dict[str, keras.Model] = {}
    for name, setting in _named(settings).items():
        models[name] = build(setting)
        _copy_variables(next(iter(models.values())), models[name], name)
    return models


def _builder(source: StackConfig | Factory, factory_kwargs: dict[str, Any]) -> Callable[[Settings], keras.Model]:
    if isinstance(source, StackConfig):
        if factory_kwargs:
            raise InputError(
                f"A StackConfig holds all arguments already, got {', '.join(factory_kwargs)} beside it. "
                "Change the configuration instead: config.replace(...)."
            )
        return lambda setting: build_stack(source.replace(unroll=setting))
    if not callable(source):
        raise InputError(f"Expected a StackConfig, or a factory such as lstm_stack, got {source!r}.")
    if "unroll" in factory_kwargs:
        raise InputError(
            f"The settings decide unroll, got unroll={factory_kwargs['unroll']!r} beside them. Leave it out."
        )
    return lambda setting: source(unroll=setting, **factory_kwargs)


def _named(settings: Sequence[Settings | str]) -> dict[str, Settings]:
    if not isinstance(settings, list | tuple) or not settings:
        raise SettingError(f"Expected a list of settings, such as ['loop', 'full'], got {settings!r}.")
    named: dict[str, Settings] = {}
    for given in settings:
        setting = parse_settings(given) if isinstance(given, str) else given
        name = settings_name(setting)
        if name in named:
            raise SettingError(f"Expected each setting once, got '{name}' twice: {settings!r}.")
        named[name] = setting
    return named


def _copy_variables(model: keras.Model, other: keras.Model, name: str) -> None:
    if not is_built(other):
        raise InputError(
            f"The variant '{name}' is not built, so that it has no weights yet and would draw others than the first "
            "one. Give the model a keras.Input, or call it once on a batch in the factory."
        )
    if other is model:
        return
    shapes, other_shapes = ([tuple(variable.shape) for variable in each.variables] for each in (model, other))
    if shapes != other_shapes:
        raise InputError(
            f"The variant '{name}' is another network than the first one: expected variables of shapes "
            f"{shapes}, got {other_shapes}. A factory may use unroll for nothing but its layers' unroll."
        )
    for variable, copy in zip(model.variables, other.variables, strict=True):
        copy.assign(variable)
