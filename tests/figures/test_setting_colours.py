"""The colours of settings: the same everywhere, and seen on every ground."""

import itertools

import pytest
from matplotlib.colors import to_rgb

from kerasunroll.display.colours import setting_colours

SETTINGS = ["loop", "full", "own-loop", "own-full", "k2", "k4", "k8", "k16", "k32", "auto", "loop,full", "full,loop"]


def luminance(colour: str) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("ground", ["#ffffff", "#14171b"], ids=["light", "dark"])
def test_every_colour_stands_out(ground):
    for setting, colour in setting_colours(SETTINGS).items():
        light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3, setting  # WCAG 2.2, 1.4.11


def test_twelve_settings_have_twelve_colours():
    colours = setting_colours(SETTINGS).values()
    assert all(one != other for one, other in itertools.combinations(colours, 2))


def test_a_setting_keeps_its_colour_whatever_it_is_compared_with():
    assert setting_colours(["full", "loop"])["full"] == setting_colours(["k8", "full"])["full"]
    assert setting_colours(["loop", "k8", "loop", "k8"]) == setting_colours(["loop", "k8"])
