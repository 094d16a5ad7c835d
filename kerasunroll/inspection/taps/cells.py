"""See, and change, what goes in and out of a recurrent cell whenever it is called."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import keras
from keras import tree

from kerasunroll.inspection.over_time.quantities import CANDIDATE

BEFORE: Final = "before"
"""The point where a cell receives its states, those of time step t-1: the one point with a nested value."""

Tap = Callable[[int, str, Any], Any]
"""Called with the cell's index, the point's name and the value there; returns the value that takes its place."""


@contextmanager
def cells_tapped(cells: tuple[Any, ...], tap: Tap) -> Iterator[None]:
    """Call `tap` at every point of `cells` whenever they run, until the context is left.

    The points of one call, in order: `before`, `x`, for an LSTM cell `c`, the remaining states, and `output` where that
    is none of the states.

    Args:
        cells: Tuple of cells; their index here is what `tap` is called with.
        tap: A `Tap`. What it returns at `before` must have the structure of what it got.
    """
    with ExitStack() as replacements:
        for index, cell in enumerate(cells):
            replacements.enter_context(_cell_tapped(cell, index, tap))
        yield


@contextmanager
def gates_tapped(cell: Any, tap: Callable[[str, Any], Any]) -> Iterator[None]:
    """Call `tap` with the name and the activation of every gate when a cell runs.

    Args:
        cell: A cell that runs once in this context. Without `gate_names`, nothing is tapped.
        tap: Function of a gate's name and its activation, that returns what takes its place.
    """
    names = gate_names(cell)
    made_by = {
        "recurrent_activation": [name for name in names if name != CANDIDATE],
        "activation": [name for name in names if name == CANDIDATE],
    }

    def activation_tapped(activation: Callable[[Any], Any], left: list[str]) -> Callable[[Any], Any]:
        # A cell computes its gates in their order; after the candidate, an LSTM's activates c_t, which is no gate.
        calls = iter(left)

        def activate(values: Any) -> Any:
            name = next(calls, None)
            return activation(values) if name is None else tap(name, activation(values))

        return activate

    with replaced(
        cell, **{kind: activation_tapped(getattr(cell, kind), left) for kind, left in made_by.items() if left}
    ):
        yield


def gate_names(cell: Any) -> tuple[str, ...]:
    """Return the names of a cell's gates, in the order in which it computes them; empty for cells without.

    `input_gate`, `forget_gate`, `candidate`, `output_gate` for an LSTM cell; `update_gate`, `reset_gate`, `candidate`
    for a GRU cell.
    """
    if calls_like(cell, keras.layers.LSTMCell):
        return ("input_gate", "forget_gate", CANDIDATE, "output_gate")
    if calls_like(cell, keras.layers.GRUCell):
        return ("update_gate", "reset_gate", CANDIDATE)
    return ()


def state_names(cell: Any, count: int) -> tuple[str, ...]:
    """Return `("h", "c")` for an LSTM cell, `("h",)` for GRU and SimpleRNN, else `state_0`, `state_1`, ..."""
    if calls_like(cell, keras.layers.LSTMCell):
        return ("h", "c")
    if calls_like(cell, keras.layers.SimpleRNNCell) or calls_like(cell, keras.layers.GRUCell):
        return ("h",)
    return tuple(f"state_{index}" for index in range(count))


def calls_like(cell: Any, kind: Any) -> bool:
    """Return whether a cell computes what cells of class `kind` compute: a subclass may have a `call` of its own."""
    return isinstance(cell, kind) and type(cell).call is kind.call


def training_argument(cell: Any, training: Any) -> dict[str, Any]:
    """Return `training` as Keras hands it to a cell: not at all where the cell does not take it."""
    takes_it = isinstance(cell, keras.Layer) and cell._call_has_training_arg
    return {"training": training} if takes_it else {}


@contextmanager
def replaced(instance: Any, **attributes: Any) -> Iterator[None]:
    """Give an instance other attributes until the context is left."""
    # Written into the instance's own dict: Keras's attribute tracking must not see it.
    own = vars(instance)
    previous = {name: own[name] for name in attributes if name in own}
    own.update(attributes)
    try:
        yield
    finally:
        for name in attributes:
            del own[name]
        own.update(previous)


@contextmanager
def _cell_tapped(cell: Any, index: int, tap: Tap) -> Iterator[None]:
    call = cell.call
    carries: list[Any] = []

    def call_tapped(inputs: Any, states: Any, *args: Any, **kwargs: Any) -> Any:
        carries.clear()
        before = tap(index, BEFORE, states)
        output, after = call(tap(index, "x", inputs), before, *args, **kwargs)
        states = tree.flatten(after)
        tapped = [
            state if any(state is carry for carry in carries) else tap(index, name, state)
            for name, state in zip(state_names(cell, len(states)), states, strict=True)
        ]
        position = next((i for i, state in enumerate(states) if state is output), None)
        output = tap(index, "output", output) if position is None else tapped[position]
        return output, tree.pack_sequence_as(after, tapped)

    def carry_tapped(compute: Callable[..., Any]) -> Callable[..., Any]:
        def compute_tapped(*args: Any) -> Any:
            carry, gate = compute(*args)
            carries.append(tap(index, "c", carry))
            return carries[-1], gate

        return compute_tapped

    replacements = {"call": call_tapped}
    if calls_like(cell, keras.layers.LSTMCell):
        # h_t is computed from c_t inside the cell: only in between does a tap see the use of c_t by h_t.
        for name in ("_compute_carry_and_output", "_compute_carry_and_output_fused"):
            replacements[name] = carry_tapped(getattr(cell, name))
    with replaced(cell, **replacements):
        yield
