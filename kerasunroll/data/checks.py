"""What every source asks of its numbers."""

from numbers import Integral

from kerasunroll.errors import DataError


def whole_number(name: str, value: object, at_least: int) -> int:
    """Return `value` as an `int`, or say why it is none.

    Args:
        name: String. What the number is called, for the error.
        value: Anything; an `int` or a NumPy integer is accepted, a `bool` is not.
        at_least: Integer. The smallest number accepted.

    Raises:
        DataError: If `value` is not an integer, or is smaller than `at_least`.
    """
    if not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= at_least:
        return int(value)
    raise DataError(f"{name} must be an integer of at least {at_least}, got {value!r}.")
