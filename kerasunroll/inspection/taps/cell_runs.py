"""What is known of one run of one recurrent cell through time, and the points at which it can be tapped.

| point | what it is | the gradient with respect to it |
|---|---|---|
| `x` | what the cell receives at time step t | what the layer below receives from this layer |
| `h` | the output of a SimpleRNN, GRU or LSTM cell | total: through the output and through all later time steps |
| `c` | the carry of an LSTM cell | total: also through h_t, which is computed from c_t |
| `state_0`, ... | a state of any other cell, as handed to time step t+1 | total, if other results use it only there |
| `output` | the output of a cell, where it is none of its states | through the layer's output only |
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf


@dataclass(frozen=True)
class Point:
    """A place where zeros are added, seen over all time steps.

    Args:
        run: The `CellRun` it belongs to.
        name: String: `x`, `h`, `c`, `state_0`, ..., `output`.
        shape: List of integers and scalar tensors: (B, T, ...).
        static_shape: Tuple of integers and `None`: the part of `shape` that is known before running.
        dtype: The `tf.DType` of the values.
    """

    run: "CellRun"
    name: str
    shape: list[Any]
    static_shape: tuple[int | None, ...]
    dtype: Any

    def zeros(self) -> Any:
        """Return zeros of this point's shape and type."""
        zeros = tf.zeros(self.shape, self.dtype)
        zeros.set_shape(self.static_shape)
        return zeros


Source = Callable[[Point], Any]
"""Makes the zeros for a point, usually from `Point.zeros`, so that their gradient can be had."""


@dataclass
class CellRun:
    """One run of one cell through time, filled in while the forward pass is traced.

    All tensors over time have shape (B, T, ...), and t counts in sequence order whatever the direction.

    Args:
        name: String. The layer's name; `<layer>/<cell>` inside `StackedRNNCells`; with `#2` at the second call.
        cell: The cell.
        go_backwards: Boolean. Whether time steps are processed from the last to the first.
        mask: Boolean tensor (B, T), `False` where masked, or `None`.
        arguments: Dict. What else the cell is called with: `training` where the cell takes it.
        dropout: Dict of the cell's dropout masks by attribute name; one mask serves all time steps.
        states_like: The nested structure in which the cell receives its states.
        initial: Dict. State name to its value before the first time step, (B, ...).
        zeros: Dict. Point name to the zeros added there.
        recorded: Dict. Point name to the values there; under `before` a list, what the cell received as its states,
            flat. Where a time step is masked these are values that the layer then ignores. Empty unless asked for.
    """

    name: str
    cell: Any
    go_backwards: bool
    mask: Any
    arguments: dict[str, Any]
    dropout: dict[str, Any]
    states_like: Any
    initial: dict[str, Any]
    zeros: dict[str, Any] = field(default_factory=dict)
    recorded: dict[str, Any] = field(default_factory=dict)


def point_over_time(run: CellRun, name: str, sequences: Any, spec: Any) -> Point:
    """Return the point `name` of a run over `sequences` (B, T, ...); `spec` is its `tf.TensorSpec` at one time step."""
    inner = tuple(spec.shape)[1:]
    return Point(
        run=run,
        name=name,
        shape=[*tf.unstack(tf.shape(sequences)[:2]), *inner],
        static_shape=(*sequences.shape[:2], *inner),
        dtype=spec.dtype,
    )
