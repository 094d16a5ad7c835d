"""Build the Keras model that a `StackConfig` describes: a list of layers, each called on the one before."""

import random
import warnings
from collections.abc import Callable
from inspect import signature
from typing import Any, TypeAlias

import keras

from kerasunroll.compatibility import (
    is_masked,
    mask_stops,
    told_where_masks_stop,
    unrolls_masked_backwards_wrongly,
)
from kerasunroll.errors import InputError, KerasunrollWarning
from kerasunroll.models.factories.config import StackConfig
from kerasunroll.models.factories.fields import Cell
from kerasunroll.settings import LayerUnroll, Setting, layer_arguments
from kerasunroll.tasks import Classification

_KERAS = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}

Seeds: TypeAlias = Callable[[], int | None]
"""Gives the next seed at each call."""


def build_stack(config: StackConfig) -> keras.Model:
    """Build a recurrent stack.

    Args:
        config: `StackConfig`.

    Returns:
        An uncompiled functional `keras.Model` named `config.name`, made of Keras's own layers only, unless a setting
        is one of kerasunroll's (`kerasunroll.settings`).

    Raises:
        InputError: If a recurrent layer refuses one of the `cell_kwargs`.

    Example:
    >>> config = StackConfig(cell="lstm", input_shape=(100, 1), unroll=[False, True])
    >>> [layer.name for layer in build_stack(config).layers]
    ['sequences', 'lstm_1', 'lstm_2']
    """
    seeds = _seeds_from(config.seed)
    inputs = keras.Input(
        config.input_shape,
        batch_size=config.batch_size,
        dtype=_variable_dtype(config) if config.embedding is None else "int32",
        name="sequences",
    )
    outputs = inputs
    # In this order: each draws its seeds.
    below = _input_layers(config, seeds)
    recurrent = [_recurrent_layer(config, index, seeds) for index in range(config.layers)]
    above = _head_layers(config, seeds)
    masked = []
    for layer in [*below, *recurrent, *above]:
        if is_masked(outputs) and layer in recurrent:
            masked.append(layer)
        outputs = layer(outputs)
    _warn_of_wrong_masks(config, masked)
    _warn_of_lost_masks(masked)
    return keras.Model(inputs, outputs, name=config.name)


def layer_names(config: StackConfig) -> list[str]:
    """Return the names of the recurrent layers in the model, the first layer's first."""
    kind = "bidirectional" if config.bidirectional else config.cell
    return [f"{kind}_{number}" for number in range(1, config.layers + 1)]


def _seeds_from(seed: int | None) -> Seeds:
    # Without a seed Keras draws its own from Python's global state, as keras.utils.set_random_seed expects.
    source = random.Random(seed)  # noqa: S311
    return lambda: None if seed is None else source.randrange(2**31)


def _variable_dtype(config: StackConfig) -> str:
    return str(keras.dtype_policies.get(config.dtype).variable_dtype)


def _input_layers(config: StackConfig, seeds: Seeds) -> list[keras.Layer]:
    if config.embedding is not None:
        return [
            keras.layers.Embedding(
                config.embedding,
                config.units[0],
                embeddings_initializer=_seeded("uniform", seeds()),
                mask_zero=config.mask_value is not None,
                dtype=config.dtype,
                name="embedding",
            )
        ]
    if config.mask_value is not None:
        return [keras.layers.Masking(config.mask_value, dtype=config.dtype, name="masking")]
    return []


def _recurrent_layer(config: StackConfig, index: int, seeds: Seeds) -> keras.Layer:
    name = f"{config.cell}_{index + 1}"
    if not config.bidirectional:
        # What the first layer returns is reversed already, so the others read it as it comes.
        return _one_direction(config, index, seeds, name, go_backwards=config.go_backwards and index == 0)
    # Left to itself, Bidirectional would give both directions the same seeds, and so the same weights.
    return keras.layers.Bidirectional(
        _one_direction(config, index, seeds, name, go_backwards=False),
        backward_layer=_one_direction(config, index, seeds, f"backward_{name}", go_backwards=True),
        dtype=config.dtype,
        name=f"bidirectional_{index + 1}",
    )


