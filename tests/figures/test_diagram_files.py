"""The textbook pictures as files: SVG that is well-formed and says what it shows, and PNG of the same layout."""

import re
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from kerasunroll.figures.diagram import KINDS, Network, Picture, draw, to_png, to_svg
from kerasunroll.figures.diagram.notation import typeset, without_markup, wrapped
from kerasunroll.figures.diagram.shapes import Box, Label
from kerasunroll.models import StackConfig

SVG = "{http://www.w3.org/2000/svg}"


def network(timesteps=6, **options) -> Network:
    config = {"cell": "lstm", "input_shape": (timesteps, 1), "unroll": [3, False]} | options
    return Network.from_config(StackConfig(**config), truncate=2, recompute=3)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_svg_is_well_formed_and_says_what_it_shows(kind, bidirectional):
    picture = draw(network(bidirectional=bidirectional), kind)
    root = ElementTree.fromstring(to_svg(picture))  # noqa: S314
    assert root.tag == f"{SVG}svg"
    assert root.find(f"{SVG}title").text == picture.title
    assert root.find(f"{SVG}desc").text == picture.description
    assert "$" not in picture.title + picture.description
    assert [float(each) for each in root.get("viewBox").split()[2:]] == pytest.approx(
        [picture.width, picture.height], abs=0.01
    )
    # Nothing is fetched from elsewhere, and dark pages get a white sheet.
    assert not re.search(r"href|url\(|<script|@import", to_svg(picture))
    assert root.find(f"{SVG}rect").attrib == {"width": "100%", "height": "100%", "fill": "#ffffff"}
    assert len(root.findall(f"{SVG}text")) == len(picture.labels)
    cells = [each for each in root.iter(f"{SVG}rect") if each.get("class") == "cell"]
    assert len(cells) == len(picture.marked("cell"))


def test_what_users_name_is_escaped():
    picture = Picture(100, 50, "<script>", 'a & "b"', (Label(10, 20, '<b> & "c"'),))
    root = ElementTree.fromstring(to_svg(picture))  # noqa: S314
    assert root.find(f"{SVG}title").text == "<script>"
    assert "".join(root.find(f"{SVG}text").itertext()) == '<b> & "c"'


def test_scripts_are_set_below_and_above_each_other():
    root = ElementTree.fromstring(to_svg(Picture(100, 50, "", "", (Label(10, 20, "of $h_{t-1}^{(2)}$ and"),))))  # noqa: S314
    pieces = [(each.text, each.get("font-style")) for each in root.iter(f"{SVG}tspan")]
    assert pieces == [
        ("of ", None),
        ("h", "italic"),
        ("t", "italic"),
        ("\N{MINUS SIGN}1", None),
        ("(2)", None),
        (" and", None),
    ]
    steps = [float(each.get("dy", 0)) for each in root.iter(f"{SVG}tspan")]
    assert steps[2] > 0  # y is downwards
    assert steps[4] < -steps[2]
    assert sum(steps) == pytest.approx(0, abs=0.02)
    base, below, _, above, after = typeset("of $h_{t-1}^{(2)}$ and", 12)[0][1:]
    assert below.x == above.x == pytest.approx(base.x + base.width)
    assert after.x >= max(above.x + above.width, below.x + below.width)
    assert without_markup(r"$\righth_t^{(l)}$") == "h_t(l)"


def test_lines_are_broken_between_words():
    lines = wrapped("one two three four", size=10, width=60)
    assert " ".join(lines) == "one two three four"
    assert len(lines) > 1
    assert all(typeset(line, 10)[1] <= 60 for line in lines)


def test_png_is_the_same_picture():
    picture = draw(network(units=(8, 8)), "unfolded")
    image = Image.open(BytesIO(to_png(picture, scale=2.0)))
    assert image.size == pytest.approx((2 * picture.width, 2 * picture.height), abs=1)
    pixels = np.asarray(image.convert("RGB"))
    for shape in picture.marked("cell"):
        assert isinstance(shape, Box)
        x, y = int(2 * (shape.x + 8)), int(2 * (shape.y + 8))
        assert "#" + "".join(f"{value:02x}" for value in pixels[y, x]) == shape.fill
    assert (pixels[0, 0] == 255).all()
