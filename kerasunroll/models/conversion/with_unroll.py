"""Give any Keras model another unroll setting: same weights, same training state, same result."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

import keras

from kerasunroll.errors import InputError, KerasunrollWarning, SettingError
from kerasunroll.models.building import build_from, is_unbuilt
from kerasunroll.models.conversion.cloning import clone
from kerasunroll.models.conversion.counterparts import Counterpart, counterpart
from kerasunroll.settings import (
    Implementation,
    Setting,
    Settings,
    expand_settings,
    is_full,
    layer_arguments,
    own_setting,
    parse_settings,
    settings_name,
    validate_setting,
)

Names: TypeAlias = str | Sequence[str]
"""A layer's name, a pattern such as `"lstm_*"`, or a list of these."""


def with_unroll(
    model: keras.Model,
    setting: Settings | Mapping[str, Setting],
    *,
    layers: Names | None = None,
    implementation: Implementation | None = None,
    x: Any = None,
) -> keras.Model:
    """Return a copy of a model whose recurrent layers run through time in another setting.

    The copy has all of the model's state: weights, statistics, states of stateful layers and of seed generators,
    names, `trainable` flags; and where the model is compiled, its optimiser with all slots and the number of training
    steps done, loss, metrics and the other arguments of `compile`. The model itself stays as it is, and shares no
    variable with the copy.

    Args:
        model: A `keras.Model`: Sequential, functional, or subclassed where Keras can rebuild it from its
            configuration (`get_config` and `from_config`). Recurrent layers are found wherever they are: in nested
            models, in `Bidirectional`, in `TimeDistributed`, in layers of the user's own.
        setting: One setting for all chosen recurrent layers (`kerasunroll.settings`), also as on the command line
            (`"full"`, `"k8"`); a list with one for each, in the
            order of the model, where both directions of a `Bidirectional` count as one; or a dict from names or
            patterns to settings, the last match deciding.
        layers: String or list of strings. The recurrent layers to convert, by name, path or pattern (`"lstm_*"`); the
            name of a `Bidirectional`, a nested model or another layer stands for all inside. Defaults to `None`: all.
            The others stay as they are.
        implementation: `"keras"`, `"kerasunroll"` or `None`. Whose layers: with `"keras"`, `"own-loop"` and
            `"own-full"` too become Keras's, so that a model converted for training can be shipped as plain Keras; with
            `"kerasunroll"`, `False` and `True` too become kerasunroll's. Defaults to `None`: as the setting says.
        x: A batch of inputs, from which a model that is not built yet is built. Defaults to `None`.

    Returns:
        A `keras.Model` of the same class.

    Raises:
        SettingError: If a setting is invalid, or a layer has no such setting.
        InputError: If `model` is no built Keras model, has no recurrent layer or none of that name, if Keras cannot
            rebuild it, or if a layer is to be fully unrolled whose number of time steps is unknown.

    Example:
    >>> fast = with_unroll(model, 8)
    >>> fast.fit(x, y)
    >>> with_unroll(fast, False).save("plain.keras")
    """
    if isinstance(setting, str):
        setting = parse_settings(setting)
    if x is not None and is_unbuilt(model):
        build_from(model, x)
    places = recurrent_places(model)
    settings = _settings(places, setting, layers, implementation)
    for layer, each in settings.items():
        _check_timesteps(layer, each)
    counterparts = {layer: counterpart(layer, each) for layer, each in settings.items()}
    _warn_of_lost_truncation(counterparts)
    return clone(model, counterparts)


@dataclass(frozen=True)
class Place:
    """A recurrent layer where the model has it.

    Args:
        layer: The `keras.layers.RNN`.
        inside: Tuple of the layers that contain it, the outermost first; the model itself is left out.
    """

    layer: Any
    inside: tuple[Any, ...]

    @property
    def whole(self) -> Any:
        """The layer that counts as one: the outermost `Bidirectional` around it, or the layer itself."""
        return next((each for each in self.inside if isinstance(each, keras.layers.Bidirectional)), self.layer)

    def is_named(self, pattern: str) -> bool:
        """Tell whether a name or pattern is that of the layer, or of a layer around it."""
        layers = (*self.inside, self.layer)
        names = {name for each in layers for name in (each.name, each.path or each.name)}
        return pattern in names or any(fnmatchcase(name, pattern) for name in names)


