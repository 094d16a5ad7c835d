import keras
import pytest


@pytest.fixture
def double():
    """Layers built in the test compute in float64."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    keras.utils.set_random_seed(7)
    yield
    keras.config.set_floatx(before)
    keras.config.set_dtype_policy(before)


def pytest_configure(config):
    # A mark of Keras's own tests, which test_kerass_own_tests runs: TensorFlow is a backend that trains.
    config.addinivalue_line("markers", "requires_trainable_backend: the backend of Keras can train")
