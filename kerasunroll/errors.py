"""The exceptions a user of kerasunroll can meet.

Every message says what was expected, what came, and what to do. You can correct what causes an `InputError` or one of
its kinds (the command line ends with status 2); a `RunError` is a run that failed (status 1).
"""


class KerasunrollError(Exception):
    """Base class of every error that kerasunroll raises on purpose."""


class InputError(KerasunrollError, ValueError):
    """An argument, an option or a file cannot be used."""


class SettingError(InputError):
    """An unroll setting is not one of `False`, `True` and an integer `k >= 2`."""


class BackendError(InputError, ImportError):
    """TensorFlow is not installed, or Keras runs on another backend."""


class DataError(InputError):
    """A data source is missing, malformed or too small."""


class RunError(KerasunrollError, RuntimeError):
    """A run started and failed."""


class KerasunrollWarning(UserWarning):
    """Something works, but perhaps not as you expect."""
