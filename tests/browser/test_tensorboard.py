"""What a person sees who opens TensorBoard on loop and full, without having configured anything."""

import re

import pytest

pytestmark = pytest.mark.browser

TIME_STEPS = ["t000", "t001", "t002", "t003", "t004", "t005"]


LABELS_IN_WINDOW = """
boxes => boxes.map(box => {
    const label = box.querySelector(":scope > text.nodelabel, :scope > .nodeshape > text");
    const area = label ? label.getBoundingClientRect() : new DOMRect();
    const inside = area.left > 0 && area.top > 0 && area.right < innerWidth && area.bottom < innerHeight;
    return {name: box.dataset.name, height: inside ? area.height : 0};
})
"""


def boxes(page, below: str = "") -> dict[str, float]:
    """The boxes directly inside the opened box `below`: name to the height of its label in pixels, 0 if not in view."""
    found = page.locator("tf-graph-scene g.node.meta").evaluate_all(LABELS_IN_WINDOW)
    names = {box["name"]: box["height"] for box in found if box["name"].startswith(below)}
    return {name.removeprefix(below): height for name, height in names.items() if "/" not in name.removeprefix(below)}


def open_graph(page, url: str, run: str, tag: str = "Default") -> None:
    """Choose a graph as a person does; without a tag of its own, a graph is called "Default"."""
    page.goto(f"{url}#graphs")
    choosers = page.locator("tf-graph-controls .run-dropdown")
    choose(choosers.nth(0), run)
    box(page, "head").wait_for()
    choose(choosers.nth(1), tag)
    # The graph of the forward pass has no way back.
    box(page, "gradient_tape").wait_for(state="visible" if tag == "Default" else "detached")
    box(page, "head").wait_for()
    fit_to_screen(page)


def choose(chooser, name: str) -> None:
    chooser.click()
    chooser.locator("paper-item", has_text=name).click()


def fit_to_screen(page) -> None:
    page.get_by_text("Fit to screen").click()
    page.wait_for_timeout(1000)  # the boxes fly to their places


def in_view(boxes: dict[str, float]) -> set[str]:
    return {name for name, height in boxes.items() if height > 0}


def box(page, name: str):
    return page.locator(f"tf-graph-scene g.node[data-name='{name}']")


@pytest.mark.parametrize("tag", ["Default", "forward"])
def test_an_unrolled_layer_opens_as_its_time_steps(page, tensorboard, tag):
    open_graph(page, tensorboard, "full/train", tag)
    assert {"lstm_1", "lstm_2", "head"} <= in_view(boxes(page))
    assert boxes(page, "lstm_1/") == {}
    box(page, "lstm_1").locator("> .nodeshape").dblclick()
    box(page, "lstm_1/t005").wait_for()
    fit_to_screen(page)
    assert [name for name in sorted(in_view(boxes(page, "lstm_1/"))) if re.match(r"t\d", name)] == TIME_STEPS
    assert boxes(page, "lstm_2/") == {}


@pytest.mark.parametrize(
    ("run", "tag"), [("full/train", "Default"), ("full/train", "forward"), ("loop/train", "Default")]
)
def test_the_labels_of_a_graph_can_be_read(page, tensorboard, run, tag):
    open_graph(page, tensorboard, run, tag)
    assert min(boxes(page).values()) > 8


def test_the_graph_of_the_loop_has_the_same_layers(page, tensorboard):
    open_graph(page, tensorboard, "loop/train")
    assert {"lstm_1", "lstm_2", "head"} <= in_view(boxes(page))


@pytest.mark.parametrize("tag", ["gradient_norm/global", "batch_loss", "memory/tensor_peak_bytes"])
def test_time_series_lays_the_settings_over_each_other(page, tensorboard, tag):
    from playwright.sync_api import expect

    page.goto(f"{tensorboard}#timeseries")
    page.get_by_role("combobox", name="Filter tags (regex)").fill(tag)
    cards = page.locator("card-view:visible")
    expect(cards).to_have_count(1)
    rows = cards.locator("tb-data-table-content-row")
    expect(rows).to_have_count(2)
    expect(rows).to_contain_text(["full/train", "loop/train"])
    for run in ("full/train", "loop/train"):
        expect(page.locator("runs-data-table").get_by_text(run, exact=True)).to_be_visible()


def test_scalars_lays_the_settings_over_each_other(page, tensorboard):
    """Two networks with the same weights on the same batches: the table under the mouse says the same of both."""
    from playwright.sync_api import expect

    page.goto(f"{tensorboard}#scalars")
    page.locator("tf-tag-filterer input").fill("gradient_norm/global")
    card = page.locator("tf-scalar-card", has_text="tag: gradient_norm/global").first
    expect(card).to_be_visible()
    card.locator("line-chart, vz-line-chart2").first.hover()
    rows = page.locator("vz-line-chart-tooltip tbody tr:visible")
    expect(rows).to_have_count(2)
    expect(rows).to_contain_text(["full/train", "loop/train"])
    full, loop = (row.split() for row in rows.all_inner_texts())
    assert full[1:4] == loop[1:4]