def recurrent_places(model: Any) -> list[Place]:
    """Return every recurrent layer of a built model, each once, in the order of the model.

    Raises:
        InputError: If `model` is no Keras model, is not built or has no recurrent layer.
    """
    if not isinstance(model, keras.Model):
        raise InputError(f"Expected a keras.Model, got {type(model).__name__}: {model!r}.")
    if not model.built:
        raise InputError(
            f"Model '{model.name}' is not built, so its weights do not exist yet. "
            "Give it a keras.Input, call it once on a batch, or pass with_unroll such a batch: x=."
        )
    places: dict[Any, Place] = {}
    for place in _walk(model, ()):
        places.setdefault(place.layer, place)
    if not places:
        raise InputError(
            f"Model '{model.name}' has no recurrent layer (no keras.layers.RNN such as LSTM, GRU or SimpleRNN): "
            "there is nothing that runs through time."
        )
    return list(places.values())


def _walk(layer: Any, inside: tuple[Any, ...]) -> Iterator[Place]:
    for inner in layer._layers:
        if isinstance(inner, keras.layers.RNN):
            yield Place(inner, inside)
        else:
            yield from _walk(inner, (*inside, inner))


def _settings(
    places: list[Place], setting: Any, layers: Names | None, implementation: Implementation | None
) -> dict[Any, Setting]:
    """Return the setting of each layer that is to be converted."""
    chosen = places if layers is None else _named(places, [layers] if isinstance(layers, str) else layers)
    if isinstance(setting, Mapping):
        settings = {
            place.layer: validate_setting(each) for name, each in setting.items() for place in _named(chosen, [name])
        }
    else:
        wholes = list(dict.fromkeys(place.whole for place in chosen))
        each_whole = dict(zip(wholes, expand_settings(setting, len(wholes)), strict=True))
        settings = {place.layer: each_whole[place.whole] for place in chosen}
    return {layer: _implemented(each, implementation) for layer, each in settings.items()}


def _named(places: list[Place], patterns: Sequence[str]) -> list[Place]:
    for pattern in patterns:
        if not any(place.is_named(pattern) for place in places):
            known = ", ".join(f"'{place.layer.name}'" for place in places)
            raise InputError(
                f"No recurrent layer is named '{pattern}', or is inside a layer of that name: got {known}."
            )
    return [place for place in places if any(place.is_named(pattern) for pattern in patterns)]


def _implemented(setting: Setting, implementation: Implementation | None) -> Setting:
    if implementation is None:
        return setting
    if implementation == "kerasunroll":
        return own_setting(setting)
    if implementation != "keras":
        raise InputError(f"Expected implementation='keras', 'kerasunroll' or None, got {implementation!r}.")
    unroll = layer_arguments(setting)[1]
    if not isinstance(unroll, bool):
        raise SettingError(
            f"Keras's layers have no setting {settings_name(setting)}: with implementation='keras' expected False "
            "(loop) or True (full)."
        )
    return unroll


def _check_timesteps(layer: Any, setting: Setting) -> None:
    if is_full(setting) and any(timesteps is None for timesteps in _timesteps(layer)):
        raise InputError(
            f"Layer '{layer.name}' cannot be fully unrolled: its number of time steps is unknown. Give the number in "
            "the shape of the model's Input, or use another setting, such as 8 or False."
        )


def _timesteps(layer: Any) -> Iterator[int | None]:
    """Yield the number of time steps wherever the layer was built or called on an input of a known shape."""
    built = layer.get_build_config() or {}
    shape = built.get("input_shape") or built.get("shapes_dict", {}).get("sequences_shape")
    if shape is not None and isinstance(shape[0], int | None):
        yield shape[1]
    for node in layer._inbound_nodes:
        yield node.input_tensors[0].shape[1]


def _warn_of_lost_truncation(counterparts: Mapping[Any, Counterpart]) -> None:
    lost = [
        f"'{layer.name}'"
        for layer, each in counterparts.items()
        if getattr(layer, "truncate", None) is not None and each.layer_class.__module__.startswith("keras.")
    ]
    if lost:
        warnings.warn(
            f"Keras's layers cannot cut the gradient (truncate), which {', '.join(lost)} did: the outputs are the "
            "same, further training is not.",
            KerasunrollWarning,
            stacklevel=3,
        )
