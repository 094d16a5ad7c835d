"""Numbers as people read them."""

import math

import pytest

from kerasunroll.units import format_ends


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0.644, 0.756, "0.64 to 0.76"),
        (0.71, 0.998, "0.71 to 0.998"),  # not 1.00: the interval excludes 1
        (1.0004, 1.2, "1.0004 to 1.20"),
        (1.0, 1.0, "1.00 to 1.00"),
        (0.99999, 1.5, "1.00 to 1.50"),
        (0.5, math.inf, "0.50 to inf"),
    ],
)
def test_the_ends_of_an_interval_tell_on_which_side_of_one_they_lie(low, high, shown):
    assert format_ends(low, high) == shown
