"""The gate activations of LSTM and GRU cells, recomputed from what the cells received."""

from typing import Any

import keras
from keras import ops

from kerasunroll.inspection.taps.cells import calls_like


def gate_activations(cell: Any, x: Any, before: list[Any]) -> dict[str, Any]:
    """Return the gates of a cell, for all time steps at once and as in inference: without dropout.

    Args:
        cell: A recurrent cell.
        x: Tensor (B, T, F). What the cell received at each time step.
        before: List of tensors (B, T, U). The states of time step t-1 that it received at time step t.

    Returns:
        Dict of tensors (B, T, U). For `keras.layers.LSTMCell`: `input_gate`, `forget_gate`, `candidate`, `output_gate`,
        with c_t = forget_gate * c_{t-1} + input_gate * candidate and h_t = output_gate * activation(c_t). For
        `keras.layers.GRUCell`: `update_gate`, `reset_gate`, `candidate`, with
        h_t = update_gate * h_{t-1} + (1 - update_gate) * candidate. For other cells: empty.
    """
    if calls_like(cell, keras.layers.LSTMCell):
        return _lstm_gates(cell, x, before[0])
    if calls_like(cell, keras.layers.GRUCell):
        return _gru_gates(cell, x, before[0])
    return {}


def _lstm_gates(cell: Any, x: Any, h: Any) -> dict[str, Any]:
    kernel, recurrent_kernel, bias = _weights(cell)
    summed = ops.matmul(x, kernel) + ops.matmul(h, recurrent_kernel) + bias
    i, f, candidate, o = ops.split(summed, 4, axis=-1)
    return {
        "input_gate": cell.recurrent_activation(i),
        "forget_gate": cell.recurrent_activation(f),
        "candidate": cell.activation(candidate),
        "output_gate": cell.recurrent_activation(o),
    }


def _gru_gates(cell: Any, x: Any, h: Any) -> dict[str, Any]:
    kernel, recurrent_kernel, bias = _weights(cell)
    input_bias, recurrent_bias = (bias[0], bias[1]) if cell.use_bias and cell.reset_after else (bias, 0.0)
    x_z, x_r, x_candidate = ops.split(ops.matmul(x, kernel) + input_bias, 3, axis=-1)
    h_z, h_r, h_candidate = ops.split(ops.matmul(h, recurrent_kernel) + recurrent_bias, 3, axis=-1)
    update = cell.recurrent_activation(x_z + h_z)
    reset = cell.recurrent_activation(x_r + h_r)
    if not cell.reset_after:
        h_candidate = ops.matmul(reset * h, recurrent_kernel[:, 2 * cell.units :])
    gated = reset * h_candidate if cell.reset_after else h_candidate
    return {
        "update_gate": update,
        "reset_gate": reset,
        "candidate": cell.activation(x_candidate + gated),
    }


def _weights(cell: Any) -> tuple[Any, Any, Any]:
    dtype = cell.compute_dtype
    bias = ops.cast(cell.bias, dtype) if cell.use_bias else 0.0
    return ops.cast(cell.kernel, dtype), ops.cast(cell.recurrent_kernel, dtype), bias
