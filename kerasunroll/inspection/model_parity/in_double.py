"""The same model in float64, where rounding is too small to hide a difference."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import keras
import tensorflow as tf
from keras import tree

from kerasunroll.errors import KerasunrollError, KerasunrollWarning
from kerasunroll.inspection.model.layers import rnn_layers
from kerasunroll.models.conversion.cloning import clone
from kerasunroll.models.conversion.counterparts import Counterpart
from kerasunroll.settings import AUTO, LOOP

DOUBLE: Final = "float64"


class NoDoubleError(KerasunrollError):
    """There is no copy of a model in float64; the message says why."""


@contextmanager
def double_precision() -> Iterator[None]:
    """Let Keras make and run models in float64, until the context is left."""
    # Not only layers ask for it: losses and optimizers compute in Keras's default precision.
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(DOUBLE)
    keras.config.set_dtype_policy(DOUBLE)
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def double_copy(model: Any) -> Any:
    """Return a copy of a model that computes in float64, with the same weights, loss and seeds.

    Call it, and the copy, in the context `double_precision`.

    Args:
        model: A built `keras.Model`. Its layers are made anew from their configurations, with another dtype; what is
            not in a configuration (a setting given later, what `unroll="auto"` has found) is copied.

    Raises:
        NoDoubleError: If a layer cannot be made from its configuration, or keeps another precision.
    """
    try:
        copy = _with_settings_of(model, _rebuilt(model))
        _compile_like(copy, model)
    # Whatever a layer's own code raises: the copy is a service, and its absence is reported.
    except Exception as error:
        raise NoDoubleError(f"'{model.name}' could not be copied to float64: {told_by(error)}") from error
    _check_double(copy)
    pairs = list(zip(copy.variables, model.variables, strict=False))
    if [tuple(v.shape) for v in copy.variables] != [tuple(v.shape) for v in model.variables]:
        raise NoDoubleError(f"'{model.name}' could not be copied to float64: the copy has other variables.")
    for variable, original in pairs:
        variable.assign(tf.cast(original.value, variable.dtype))
    return copy


def told_by(error: BaseException) -> str:
    """Return what an error of Keras's or TensorFlow's says, in one line: not where, and no stack."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith("Exception encountered when calling")]
    return told[0][:200] if told else type(error).__name__


def in_double(values: Any) -> Any:
    """Return nested tensors with what is floating in float64."""
    return tree.map_structure(_in_double, values)


def _in_double(value: Any) -> Any:
    return tf.cast(value, tf.float64) if value is not None and value.dtype.is_floating else value


def layer_anew(layer: Any, **arguments: Any) -> Any:
    """Return a layer in float64 like another, not yet built. Call it in the context `double_precision`.

    Args:
        layer: A `keras.Layer`.
        **arguments: What its configuration is to have instead.
    """
    config = keras.saving.serialize_keras_object(layer)
    config.pop("build_config", None)
    config["config"] |= arguments
    return _deserialized(config, layer)


def _rebuilt(model: Any) -> Any:
    config = keras.saving.serialize_keras_object(model)
    config.pop("compile_config", None)
    copy = _deserialized(config, model)
    if not copy.built:
        raise NoDoubleError("its class does not say how to build it (get_config, get_build_config).")
    return copy


def _deserialized(config: Any, original: Any) -> Any:
    classes = {type(layer) for layer in (original, *original._flatten_layers())}
    custom = {each for each in classes if not each.__module__.startswith("keras.")}
    named = {each.__name__: each for each in custom} | {keras.saving.get_registered_name(each): each for each in custom}
    # It is in memory already: what a Lambda layer runs, runs anyway.
    return keras.saving.deserialize_keras_object(_with_double(config), custom_objects=named, safe_mode=False)


def _with_settings_of(model: Any, copy: Any) -> Any:
    """Return the copy with recurrent layers that run as those of the model do."""
    others = {
        copied: Counterpart(type(layer), layer.unroll)
        for layer, copied in zip(rnn_layers(model), rnn_layers(copy), strict=True)
        if not hasattr(layer, "run_as") or layer.chosen_setting is None
    }
    others = {copied: wanted for copied, wanted in others.items() if not wanted.is_met_by(copied)}
    if others:
        with warnings.catch_warnings():
            # It says that such a model is not saved with its setting; this copy is not saved.
            warnings.simplefilter("ignore", KerasunrollWarning)
            copy = clone(copy, others)
    for layer, copied in zip(model._flatten_layers(), copy._flatten_layers(), strict=True):
        if type(layer) is not type(copied):
            raise NoDoubleError(f"its configuration makes '{layer.name}' a {type(copied).__name__}.")
        copied.trainable, copied.supports_masking = layer.trainable, layer.supports_masking
        if getattr(layer, "chosen_setting", None) is not None:
            copied.run_as(layer.chosen_setting)
        if hasattr(layer, "use_cudnn"):  # Keras's configurations leave it out.
            copied.use_cudnn = layer.use_cudnn
    return copy


def _with_double(config: Any) -> Any:
    """Return a configuration with float64 in the place of every floating dtype and dtype policy."""
    if isinstance(config, dict):
        changed = {name: _with_double(value) for name, value in config.items()}
        if _is_floating(config.get("dtype")):
            changed["dtype"] = DOUBLE
        if config.get("unroll") == AUTO:
            changed["unroll"] = LOOP  # until `run_as`: what was found is not to be looked for again
        return changed
    return [_with_double(each) for each in config] if isinstance(config, list | tuple) else config


def _is_floating(dtype: Any) -> bool:
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    return isinstance(dtype, str) and "float" in dtype


def _compile_like(copy: Any, model: Any) -> None:
    if not model.compiled:
        return
    arguments = model._compile_config.config
    copy.compile(
        optimizer=type(model.optimizer).from_config(model.optimizer.get_config()),
        loss=tree.map_structure(_loss_anew, arguments["loss"]),
        loss_weights=arguments["loss_weights"],
        jit_compile=False,
    )
    copy.optimizer.build(copy.trainable_variables)
    if model.optimizer.built:
        for variable, original in zip(copy.optimizer.variables, model.optimizer.variables, strict=True):
            variable.assign(tf.cast(original.value, variable.dtype))


def _loss_anew(loss: Any) -> Any:
    # A loss holds the precision in which it was made.
    return type(loss).from_config(loss.get_config()) if isinstance(loss, keras.losses.Loss) else loss


def _check_double(copy: Any) -> None:
    for layer in copy._flatten_layers():
        if layer.compute_dtype in ("float16", "bfloat16", "float32"):
            raise NoDoubleError(
                f"Layer '{layer.name}' keeps its dtype {layer.compute_dtype} and has no copy in float64."
            )
    for weight in copy.weights:
        if weight.dtype in ("float16", "bfloat16", "float32"):
            raise NoDoubleError(f"Weight '{weight.path}' keeps its dtype {weight.dtype}: there is no float64 copy.")
