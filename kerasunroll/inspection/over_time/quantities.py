"""The layers, quantities and samples that can be asked for by name."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from kerasunroll.errors import InputError

CANDIDATE: Final = "candidate"
"""The one among the gates that is no share of 0 to 1: the cell's `activation` makes it."""

GATES: Final = ("input_gate", "forget_gate", CANDIDATE, "output_gate", "update_gate", "reset_gate")
"""The names of all gates, of LSTM and GRU cells."""

Chosen: TypeAlias = str | Sequence[str] | None
"""One name, several, or `None` for all that are usual."""

T = TypeVar("T")


def quantity_name(what: str) -> str:
    """Return how a quantity is called in a text: `forget gate` for `forget_gate`."""
    return what.replace("_", " ")


def gradient_name(what: str) -> str:
    """Return how the gradient is written: `dL/dh`, `dL/d(forget gate)`."""
    return f"dL/d{what}" if len(what) == 1 else f"dL/d({quantity_name(what)})"


def drawn(wanted: Mapping[str, object], of_layer: Mapping[str, T], names: Chosen) -> dict[str, T]:
    """Return those of a layer's quantities that are wanted: in the order asked for, else in the layer's own.

    Args:
        wanted: Mapping whose keys are wanted.
        of_layer: Mapping from the names of the layer's quantities to them.
        names: What was asked for.
    """
    order = of_layer if names is None else wanted
    return {name: of_layer[name] for name in order if name in wanted and name in of_layer}


def chosen(kind: str, names: Chosen, known: Mapping[str, T], default: Iterable[str]) -> dict[str, T]:
    """Return what was asked for by name.

    Args:
        kind: String. What the names are of, for the error: `"layer"`, ...
        names: One name, several, or `None` for those of `default`.
        known: Mapping from every name to what it stands for.
        default: The names that are meant by `None`.

    Raises:
        InputError: If a name is unknown.
    """
    wanted = list(default) if names is None else [names] if isinstance(names, str) else list(names)
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise InputError(f"No {kind} '{', '.join(unknown)}': expected one or several of {', '.join(known)}.")
    return {name: known[name] for name in wanted}


def check_sample(sample: int, samples: int) -> None:
    """See whether there is a sample of that number.

    Raises:
        InputError: If there is none.
    """
    if not 0 <= sample < samples:
        raise InputError(
            f"No sample {sample}: the batch has {samples}, so expected 0 to {samples - 1}, or None for all."
        )
