"""What a person sees who opens the page of a report from the disk."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
from fixed_run import write_run

pytestmark = pytest.mark.browser

LUMINANCE = """
colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(part => part / 255)
        .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
"""
CONTRASTS = f"""
() => {{
    const luminance = {LUMINANCE};
    const ground = element => {{
        const own = getComputedStyle(element).backgroundColor;
        return own.endsWith(", 0)") && element.parentElement ? ground(element.parentElement) : own;
    }};
    const leaves = [...document.body.querySelectorAll("h1, h2, h3, p, a, th, td, dt, dd, figcaption, svg text")];
    return leaves.filter(leaf => leaf.textContent.trim()).map(leaf => {{
        const style = getComputedStyle(leaf);
        const [light, dark] = [luminance(leaf.matches("text") ? style.fill : style.color), luminance(ground(leaf))]
            .sort((a, b) => b - a);
        return (light + 0.05) / (dark + 0.05);
    }});
}}
"""


@pytest.fixture(scope="module")
def address(browser, tmp_path_factory) -> str:
    from kerasunroll.report.page.page import write_html
    from kerasunroll.report.run import Run
    from kerasunroll.report.verdict.verdict import verdicts

    run = Run.load(write_run(tmp_path_factory.mktemp("run")))
    path = run.folder / "report.html"
    write_html(run, verdicts(run.rows), path)
    return path.as_uri()


@pytest.fixture(
    params=[("light", 1200), ("dark", 1200), ("light", 390), ("dark", 390)], ids=lambda of: f"{of[0]}-{of[1]}"
)
def opened(request, browser, address, tmp_path):
    scheme, width = request.param
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    assert asked == [address]
    yield page
    page.screenshot(path=tmp_path / "last_seen.png", full_page=True)
    page.close()


def test_the_page_fits_and_the_verdict_is_seen_first(opened):
    width = opened.viewport_size["width"]
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    lead = opened.get_by_text("Take k8.", exact=True)
    assert lead.is_visible()
    box = lead.bounding_box()
    assert box["x"] >= 0
    assert box["y"] + box["height"] < 844
    # What is too wide for a phone scrolls inside itself.
    ends = opened.evaluate("[...document.querySelectorAll('.scroll')].map(each => each.getBoundingClientRect().right)")
    assert max(ends) <= width


def test_all_text_can_be_read_on_its_ground(opened):
    contrasts = opened.evaluate(CONTRASTS)
    assert len(contrasts) > 100
    assert min(contrasts) >= 4.5  # WCAG 2.2, 1.4.3


def test_both_schemes_are_what_they_say(opened):
    ground = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = opened.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert (opened.evaluate(LUMINANCE, ground) < 0.05) == dark


def test_bars_and_their_values_do_not_leave_the_picture(opened):
    overhang = opened.evaluate(
        """[...document.querySelectorAll("figure:not(.wide) svg")].flatMap(svg => {
            const outer = svg.getBoundingClientRect();
            return [...svg.querySelectorAll("text")].map(text => text.getBoundingClientRect())
                .map(inner => Math.max(outer.left - inner.left, inner.right - outer.right));
        })"""
    )
    assert len(overhang) > 30
    assert max(overhang) <= 1


def test_on_paper_it_is_black_on_white_and_nothing_is_cut_off(browser, address):
    page = browser.new_page(viewport={"width": 718, "height": 1000})  # A4 without its margins
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(address)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert min(page.evaluate(CONTRASTS)) >= 4.5
    assert page.evaluate("document.documentElement.scrollWidth") == 718
    page.close()
