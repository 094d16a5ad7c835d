from collections.abc import Iterator

import keras
import pytest


@pytest.fixture
def double() -> Iterator[None]:
    """Models built in the test compute in float64."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    keras.utils.set_random_seed(7)
    yield
    keras.config.set_floatx(before)
    keras.config.set_dtype_policy(before)
