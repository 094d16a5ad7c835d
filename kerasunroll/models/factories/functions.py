"""The model factories: `StackConfig` and `build_stack` as plain functions.

Each argument is the field of `StackConfig` of the same name; that is why `locals()` can hand them on.
"""

from collections.abc import Sequence
from typing import Any

import keras

from kerasunroll.models.factories.config import StackConfig
from kerasunroll.models.factories.fields import Cell, DTypePolicy
from kerasunroll.models.factories.stack import build_stack
from kerasunroll.settings import Implementation, Settings
from kerasunroll.tasks import Task


def recurrent_stack(
    cell: Cell,
    input_shape: tuple[int | None, ...],
    units: int | Sequence[int] = (64, 64),
    unroll: Settings = False,
    head: Task | None = None,
    *,
    implementation: Implementation = "keras",
    return_sequences: bool = False,
    bidirectional: bool = False,
    mask_value: float | None = None,
    embedding: int | None = None,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    stateful: bool = False,
    batch_size: int | None = None,
    go_backwards: bool = False,
    cell_kwargs: dict[str, Any] | None = None,
    dtype: DTypePolicy | None = None,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Build a stack of SimpleRNN, LSTM or GRU layers.

    The result is a plain uncompiled model, of Keras's own layers unless a setting asks for kerasunroll's. Each
    recurrent layer is a layer of its own, with its own name (`lstm_1`, `lstm_2`, ...; `bidirectional_1`, ... around
    them) and its own setting. The setting changes neither the weights nor their number.

    Args:
        cell: String. `"simple_rnn"`, `"lstm"` or `"gru"`.
        input_shape: Tuple, without the batch size. `(timesteps, features)`; with `embedding` `(timesteps,)`.
            `timesteps` may be `None` (any number) if no layer is unrolled.
        units: Tuple of integers, one per layer, or one integer for a single layer. Defaults to `(64, 64)`.
        unroll: The unroll setting: `False` (loop; default), `True` (fully unrolled), an integer `k` (k time steps per
            loop iteration), `"auto"` (the fastest on this machine), or a list with one per layer. See
            `kerasunroll.settings`.
        head: `kerasunroll.Classification`, whose logits have shape `(batch, classes)`, or
            `kerasunroll.Regression`, of shape `(batch, outputs)`. Defaults to `None`: the bare stack, which
            returns the last layer's output, of shape `(batch, units)`.
        implementation: String. Whose layers run `False` and `True`: `"keras"` (default; those of `keras.layers`) or
            `"kerasunroll"` (those of `kerasunroll.layers`, as all other settings are). Same weights, same result.
        return_sequences: Boolean (default `False`). Whether the stack is many-to-many: the output has a time
            axis, `(batch, timesteps, ...)`.
        bidirectional: Boolean (default `False`). Whether every layer reads in both directions; each then
            returns `2 * units` numbers. Both directions take the layer's setting.
        mask_value: Float. Time steps at which every feature has this value are masked. With `embedding` only
            0 can be: index 0 then is padding, and counts in the vocabulary. Defaults to `None`: no mask.
        embedding: Integer. The vocabulary size; the input then is integers of shape `(batch, timesteps)`,
            each turned into as many features as the first layer has units. Defaults to `None`: no embedding.
        dropout: Float in [0, 1), default 0. The share of each layer's inputs to drop.
        recurrent_dropout: Float in [0, 1), default 0. The share of each layer's recurrent state to drop.
        stateful: Boolean (default `False`). Whether each batch begins with the last states of the one
            before. Needs `batch_size`.
        batch_size: Integer. A fixed batch size. Defaults to `None`: any.
        go_backwards: Boolean (default `False`). Whether the stack reads the sequence from the last time step to the
            first. It then computes what it would compute for the reversed sequence; a many-to-many stack returns its
            outputs in this reversed order, as Keras's layers do. (So only the first layer has Keras's
            `go_backwards=True`: what it passes on is reversed already.) With a mask, only a single many-to-one layer
            can go backwards, because Keras does not reverse the mask that it passes on.
        cell_kwargs: Dict of further arguments of the recurrent layers, such as `{"activation": "relu"}`.
            Objects are given by name, or as `keras.saving.serialize_keras_object` writes them.
        dtype: String. The name of a dtype policy, such as `"float64"` or `"mixed_bfloat16"`; the head of a
            mixed stack computes in float32. Defaults to `None`: Keras's global policy.
        seed: Integer. Decides every initial weight and dropout mask; the global random state is neither
            read nor changed. Defaults to `None`: as Keras's layers do without a seed.
        name: String. The model's name. Defaults to one like `"lstm-L2-U64-T100"`.

    Returns:
        A built, uncompiled functional `keras.Model`.

    Raises:
        kerasunroll.errors.SettingError: If `unroll` is no setting, or not one per layer.
        kerasunroll.errors.InputError: If another argument is invalid, or two do not go together.

    Warns:
        kerasunroll.errors.KerasunrollWarning: If Keras is known to compute something else unrolled than in
            the loop: a mask, a bidirectional layer that returns sequences, and `unroll=True`. And if the
            installed Keras lets a mask stop at a recurrent layer (from 3.16 on) where it was to go further.

    Example:
    >>> model = recurrent_stack("gru", (100, 1), units=(32, 16), unroll=True, head=Classification(10))
    >>> model.output_shape
    (None, 10)
    """
    return _build(locals())


def simple_rnn_stack(
    input_shape: tuple[int | None, ...],
    units: int | Sequence[int] = (64, 64),
    unroll: Settings = False,
    head: Task | None = None,
    *,
    implementation: Implementation = "keras",
    return_sequences: bool = False,
    bidirectional: bool = False,
    mask_value: float | None = None,
    embedding: int | None = None,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    stateful: bool = False,
    batch_size: int | None = None,
    go_backwards: bool = False,
    cell_kwargs: dict[str, Any] | None = None,
    dtype: DTypePolicy | None = None,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Build a stack of SimpleRNN layers.

    The same as `recurrent_stack("simple_rnn", ...)`, which explains the arguments in full.

    Args:
        input_shape: Tuple. `(timesteps, features)`; with `embedding` `(timesteps,)`.
        units: Tuple of integers, one per layer, or one integer for a single layer. Defaults to `(64, 64)`.
        unroll: One setting, or a list with one per layer. Defaults to `False`.
        head: `kerasunroll.Classification`, `kerasunroll.Regression` or `None`. Defaults to `None`.
        implementation: String. `"keras"` (default) or `"kerasunroll"`.
        return_sequences: Boolean, default `False`. Many-to-many.
        bidirectional: Boolean, default `False`.
        mask_value: Float. Defaults to `None`: no mask.
        embedding: Integer. The vocabulary size of integer input. Defaults to `None`.
        dropout: Float in [0, 1), default 0.
        recurrent_dropout: Float in [0, 1), default 0.
        stateful: Boolean, default `False`. Needs `batch_size`.
        batch_size: Integer. Defaults to `None`: any.
        go_backwards: Boolean, default `False`. Reads the sequence from the last time step to the first.
        cell_kwargs: Dict of further arguments of the SimpleRNN layers. Defaults to `None`.
        dtype: String. The name of a dtype policy. Defaults to `None`: Keras's global policy.
        seed: Integer. Defaults to `None`.
        name: String. Defaults to one like `"simple_rnn-L2-U64-T100"`.

    Returns:
        A built, uncompiled functional `keras.Model`.

    Raises:
        kerasunroll.errors.SettingError: As `recurrent_stack`.
        kerasunroll.errors.InputError: As `recurrent_stack`.

    Example:
    >>> simple_rnn_stack((100, 1), unroll=[False, True]).output_shape
    (None, 64)
    """
    return _build({"cell": "simple_rnn", **locals()})


