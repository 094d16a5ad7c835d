"""See what recurrent layers receive and return."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

from kerasunroll.inspection.taps.cells import replaced

Note: TypeAlias = Callable[[Any, Any, Any, Any], None]
"""Called with the layer, the sequences and the mask that it received, and what it returned."""


@contextmanager
def calls_noted(layers: Sequence[Any], note: Note) -> Iterator[None]:
    """Call `note` whenever one of `layers` has run, until the context is left.

    Args:
        layers: List of `keras.layers.RNN`.
        note: A `Note`.
    """

    def noting(layer: Any) -> Callable[..., Any]:
        call = layer.call

        def call_noted(sequences: Any, initial_state: Any = None, mask: Any = None, **arguments: Any) -> Any:
            result = call(sequences, initial_state=initial_state, mask=mask, **arguments)
            note(layer, sequences, mask, result)
            return result

        return call_noted

    with ExitStack() as replacements:
        for layer in layers:
            replacements.enter_context(replaced(layer, call=noting(layer)))
        yield
