"""Which layers a fast kernel serves, and how it is called.

The kernels (`kerasunroll.layers.kernels`) know the standard cells only. Everything else goes the general way
(`kerasunroll.layers.loops`), which knows any cell. Both compute the same.
"""

from math import ceil, sqrt
from typing import Any

import keras
import tensorflow as tf

from kerasunroll.layers import kernels
from kerasunroll.layers.shapes import check_states

_RNN_ACTIVATIONS = {"tanh", "relu", "linear"}


def why_not(layer: Any, sequences: Any, mask: Any, training: Any) -> str | None:
    """Say why no kernel serves a layer, or `None` if one does.

    Args:
        layer: A layer of `kerasunroll.layers`, built.
        sequences: Its input.
        mask: Its mask, or `None`.
        training: Whether it is being trained.

    Returns:
        A string that completes "no kernel, because of ...", or `None`.
    """
    cell = layer.cell
    if type(cell) not in (keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.SimpleRNNCell):
        return f"its cell, {type(cell).__name__}"
    if "call" in vars(cell):
        return "a cell whose call was replaced"
    if reason := _why_not_this_cell(cell):
        return reason
    if training and cell.recurrent_dropout:
        return "recurrent dropout"
    if training and cell.dropout and hasattr(cell, "dropout_mask_count"):
        return "implementation=1 with dropout"
    if mask is not None and len(mask.shape) != 2:
        return "a mask that is not of shape (batch, timesteps)"
    if mask is not None and layer.truncate is not None and not layer.zero_output_for_mask:
        # The gradient of a repeated output belongs to the output it repeats, also across the border where states end.
        return "truncate with a mask under which outputs are repeated"
    if sequences.shape[1] is None and layer.recompute is True:
        return "recompute=True with an unknown number of time steps"
    return None


def run(layer: Any, sequences: Any, initial_state: Any, mask: Any, training: Any) -> tuple[Any, Any, list[Any]]:
    """Take a layer that a kernel serves through time.

    Returns:
        What `inner_loop` of Keras's layers returns: the last output, all outputs (or the last one, of shape
        `(B, 1, U)`) and the states.
    """
    cell = layer.cell
    check_states(layer, initial_state, [(sequences.shape[0], cell.units)] * _count_states(cell))
    sequences, initial_state = _with_one_batch_size(tf.cast(sequences, layer.compute_dtype), initial_state)
    if training and cell.dropout:
        sequences *= cell.get_dropout_mask(sequences[:, 0, :])[:, tf.newaxis]
    mask = None if mask is None else tf.cast(mask, tf.bool)
    outputs, states = _kernel(cell)(
        sequences,
        *initial_state,
        *(None if each is None else tf.convert_to_tensor(each, layer.compute_dtype) for each in _weights(cell)),
        mask=mask,
        go_backwards=layer.go_backwards,
        # Eagerly nothing is to be compiled: whoever runs so wants to see each operation.
        steps_per_iteration=None if layer.unroll is True or tf.executing_eagerly() else int(layer.unroll) or 1,
        truncate=layer.truncate,
        segment=_segment(layer.recompute, sequences.shape[1]),
        return_sequences=layer.return_sequences,
    )
    if mask is not None and layer.zero_output_for_mask:
        processed = mask[:, ::-1] if layer.go_backwards else mask
        shown = processed if layer.return_sequences else processed[:, -1]
        outputs = tf.where(shown[..., tf.newaxis], outputs, tf.zeros_like(outputs))
    if layer.return_sequences:
        return outputs[:, -1], outputs, list(states)
    return outputs, outputs[:, tf.newaxis], list(states)


def _why_not_this_cell(cell: Any) -> str | None:
    if isinstance(cell, keras.layers.SimpleRNNCell):
        known = {getattr(keras.activations, name) for name in _RNN_ACTIVATIONS}
        return None if cell.activation in known else f"activation={_name(cell.activation)}"
    if cell.activation is not keras.activations.tanh:
        return f"activation={_name(cell.activation)}"
    if cell.recurrent_activation is not keras.activations.sigmoid:
        return f"recurrent_activation={_name(cell.recurrent_activation)}"
    if isinstance(cell, keras.layers.GRUCell) and not cell.reset_after:
        return "reset_after=False"
    return None


def _name(activation: Any) -> str:
    return str(getattr(activation, "__name__", activation))


def _kernel(cell: Any) -> Any:
    if isinstance(cell, keras.layers.LSTMCell):
        return kernels.lstm
    if isinstance(cell, keras.layers.GRUCell):
        return kernels.gru
    return lambda *tensors, **options: kernels.simple_rnn(*tensors, activation=cell.activation.__name__, **options)


def _count_states(cell: Any) -> int:
    return 2 if isinstance(cell, keras.layers.LSTMCell) else 1


def _weights(cell: Any) -> tuple[Any, Any, Any]:
    return cell.kernel, cell.recurrent_kernel, cell.bias


def _with_one_batch_size(sequences: Any, states: list[Any]) -> tuple[Any, list[Any]]:
    """Let sequences and states know of the batch size what any of them knows: loops want one shape throughout."""
    known = {tensor.shape[0] for tensor in (sequences, *states)}
    if len(known) == 1:
        return sequences, states
    batch = max(size for size in known if size is not None)
    sequences, *states = (tf.ensure_shape(each, [batch, *each.shape[1:]]) for each in (sequences, *states))
    return sequences, states


def _segment(recompute: bool | int, timesteps: int | None) -> int | None:
    if recompute is True and timesteps is not None:
        return ceil(sqrt(timesteps))
    return None if isinstance(recompute, bool) else recompute
