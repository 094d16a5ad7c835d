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
    "Gradients": {
        "norm of the whole gradient": 2,
        "early over late time steps, per layer": 4,
        "share of time steps where it vanished": 4,
    },
    "Loss": {"loss of each epoch, train and validation": 4},
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
    # Whole numbers are whole: not 25.000.
    for number, lines in ((25, 3), (50, 3), (100, 3), (32, 9)):
        expect(cells.filter(has_text=re.compile(rf"^\s*{number}\s*$"))).to_have_count(lines)
    for title in ("setting", "T", "batch", "cell", "units", "compile (s)", "tensor peak (MB)", "final loss"):
        expect(cells.filter(has_text=re.compile(rf"^\s*{re.escape(title)}\s*$"))).to_have_count(1)


def test_text_says_which_setting_to_take(page, tensorboard):
    from playwright.sync_api import expect

    page.goto(f"{tensorboard}#text")
    page.locator("tf-tag-filterer input").fill("comparison/verdict")
    verdicts = page.locator("tf-category-paginated-view").first.locator("tf-text-loader")
    expect(verdicts).to_have_count(1)
    expect(verdicts.locator("li")).to_have_text([f"lstm-L2-U64-T{t}: Take k8." for t in LENGTHS])
