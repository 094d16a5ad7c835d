"""The gradients of the loss with respect to the gates of LSTM and GRU cells."""

from dataclasses import replace
from typing import Any

import tensorflow as tf
from keras import tree

from kerasunroll.inspection.gradients.local import local_results
from kerasunroll.inspection.taps.cell_runs import CellRun
from kerasunroll.inspection.taps.cells import BEFORE, gate_names, gates_tapped


def gate_gradients(run: CellRun, gradients: dict[str, Any]) -> dict[str, Any]:
    """Return the gradient with respect to the activation of every gate, at all time steps at once.

    It is the total derivative: a gate acts on the loss through its own time step's c_t and h_t alone. For an LSTM,

        dL/di_t = dL/dc_t g_t    dL/df_t = dL/dc_t c_{t-1}    dL/dg_t = dL/dc_t i_t    dL/do_t = dL/dh_t tanh(c_t)

    with g the candidate, and dL/dc_t total, so that its use by h_t is in it. For a GRU,

        dL/dz_t = dL/dh_t (h_{t-1} - g_t)    dL/dg_t = dL/dh_t (1 - z_t)

    and dL/dr_t is what comes back to the reset gate through the candidate. Dropout is as in the run.

    Args:
        run: A `CellRun` that was recorded.
        gradients: Dict from the names of its points to the gradients there, (B, T, ...).

    Returns:
        Dict from the gate's name, see `gate_names`, to a tensor (B, T, U); 0 where masked. Empty for other cells.
    """
    if not gate_names(run.cell):
        return {}
    batch, time_steps = tf.unstack(tf.shape(run.recorded["x"])[:2])

    def flat(values: Any) -> Any:
        return tf.reshape(values, tf.concat([[batch * time_steps], tf.shape(values)[2:]], axis=0))

    zeros: dict[str, Any] = {}

    def add_zeros(name: str, value: Any) -> Any:
        zeros[name] = tf.zeros_like(value)
        tape.watch(zeros[name])
        return value + zeros[name]

    # With its inputs given, no time step needs another: to the cell they are one large batch.
    each = replace(run, dropout=tree.map_structure(lambda mask: _for_each_time_step(mask, time_steps), run.dropout))
    cotangents = {name: flat(gradient) for name, gradient in gradients.items() if name != "x"}
    with tf.GradientTape(watch_accessed_variables=False) as tape, gates_tapped(run.cell, add_zeros):
        results, towards = local_results(
            each, flat(run.recorded["x"]), tree.map_structure(flat, run.recorded[BEFORE]), cotangents
        )
    found = tape.gradient(results, zeros, towards, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    shaped = {name: tf.reshape(value, [batch, time_steps, -1]) for name, value in found.items()}
    if run.mask is None:
        return shaped
    return {name: tf.where(run.mask[..., tf.newaxis], value, 0.0) for name, value in shaped.items()}


def _for_each_time_step(mask: Any, time_steps: Any) -> Any:
    return None if mask is None else tf.repeat(mask, time_steps, axis=0)
