"""What a notebook shows of a comparison, on the grounds of JupyterLab's light and dark themes."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
sys.path.insert(0, str(Path(__file__).parent))
from fixed_run import write_run
from test_report_page import CONTRASTS

pytestmark = pytest.mark.browser

# What JupyterLab gives its outputs: the colour of text and the ground of its two themes.
THEMES = {"light": ("#212121", "#ffffff"), "dark": ("#ffffff", "#111111")}


@pytest.fixture(scope="module")
def html(browser, tmp_path_factory) -> str:
    from kerasunroll import Comparison

    return Comparison.load(write_run(tmp_path_factory.mktemp("run")))._repr_html_()


@pytest.fixture(params=THEMES)
def opened(request, browser, html):
    text, ground = THEMES[request.param]
    page = browser.new_page(viewport={"width": 1000, "height": 900}, color_scheme=request.param)
    # Twice, as where a cell is run and its result is shown again: what has the same name must be the same.
    opened = html.replace("<details>", "<details open>")
    page.set_content(f'<body style="color:{text};background:{ground}">{opened}<hr>{opened}</body>')
    yield page
    page.close()


def test_every_text_is_legible(opened):
    contrasts = opened.evaluate(CONTRASTS)
    assert len(contrasts) > 50
    assert min(contrasts) >= 4.5


def test_verdict_table_and_pictures_are_seen(opened):
    assert opened.locator("p strong").first.inner_text().count("Take ") == 1
    assert opened.locator("table").first.locator("tbody tr").count() >= 2
    squares = opened.locator("table").first.locator("tbody td:first-child span")
    drawn = squares.evaluate_all("each => each.map(square => getComputedStyle(square).backgroundColor)")
    assert drawn == ["rgb(0, 114, 178)", "rgb(102, 73, 245)", "rgb(213, 94, 0)"]  # loop, k8, full
    for picture in opened.locator("svg").all():
        box = picture.bounding_box()
        assert box["width"] > 100
        assert box["height"] > 50


def test_nothing_is_wider_than_the_page(opened):
    assert opened.evaluate("document.documentElement.scrollWidth") <= 1000