def lstm_stack(
    input_shape: tuple[int | None, ...],
    units: int | Sequence[int] = (64, 64),
    unroll: Settings = False,
    head: Task | None = None,
    *,
    implementation: Implementation = "keras",
    return_sequences: bool = False,
    bidirectional: bool = False,
    mask_value: float | None = None,
    embedding: int | None = None,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    stateful: bool = False,
    batch_size: int | None = None,
    go_backwards: bool = False,
    cell_kwargs: dict[str, Any] | None = None,
    dtype: DTypePolicy | None = None,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Build a stack of LSTM layers.

    The same as `recurrent_stack("lstm", ...)`, which explains the arguments in full.

    Args:
        input_shape: Tuple. `(timesteps, features)`; with `embedding` `(timesteps,)`.
        units: Tuple of integers, one per layer, or one integer for a single layer. Defaults to `(64, 64)`.
        unroll: One setting, or a list with one per layer. Defaults to `False`.
        head: `kerasunroll.Classification`, `kerasunroll.Regression` or `None`. Defaults to `None`.
        implementation: String. `"keras"` (default) or `"kerasunroll"`.
        return_sequences: Boolean, default `False`. Many-to-many.
        bidirectional: Boolean, default `False`.
        mask_value: Float. Defaults to `None`: no mask.
        embedding: Integer. The vocabulary size of integer input. Defaults to `None`.
        dropout: Float in [0, 1), default 0.
        recurrent_dropout: Float in [0, 1), default 0.
        stateful: Boolean, default `False`. Needs `batch_size`.
        batch_size: Integer. Defaults to `None`: any.
        go_backwards: Boolean, default `False`. Reads the sequence from the last time step to the first.
        cell_kwargs: Dict of further arguments of the LSTM layers. Defaults to `None`.
        dtype: String. The name of a dtype policy. Defaults to `None`: Keras's global policy.
        seed: Integer. Defaults to `None`.
        name: String. Defaults to one like `"lstm-L2-U64-T100"`.

    Returns:
        A built, uncompiled functional `keras.Model`.

    Raises:
        kerasunroll.errors.SettingError: As `recurrent_stack`.
        kerasunroll.errors.InputError: As `recurrent_stack`.

    Example:
    >>> lstm_stack((100, 1), units=(32, 16), unroll=True, head=Classification(10)).output_shape
    (None, 10)
    """
    return _build({"cell": "lstm", **locals()})


def gru_stack(
    input_shape: tuple[int | None, ...],
    units: int | Sequence[int] = (64, 64),
    unroll: Settings = False,
    head: Task | None = None,
    *,
    implementation: Implementation = "keras",
    return_sequences: bool = False,
    bidirectional: bool = False,
    mask_value: float | None = None,
    embedding: int | None = None,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    stateful: bool = False,
    batch_size: int | None = None,
    go_backwards: bool = False,
    cell_kwargs: dict[str, Any] | None = None,
    dtype: DTypePolicy | None = None,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Build a stack of GRU layers.

    The same as `recurrent_stack("gru", ...)`, which explains the arguments in full.

    Args:
        input_shape: Tuple. `(timesteps, features)`; with `embedding` `(timesteps,)`.
        units: Tuple of integers, one per layer, or one integer for a single layer. Defaults to `(64, 64)`.
        unroll: One setting, or a list with one per layer. Defaults to `False`.
        head: `kerasunroll.Classification`, `kerasunroll.Regression` or `None`. Defaults to `None`.
        implementation: String. `"keras"` (default) or `"kerasunroll"`.
        return_sequences: Boolean, default `False`. Many-to-many.
        bidirectional: Boolean, default `False`.
        mask_value: Float. Defaults to `None`: no mask.
        embedding: Integer. The vocabulary size of integer input. Defaults to `None`.
        dropout: Float in [0, 1), default 0.
        recurrent_dropout: Float in [0, 1), default 0.
        stateful: Boolean, default `False`. Needs `batch_size`.
        batch_size: Integer. Defaults to `None`: any.
        go_backwards: Boolean, default `False`. Reads the sequence from the last time step to the first.
        cell_kwargs: Dict of further arguments of the GRU layers. Defaults to `None`.
        dtype: String. The name of a dtype policy. Defaults to `None`: Keras's global policy.
        seed: Integer. Defaults to `None`.
        name: String. Defaults to one like `"gru-L2-U64-T100"`.

    Returns:
        A built, uncompiled functional `keras.Model`.

    Raises:
        kerasunroll.errors.SettingError: As `recurrent_stack`.
        kerasunroll.errors.InputError: As `recurrent_stack`.

    Example:
    >>> gru_stack((100, 3), return_sequences=True, head=Regression()).output_shape
    (None, 100, 1)
    """
    return _build({"cell": "gru", **locals()})


def _build(arguments: dict[str, Any]) -> keras.Model:
    # None is each field's default where it is allowed at all.
    return build_stack(StackConfig(**{key: value for key, value in arguments.items() if value is not None}))
