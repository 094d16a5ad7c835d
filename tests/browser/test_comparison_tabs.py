"""What a person sees of a comparison who opens TensorBoard on it, without having configured anything."""

import re

import pytest

pytestmark = pytest.mark.browser

SETTINGS, LENGTHS = ("loop", "k8", "full"), (25, 50, 100)

# Of the comparison, 3 settings at 3 T; beside it 2 settings were trained, of 2 layers.
CURVES = {
    "Time": {
        "time in all, s: compile, then x training steps": 9,
        "a training step, ms, in each round x": 9,
        "a training step over the baseline's, in each round x": 9,
    },
    "Memory": {"what the process added, MB": 9, "tensors at the peak of a training step, MB": 9},
    "Gradients": {
        "norm of the whole gradient": 2,
        "early over late time steps, per layer": 4,
        "share of time steps where it vanished": 4,
    },
    "Loss": {"loss of each epoch, train and validation": 4},
    "Longer sequences": {
        "build, trace and compile, s, over T": 3,
        "a training step, ms, over T": 3,
        "what the process added, MB, over T": 3,
        "tensors of a training step, MB, over T": 3,
        "graph nodes of a training step, over T": 3,
    },
}


def test_custom_scalars_lays_the_settings_over_each_other(page, tensorboard):
    from playwright.sync_api import expect

    page.goto(f"{tensorboard}#custom_scalars")
    for category, charts in CURVES.items():
        pane = page.locator("tf-category-paginated-view", has=page.get_by_text(category, exact=True))
        expect(pane).to_have_count(1)
        cards = pane.locator("tf-custom-scalar-margin-chart-card, tf-custom-scalar-multi-line-chart-card")
        expect(cards).to_have_count(len(charts))
        for title, curves in charts.items():
            card = cards.filter(has=page.get_by_text(title, exact=True))
            expect(card).to_contain_text(f"Matches ({curves})")


def test_hparams_has_a_line_for_each_variant(page, tensorboard):
    from playwright.sync_api import expect

    page.goto(f"{tensorboard}#hparams")
    cells = page.locator("tf-hparams-table-view vaadin-grid-cell-content:visible")
    expect(cells.filter(has_text=re.compile(r"^\s*training step \(ms\)\s*$"))).to_have_count(1)
    for setting in SETTINGS:
        expect(cells.filter(has_text=re.compile(rf"^\s*{setting}\s*$"))).to_have_count(len(LENGTHS))
    for title in ("setting", "T", "batch", "cell", "units", "compile (s)", "tensor peak (MB)", "final loss"):
        expect(cells.filter(has_text=re.compile(rf"^\s*{re.escape(title)}\s*$"))).to_have_count(1)


def found(page, address: str, tags: str):
    """The pane in which TensorBoard shows what has these tags; it is the first one, above those of all tags."""
    page.goto(address)
    page.locator("tf-tag-filterer input").fill(tags)
    return page.locator("tf-category-paginated-view").first


def test_images_shows_the_pictures_of_every_group(page, tensorboard):
    from playwright.sync_api import expect

    pane = found(page, f"{tensorboard}#images", "comparison/(time_in_all|over_T)")
    pictures = pane.locator("tf-image-loader img")
    expect(pictures).to_have_count(len(LENGTHS) + 1)
    for picture in pictures.all():
        expect(picture).to_have_js_property("complete", value=True)
        assert picture.evaluate("image => image.naturalWidth") > 400


def test_text_begins_with_the_verdict(page, tensorboard):
    from playwright.sync_api import expect

    verdicts = found(page, f"{tensorboard}#text", "comparison/verdict").locator("tf-text-loader")
    expect(verdicts).to_have_count(len(LENGTHS))
    expect(verdicts.locator("h3")).to_have_text(["Take k8."] * len(LENGTHS))
    expect(verdicts.locator("th").filter(has_text="k8")).to_have_count(len(LENGTHS))