def _one_direction(config: StackConfig, index: int, seeds: Seeds, name: str, *, go_backwards: bool) -> keras.Layer:
    layer_class, unroll = _class_and_unroll(config.cell, config.settings[index])
    try:
        return layer_class(
            config.units[index],
            unroll=unroll,
            return_sequences=config.gives_sequences[index],
            go_backwards=go_backwards,
            stateful=config.stateful,
            dropout=config.dropout,
            recurrent_dropout=config.recurrent_dropout,
            dtype=config.dtype,
            seed=seeds(),
            name=name,
            **config.cell_kwargs | _seeded_initializers(layer_class, config.cell_kwargs, seeds),
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"Keras refused cell_kwargs={config.cell_kwargs!r} for layer '{name}': {error}") from error


def _class_and_unroll(cell: Cell, setting: Setting) -> tuple[Any, LayerUnroll]:
    implementation, unroll = layer_arguments(setting)
    if implementation == "keras":
        return _KERAS[cell], unroll
    # Loaded when it is needed: most stacks are made of Keras's layers.
    from kerasunroll.layers import GRU, LSTM, SimpleRNN

    return {"simple_rnn": SimpleRNN, "lstm": LSTM, "gru": GRU}[cell], unroll


def _head_layers(config: StackConfig, seeds: Seeds) -> list[keras.Layer]:
    if config.head is None:
        return []
    return [
        keras.layers.Dense(
            config.head.classes if isinstance(config.head, Classification) else config.head.outputs,
            kernel_initializer=_seeded("glorot_uniform", seeds()),
            # Under a mixed policy the result stays in float32, as Keras's guide to mixed precision advises.
            dtype=_variable_dtype(config),
            name="head",
        )
    ]


def _seeded_initializers(layer_class: type, cell_kwargs: dict[str, Any], seeds: Seeds) -> dict[str, Any]:
    """Return every initialiser of a layer, given or Keras's default, with a seed of its own."""
    return {
        argument: _seeded(cell_kwargs.get(argument, parameter.default), seeds())
        for argument, parameter in signature(layer_class).parameters.items()
        if argument.endswith("_initializer")
    }


def _seeded(initializer: Any, seed: int | None) -> Any:
    """Return an initialiser that draws from `seed`, unless it has a seed of its own or draws nothing."""
    given = {"class_name": initializer} if isinstance(initializer, str) else initializer
    if seed is None or not isinstance(given, dict):
        return initializer
    options = given.get("config", {})
    if options.get("seed") is not None:
        return initializer
    try:
        return keras.initializers.get({**given, "config": {**options, "seed": seed}})
    except (TypeError, ValueError):
        # It takes no seed, or is none of Keras's initialisers: the layer will say so in its own words.
        return initializer


def _warn_of_wrong_masks(config: StackConfig, masked: list[Any]) -> None:
    if not config.bidirectional:
        return
    wrong = [
        f"'{layer.name}'"
        for layer, setting in zip(masked, config.settings, strict=False)
        if setting is True and layer.return_sequences
    ]
    if wrong and unrolls_masked_backwards_wrongly():
        warnings.warn(
            f"Keras's unroll=True computes something else than the loop in {', '.join(wrong)}: a backward "
            "layer that returns sequences zeroes the masked time steps in the wrong order. "
            "Use unroll=False there, or leave mask_value out.",
            KerasunrollWarning,
            stacklevel=3,
        )


def _warn_of_lost_masks(masked: list[Any]) -> None:
    stopping = [layer.name for layer in masked if mask_stops(layer)]
    if stopping:
        warnings.warn(told_where_masks_stop(stopping), KerasunrollWarning, stacklevel=3)
