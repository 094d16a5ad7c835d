"""What a recurrent layer becomes when it is given another unroll setting."""

from dataclasses import dataclass
from inspect import signature
from typing import Any, Final

import keras

from kerasunroll import layers as own
from kerasunroll.errors import SettingError
from kerasunroll.settings import LayerUnroll, Setting, layer_arguments, settings_name

_KINDS: Final = ("SimpleRNN", "LSTM", "GRU", "RNN")
_KERAS: Final[dict[str, Any]] = {kind: getattr(keras.layers, kind) for kind in _KINDS}
_OWN: Final[dict[str, Any]] = {kind: getattr(own, kind) for kind in _KINDS}


@dataclass(frozen=True)
class Counterpart:
    """The class that runs a layer in a setting, and its `unroll` argument.

    Args:
        layer_class: A class of recurrent layers, of Keras, of kerasunroll or the user's own.
        unroll: Its `unroll` argument.
    """

    layer_class: Any
    unroll: LayerUnroll

    def is_met_by(self, layer: Any) -> bool:
        """Tell whether a layer is what it should become."""
        # By their text: True == 1, and what a layer keeps may be a kind of integer.
        return type(layer) is self.layer_class and repr(layer.get_config()["unroll"]) == repr(self.unroll)

    def node(self, node: dict[str, Any]) -> dict[str, Any]:
        """Return a layer's serialised form as that of its counterpart.

        Args:
            node: Dict, as `keras.saving.serialize_keras_object` makes it.
        """
        config = {**node["config"], "unroll": self.unroll}
        if self.layer_class in _KERAS.values():
            module, registered_name = "keras.layers", None
            config = {key: value for key, value in config.items() if key not in _own_arguments(self.layer_class)}
        else:
            module, registered_name = self.layer_class.__module__, keras.saving.get_registered_name(self.layer_class)
        kind = {"module": module, "class_name": self.layer_class.__name__, "registered_name": registered_name}
        return {**node, **kind, "config": config}


def counterpart(layer: Any, setting: Setting) -> Counterpart:
    """Return what a recurrent layer becomes in a setting.

    Args:
        layer: A `keras.layers.RNN`.
        setting: A valid setting.

    Returns:
        A `Counterpart`. A layer that is exactly one of Keras's or kerasunroll's SimpleRNN, LSTM, GRU and RNN becomes
        the other's where the setting says so; any other keeps its class.

    Raises:
        SettingError: If there is no such layer; the message says which settings there are.
    """
    implementation, unroll = layer_arguments(setting)
    kind = _kind(layer)
    if kind is not None:
        return Counterpart((_KERAS if implementation == "keras" else _OWN)[kind], unroll)
    owned = isinstance(layer, tuple(_OWN.values()))
    if owned != (implementation == "kerasunroll"):
        possible = "'own-loop', 'own-full', an integer or 'auto'" if owned else "False (loop) and True (full)"
        raise SettingError(
            f"Layer '{layer.name}' is a {type(layer).__name__}, which cannot take the setting "
            f"{settings_name(setting)}: it has {possible} only, because "
            + ("it is made from kerasunroll's layer. " if owned else "kerasunroll has no such layer. ")
            + "Give it another setting, or leave it out by naming the others (layers=...)."
        )
    if "unroll" not in layer.get_config():
        raise SettingError(
            f"Layer '{layer.name}' is a {type(layer).__name__}, whose get_config does not return 'unroll', so that it "
            "cannot be rebuilt in another setting. Let get_config return it, and __init__ take it."
        )
    return Counterpart(type(layer), unroll)


def forgotten_arguments(layer: Any) -> dict[str, Any]:
    """Return the arguments of a layer that its own `get_config` leaves out: Keras's LSTM and GRU forget `use_cudnn`."""
    return {"use_cudnn": layer.use_cudnn} if _kind(layer) in ("LSTM", "GRU") else {}


def _kind(layer: Any) -> str | None:
    return next((kind for kind in _KINDS if type(layer) in (_KERAS[kind], _OWN[kind])), None)


def _own_arguments(keras_class: Any) -> set[str]:
    """Return the arguments that kerasunroll's layer has beside Keras's."""
    return set(signature(_OWN[keras_class.__name__]).parameters) - set(signature(keras_class).parameters)
