"""What a layer has learned by `adapt` and keeps outside its variables: a vocabulary, or values made of them."""

from typing import Any


def vocabulary_of(layer: Any) -> list[Any] | None:
    """Return the vocabulary that a lookup layer has adapted to, without special tokens; `None` for other layers."""
    if not (hasattr(layer, "get_vocabulary") and hasattr(layer, "set_vocabulary")):
        return None
    vocabulary = list(layer.get_vocabulary(include_special_tokens=False))
    return vocabulary or None


def give_adapted_state(layer: Any, vocabulary: list[Any] | None) -> None:
    """Bring a layer to where another one is, once it has the other's variables.

    Args:
        layer: A `keras.Layer`.
        vocabulary: What `vocabulary_of` returned for the other one.
    """
    if vocabulary is not None and vocabulary_of(layer) != vocabulary:
        layer.set_vocabulary(vocabulary)
    if hasattr(layer, "finalize_state") and layer.built:
        layer.finalize_state()
