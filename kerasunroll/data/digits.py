"""Handwritten digits, read pixel by pixel."""

import numpy as np

from kerasunroll.data.source import Source
from kerasunroll.data.splits import random_split
from kerasunroll.errors import DataError
from kerasunroll.tasks import Classification

_PIXELS = 64
_MIDDLE = 8


def load_digits(timesteps: int | None, seed: int) -> Source:
    """Read scikit-learn's 1,797 handwritten digits as sequences: which of the ten digits is it?

    The images have 8 by 8 pixels, read from left to right and from top to bottom, and scaled from 0..16 to
    -1..1. They are a part of the Optical Recognition of Handwritten Digits data (Alpaydin and Kaynak 1998,
    UCI Machine Learning Repository) and come with scikit-learn. Reading images pixel by pixel as a test of
    long memory is due to Le, Jaitly and Hinton (2015, arXiv:1504.00941, section 4.2).

    Args:
        timesteps: Integer or `None`. A divisor of 64; 8, for instance, reads one row of pixels in each time
            step. Defaults to 64, one pixel in each.
        seed: Integer. Draws the validation sequences.

    Returns:
        A `Source` with inputs of shape `(N, timesteps, 64 / timesteps)` and 10 classes.

    Raises:
        DataError: If `timesteps` does not divide 64.
    """
    timesteps = _PIXELS if timesteps is None else timesteps
    if _PIXELS % timesteps:
        divisors = ", ".join(str(number) for number in range(1, _PIXELS + 1) if _PIXELS % number == 0)
        raise DataError(f"digits have {_PIXELS} pixels, so timesteps must be one of {divisors}; got {timesteps}.")
    from sklearn import datasets

    pixels, labels = datasets.load_digits(return_X_y=True)
    x = (pixels / _MIDDLE - 1).astype(np.float32).reshape(-1, timesteps, _PIXELS // timesteps)
    split = random_split(x, labels.astype(np.int32), seed)
    return Source(name="digits", task=Classification(10), seed=seed, **split._asdict())
