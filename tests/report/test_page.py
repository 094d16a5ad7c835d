"""The page on a comparison: whole without a network, valid, escaped, and true of partial and failed runs, too."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from fixed_run import write_run
from matplotlib.colors import to_hex

from kerasunroll.display.svg import inline_svg
from kerasunroll.errors import InputError
from kerasunroll.figures.settings import Bar, settings_figure
from kerasunroll.report.page.figures import cost_pictures
from kerasunroll.report.page.page import escape_markdown, write_html, write_markdown
from kerasunroll.report.run import Run, planned_training_steps
from kerasunroll.report.verdict.verdict import Constraints, verdicts

VOID = {"meta", "link", "br", "img", "input", "hr"}
HOSTILE = "<script>alert(1)&'\" [x](y) |"


class Page(HTMLParser):
    """What a browser would make of a page, if it forgave nothing."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def page(folder, constraints=None) -> tuple[str, Page]:
    run = Run.load(folder)
    path = folder / "report.html"
    write_html(run, verdicts(run.rows, constraints, planned_training_steps(run.plan)), path)
    html = path.read_text(encoding="utf-8")
    return html, Page(html)


def markdown(folder) -> str:
    run = Run.load(folder)
    write_markdown(run, verdicts(run.rows), folder / "report.md")
    return (folder / "report.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[str, Page]:
    return page(write_run(tmp_path_factory.mktemp("whole")), Constraints(training_steps=50_000))


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A run of several lengths, one variant of which failed; its folder has an unfriendly name."""
    return write_run(
        tmp_path_factory.mktemp("swept") / HOSTILE, timesteps=(25, 50, 100), follow_up="memory", failed=[(100, "full")]
    )


def test_a_page_needs_nothing_but_itself(whole):
    html, parsed = whole
    assert not re.search(r"(?:https?:)?//\w", html)
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in parsed.tags}
    assert "@import" not in html
    outside = [value for _, attributes in parsed.tags for name, value in attributes.items() if name in ("href", "src")]
    assert outside
    assert all(value.startswith("#") for value in outside)


def test_all_that_is_pointed_to_is_there_and_nothing_twice(whole):
    html, parsed = whole
    names = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(names) == len(set(names))
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', html)) <= set(names)


def test_a_page_can_be_read_aloud(whole):
    _, parsed = whole
    assert parsed.all("html") == [{"lang": "en"}]
    assert parsed.text.startswith("Should I unroll?")
    pictures = parsed.all("svg")
    assert len(pictures) == 7  # five costs, the break-even, the gradients
    assert all(picture["role"] == "img" and picture["aria-label"] for picture in pictures)
    labels = [picture["aria-label"] for picture in pictures]
    assert "a training step: loop 1.92 ms, k8 1.22 ms, full 1.28 ms" in labels
    # (2.636 - 1.5) / (64 · 11 µs) and (10.588 - 1.5) / (64 · 10 µs), with the ratios as the rounds gave them.
    assert any(re.search(r"Less than loop: k8 after 1,6\d\d, full after 14,\d\d\d\.", label) for label in labels)


def test_the_verdict_stands_first_then_pictures_then_the_table(whole):
    _, parsed = whole
    text = parsed.text
    order = ["Take k8.", "build, trace and compile", "Everything that was measured", "Where and how it was measured"]
    assert sorted(order, key=text.index) == order
    assert "It trains 1.6× faster than the loop" in text
    assert "LSTM, 2 layers of 64, 64 units, 64 time steps, batches of 32" in text
    assert "digits: 1437 <sequences>" in text
    assert ("td", {}) in parsed.tags
    assert "tensor peak, training step 8.6 MB 12.4 MB 12.4 MB" in text


def test_pictures_have_the_colour_of_the_text_around_them(whole):
    html, _ = whole
    for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        assert "currentColor" in svg
        ElementTree.fromstring(svg)  # noqa: S314 - our own, and well-formed
        assert not re.search(r"#(000000|010203|ffffff)", svg)


def test_a_sweep_has_its_growth_and_its_failures(swept):
    html, parsed = page(swept)
    assert html.count('class="verdict"') == 3
    assert "the cost of longer sequences" in parsed.text
    assert "k8, each time step more: " in parsed.text
    assert "full: timing: timeout in phase compile: more than <600> s" in parsed.text
    assert "full is out: its timing took too long in phase compile (more than <600> s)." in parsed.text
    assert "Left out: full at T=100 (timing: timeout)." in parsed.text


def test_everything_from_outside_is_escaped(swept):
    html, parsed = page(swept)
    assert parsed.all("script") == []
    assert HOSTILE in parsed.text
    assert "<script" not in html
    assert "<600>" not in html


def test_a_setting_has_one_colour_in_every_picture_and_table(tmp_path):
    """Where the loop has failed, too: the others do not move up."""
    run = Run.load(write_run(tmp_path, timesteps=(25, 50, 100), failed=[(50, "loop"), (50, "k8")]))
    for verdict in verdicts(run.rows):
        rows = run.groups[verdict.group]
        for picture in cost_pictures(rows, verdict, run.colours, "g0"):
            (axes,) = picture.draw().axes
            names = [label.get_text() for label in axes.get_yticklabels()]
            bars = [to_hex(bar.get_facecolor()) for bar in axes.patches]
            assert bars == [run.colours[name] for name in names]
    _, parsed = page(tmp_path)
    squares = [span["style"] for span in parsed.all("span") if span.get("class") == "colour"]
    assert set(squares) == {f"background: {colour}" for colour in run.colours.values()}


def test_labels_of_pictures_are_escaped():
    svg = inline_svg(lambda: settings_figure(HOSTILE, str, [Bar("<b>", 1.0, "#0072b2")]), "x", HOSTILE)
    parsed = Page(svg)
    assert parsed.all("svg")[0]["aria-label"] == HOSTILE
    assert {tag for tag, _ in parsed.tags}.isdisjoint({"script", "b"})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"missing": [(64, "full")]}, "full was not measured yet."),
        ({"settings": ("loop",)}, "Only the loop was measured: there is nothing to compare it with."),
        ({"settings": ("loop", "full"), "trained": False}, "whether full and the loop compute the same"),
        ({"settings": ("loop",), "failed": [(64, "loop")]}, "No setting can be recommended."),
        ({"settings": ("k8", "full")}, "Take k8."),
    ],
)
def test_partial_and_failed_runs_have_a_page(tmp_path, options, said):
    _, parsed = page(write_run(tmp_path, **options), Constraints(training_steps=50_000))
    assert said in parsed.text


def test_an_empty_run_has_none(tmp_path):
    with pytest.raises(InputError, match=r"There is no comparison in .*: it has no plan\.json\. Give the folder"):
        Run.load(tmp_path)
    write_run(tmp_path, settings=("loop",), missing=[(64, "loop")])
    with pytest.raises(
        InputError, match=r"Nothing has been measured in .* yet\. Go on with: kerasunroll compare --resume"
    ):
        Run.load(tmp_path)


def test_markdown_has_the_verdict_and_the_tables(tmp_path):
    text = markdown(write_run(tmp_path))
    assert text.startswith("# Should I unroll?\n")
    assert "**lstm-L2-U64-T64.** Take k8. It trains 1.6× faster than the loop" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") - line.count("\\|") for line in lines} == {5}
    assert lines[0] == "|  | loop | k8 | full |"
    assert lines[1] == "| --- | ---: | ---: | ---: |"
    assert re.search(r"\| … against loop \| – \| 0\.6\d×<br>0\.6\d to 0\.6\d<br>faster \|", text)


def test_markdown_is_escaped(swept):
    text = markdown(swept)
    assert "<script" not in re.sub(r"\\.", "", text)
    assert escape_markdown("a_b|*<c>`[d]\ne\\") == r"a\_b\|\*\<c\>\`\[d\]<br>e" + "\\\\"


def test_markdown_shows_the_pictures_that_lie_in_the_folder(tmp_path):
    write_run(tmp_path / "run", settings=("loop", "full"))
    picture = tmp_path / "run" / "lstm-L2-U64-T64" / "gradients_through_time.png"
    picture.write_bytes(b"a picture")
    run = Run.load(tmp_path / "run")
    write_markdown(run, verdicts(run.rows), tmp_path / "elsewhere.md")
    text = (tmp_path / "elsewhere.md").read_text(encoding="utf-8")
    assert r"![gradients\_through\_time.png](run/lstm-L2-U64-T64/gradients_through_time.png)" in text


def test_training_steps_are_those_of_the_plan(tmp_path):
    run = Run.load(write_run(tmp_path, settings=("loop",)))
    assert planned_training_steps(run.plan) == {"lstm-L2-U64-T64": 6 * 44}  # 1437 sequences are 44 whole batches of 32
