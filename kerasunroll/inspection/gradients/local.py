"""What one time step of a cell computes, cut off from all others, for derivatives that are local to it.

A quantity q of time step t (the cell's weights, a gate) acts on the loss through what the cell computes at t, so that

    dL/dq = sum_s  (dL/ds_t) (∂s_t/∂q)

where s runs over the cell's results (h, c, its output), dL/ds_t is the total derivative, which the taps give, and
∂s_t/∂q is local: x_t and the states of time step t-1 are held fixed.
"""

from typing import Any

import tensorflow as tf
from keras import tree

from kerasunroll.inspection.taps.cell_runs import CellRun
from kerasunroll.inspection.taps.cells import cells_tapped, replaced


def local_results(run: CellRun, x: Any, before: Any, gradients: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Run a cell for one time step, to be called inside a tape.

    Args:
        run: A `CellRun`; its dropout masks are used.
        x: Tensor (B, F). What the cell receives.
        before: List of tensors (B, U). The states that it receives.
        gradients: Dict from the names of the cell's results to the total derivatives there, (B, ...).

    Returns:
        Its results, and beside them the derivatives to begin with: the sources' `output_gradients`.
    """
    results: list[Any] = []
    towards: list[Any] = []

    def cut(_: int, name: str, value: Any) -> Any:
        # Each result counts once, with its total derivative: what the cell makes of it further on is in that already.
        if name in gradients:
            results.append(value)
            towards.append(tf.cast(gradients[name], value.dtype))
        return tree.map_structure(tf.stop_gradient, value)

    with replaced(run.cell, **run.dropout), cells_tapped((run.cell,), cut):
        run.cell(x, tree.pack_sequence_as(run.states_like, before), **run.arguments)
    return results, towards
