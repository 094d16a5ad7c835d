"""The shapes of what a layer is called with: TensorFlow would broadcast some that do not fit, and say nothing."""

from collections.abc import Sequence
from typing import Any

from keras import tree

from kerasunroll.errors import InputError


def check_mask(layer: Any, sequences: Any, mask: Any) -> None:
    """Refuse a mask that is not of the shape `(batch, timesteps)`, or that with further axes of length 1.

    Raises:
        InputError: With the shape that came and the one that was expected.
    """
    shape = tuple(mask.shape)
    fits = len(shape) >= 2 and all(map(_may_be, shape, sequences.shape[:2])) and set(shape[2:]) <= {1, None}
    if not fits:
        raise InputError(
            f"Layer '{layer.name}' got a mask of shape {_shown(shape)} for sequences of shape "
            f"{_shown(sequences.shape)}. Give it one of shape {_shown(sequences.shape[:2])}: batch, time steps."
        )


def check_states(layer: Any, states: Sequence[Any], expected: Sequence[Sequence[int | None]]) -> None:
    """Refuse initial states of other shapes.

    Args:
        layer: The layer, for the message.
        states: List of tensors: the states that enter the first time step.
        expected: List of shapes.

    Raises:
        InputError: With the shapes that came and those that were expected.
    """
    shapes = [tuple(state.shape) for state in states]
    fit = len(shapes) == len(expected) and all(
        len(shape) == len(wanted) and all(map(_may_be, shape, wanted))
        for shape, wanted in zip(shapes, expected, strict=True)
    )
    if not fit:
        raise InputError(
            f"Layer '{layer.name}' got initial states of shape {_all_shown(shapes)}, expected {_all_shown(expected)}. "
            "A state has one row per sequence."
        )


def check_known_states(layer: Any, sequences: Any, states: Any) -> None:
    """Refuse initial states of other shapes than a cell says, if it says one number per state.

    Raises:
        InputError: With the shapes that came and those that were expected.
    """
    sizes, flat = tree.flatten(layer.cell.state_size), tree.flatten(states)
    if len(sizes) == len(flat) and all(isinstance(size, int) for size in sizes):
        batch = tree.flatten(sequences)[0].shape[0]
        check_states(layer, flat, [(batch, size) for size in sizes])


def _may_be(size: int | None, wanted: int | None) -> bool:
    return size is None or wanted is None or size == wanted


def _shown(shape: Sequence[int | None]) -> str:
    inner = ", ".join("any" if size is None else str(size) for size in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def _all_shown(shapes: Sequence[Sequence[int | None]]) -> str:
    return ", ".join(map(_shown, shapes)) or "none"
