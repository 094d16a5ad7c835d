"""The optimisers of a model: Keras's own, and those that a custom `train_step` keeps beside it."""

from collections.abc import Iterator

import keras

from kerasunroll.compatibility import updates_done


def optimizers_of(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    """Return the optimiser a model was compiled with, and all others among its attributes (also in lists and dicts)."""
    return list({id(optimizer): optimizer for optimizer in _optimizers(model)}.values())


def training_steps_done(model: keras.Model) -> int:
    """Return how many training steps the model has behind it, as its optimisers count them.

    A model that leaves its compiled optimiser alone (a GAN with two of its own) has as many as the optimiser that
    worked least: the others may take several steps for one.
    """
    counts = [_training_steps_of(optimizer) for optimizer in optimizers_of(model)]
    return min((count for count in counts if count), default=0)


def _optimizers(model: keras.Model) -> Iterator[keras.optimizers.Optimizer]:
    for value in (model.optimizer, *vars(model).values()):
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        yield from (each for each in (value, *inner) if isinstance(each, keras.optimizers.Optimizer))


def _training_steps_of(optimizer: keras.optimizers.Optimizer) -> int:
    # Under gradient accumulation `iterations` counts the updates, one for so many training steps.
    each = getattr(optimizer, "gradient_accumulation_steps", None) or 1
    return updates_done(optimizer) * each
