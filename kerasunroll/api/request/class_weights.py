"""Class weights as weights of samples, as `fit` makes them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kerasunroll.errors import InputError


def with_class_weights(batch: tuple[Any, ...], class_weight: Mapping[int, float]) -> tuple[Any, ...]:
    """Return a batch `(x, y)` with a weight for each sample.

    Args:
        batch: Nested arrays `(x, y)`.
        class_weight: Dict from class, an integer, to its weight; a class that is not there weighs 1.

    Raises:
        InputError: If there are weights of samples already, or the targets are no classes.
    """
    if len(batch) > 2:
        raise InputError("Give class_weight or sample_weight, not both: fit takes only one of them.")
    if len(batch) < 2 or not hasattr(batch[1], "shape"):
        raise InputError("class_weight needs one array y of classes, got several outputs or none. Give sample_weight.")
    y = np.asarray(batch[1])
    classes = y.argmax(axis=-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y), -1)[:, 0]
    weights = np.ones(len(y), dtype="float32")
    for each, weight in class_weight.items():
        weights[classes == each] = weight
    return (*batch, weights)
