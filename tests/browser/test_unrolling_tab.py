"""The tab of kerasunroll's own, as a person sees it."""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import COMPARISON
from serving import answer, eventually, serving

pytestmark = pytest.mark.browser

VIEWS = ("Overview", "Gradients", "States", "Training", "Cost over T", "Graph")
CHARTS = {"Overview": 0, "Gradients": 4, "States": 2, "Training": 4, "Cost over T": 5, "Graph": 2}
HOSTILE = "<img src=x onerror=parent.hacked=1>"


def opened(page, tensorboard, query=""):
    """The frame of the tab, when it shows something."""
    page.goto(f"{tensorboard}{query}#kerasunroll")
    frame = page.frame_locator("iframe")
    frame.locator("[data-shown]").first.wait_for()
    return frame


def view(frame, name):
    frame.get_by_role("tab", name=name, exact=True).click()
    return frame.locator("main .view[data-shown]")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_view_shows_loop_and_full(page, tensorboard, theme, tmp_path):
    from playwright.sync_api import expect

    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    frame = opened(page, tensorboard, "?darkMode=true" if theme == "dark" else "")
    expect(frame.locator("html")).to_have_attribute("data-theme", theme)
    for name in VIEWS:
        shown = view(frame, name)
        expect(shown.locator(".plot .main-svg").first if CHARTS[name] else shown.locator("table").first).to_be_visible()
        expect(shown.locator("section.chart .plot.js-plotly-plot")).to_have_count(CHARTS[name])
        expect(frame.get_by_role("alert")).to_be_hidden()
        for setting in ("loop", "full"):
            assert setting in shown.inner_text(), (name, setting)
        for width in (1500, 800):
            page.set_viewport_size({"width": width, "height": 1000})
            body = frame.locator("body")
            assert body.evaluate("body => body.scrollWidth <= body.clientWidth"), f"{name} is wider than {width} pixels"
            page.screenshot(path=tmp_path / f"{name}-{width}.png")
    assert not errors


def test_the_theme_is_followed_while_the_tab_is_open(page, tensorboard):
    from playwright.sync_api import expect

    frame = opened(page, tensorboard)
    view(frame, "Training").locator(".main-svg").first.wait_for()
    before = frame.locator(".plot .main-svg").first.evaluate("svg => getComputedStyle(svg).backgroundColor")
    page.evaluate("document.body.classList.add('dark-mode')")
    expect(frame.locator("html")).to_have_attribute("data-theme", "dark")
    expect(frame.locator(".plot .main-svg").first).not_to_have_css("background-color", before)


def test_the_slider_changes_the_verdict_as_the_report_does(page, tensorboard, logs):
    from playwright.sync_api import expect

    from kerasunroll.report.run import Run
    from kerasunroll.report.verdict.text import verdict_sentences
    from kerasunroll.report.verdict.verdict import Constraints, verdicts

    rows = Run.load(logs / COMPARISON).rows
    frame = opened(page, tensorboard)
    shown = view(frame, "Overview")
    slider = frame.get_by_label("Number of training steps")
    said = []
    for notch, steps in ((100, 10), (350, 3200), (600, 1_000_000)):  # 10 ** (notch / 100), to two digits
        slider.fill(str(notch))
        expect(shown.locator("output").first).to_have_text(f"{steps:,}")
        expected = [verdict_sentences(each) for each in verdicts(rows, Constraints(training_steps=steps))]
        expect(shown.locator(".verdict")).to_have_text([first for first, *_ in expected])
        expect(shown.locator(".verdict + p")).to_have_text([" ".join(others) for _, *others in expected])
        said.append([first for first, *_ in expected])
    assert any(a != b for a, b in pairwise(said))


def test_the_memory_limit_puts_settings_out(page, tensorboard):
    from playwright.sync_api import expect

    frame = opened(page, tensorboard)
    shown = view(frame, "Overview")
    expect(shown.locator("tr.out")).to_have_count(0)
    frame.get_by_label("Memory that a process may take").fill("0")
    expect(shown.locator(".verdict").first).to_have_text("No setting can be recommended.")
    expect(shown.locator("tr.out")).to_have_count(9)
    frame.get_by_role("button", name="As planned").click()
    expect(shown.locator("tr.out")).to_have_count(0)


def test_a_move_of_the_cursor_draws_that_training_step(page, tensorboard, logs):
    from playwright.sync_api import expect

    frame = opened(page, tensorboard)
    shown = view(frame, "Gradients")
    expect(shown.locator(".plot .main-svg").first).to_be_visible()
    shown.locator("select").nth(4).select_option("forget_gate")
    expect(shown.get_by_role("heading", name="‖dL/d(forget gate)‖: loop, lstm_1")).to_be_visible()
    frame.get_by_label("Training step").fill("0")
    expect(shown.locator(".chart.whole .legend")).to_contain_text("loop, lstm_1, training step 1")
    data = shown.locator(".chart.whole .plot").evaluate("plot => plot.data.map(({y}) => Array.from(y))")
    assert len(data) == 2
    expected = logged(logs / "loop" / "train", "gradient_through_time/lstm_1/forget_gate")[0]
    assert expected[0] == 0.0  # c is 0 before the first time step; a logarithm shows no 0
    assert data[0] == [None, *(pytest.approx(norm) for norm in expected[1:])]
    expect(shown.get_by_text(re.compile(r"Largest difference: \d\.\de-\d|to the last bit"))).to_be_visible()


def logged(folder, tag):
    """What was logged, read without the tab."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    (file,) = folder.glob("*tfevents*[0-9]")
    events = EventAccumulator(str(file), size_guidance={"tensors": 0}).Reload()
    return [make_ndarray(event.tensor_proto) for event in events.Tensors(tag)]


def test_numbers_can_be_saved(page, tensorboard):
    frame = opened(page, tensorboard)
    shown = view(frame, "Gradients")
    shown.locator(".plot .main-svg").first.wait_for()
    with page.expect_download() as table:
        shown.get_by_role("button", name="CSV").first.click()
    lines = table.value.path().read_text().splitlines()
    assert lines[0] == "training_step,time_step,norm"
    assert lines[1].startswith("1,0,")
    assert len(lines) == 1 + 6 * 6  # entries × time steps
    with page.expect_download() as picture:
        shown.get_by_role("button", name="PNG").first.click()
    assert picture.value.path().read_bytes().startswith(b"\x89PNG")


def test_a_graph_opens_in_the_graphs_tab(page, tensorboard):
    from playwright.sync_api import expect

    frame = opened(page, tensorboard)
    shown = view(frame, "Graph")
    shown.locator(".plot .main-svg").first.wait_for()
    shown.locator("li").filter(has_text="full").get_by_role("button", name="Open in Graphs").first.click()
    run = page.locator("tf-graph-controls .control-holder", has_text="Run").first
    expect(run).to_contain_text("full/train")


def test_entries_arrive_without_reloading(page, tmp_path):
    from playwright.sync_api import expect

    from kerasunroll.callbacks.event_files.event_log import EventLog

    log = EventLog(tmp_path / "logs" / "loop" / "train")
    about = {"shows": "gradient", "layer": "lstm_1", "go_backwards": False}

    def write(step):
        for of in ("h", "masked"):
            log.array(
                f"gradient_through_time/lstm_1/{of}", np.full(5, 1.0 if of == "h" else 0.0), step, about | {"of": of}
            )

    write(1)
    with serving(tmp_path / "logs", tmp_path / "output.txt", "--reload_interval", "1") as url:
        eventually(lambda: answer(url + "data/runs"))
        frame = opened(page, url)
        shown = view(frame, "Gradients")
        expect(shown.locator("output")).to_have_text("1")
        write(51)
        expect(shown.locator("output")).to_have_text("51")
    log.close()


def test_nan_and_the_way_back_of_a_backwards_layer_are_said(page, tmp_path):
    from playwright.sync_api import expect

    from kerasunroll.callbacks.event_files.event_log import EventLog

    vanishing, broken = np.array([1e-9, 1e-8, 1.0]), np.array([1.0, np.nan, 1.0])
    for setting, norms in (("loop", vanishing), ("full", broken)):
        log = EventLog(tmp_path / "logs" / setting / "train")
        for of, values in (("h", norms[::-1]), ("masked", np.zeros(3))):
            about = {"shows": "gradient", "layer": "backward", "of": of, "go_backwards": True}
            log.array(f"gradient_through_time/backward/{of}", values, 1, about)
        log.close()
    with serving(tmp_path / "logs", tmp_path / "output.txt") as url:
        eventually(lambda: answer(url + "data/runs"))
        shown = view(opened(page, url), "Gradients")
        expect(shown.locator(".chart.whole .note")).to_have_text(
            "loop, backward: vanished (below a millionth) from time step 1 on (dotted). "
            "full, backward: NaN or infinite at 1 time step; nowhere below a millionth of the norm at t = 0."
        )
        expect(shown.get_by_text("White dots: from here on")).to_be_visible()
        difference = shown.locator("section.chart", has_text="Difference")
        expect(difference.locator(".note")).to_contain_text("Where norms are NaN or infinite, nothing is compared.")
        with page.expect_download() as table:
            difference.get_by_role("button", name="CSV").click()
        _, *lines = table.value.path().read_text().splitlines()
        assert [line.split(",")[:2] for line in lines] == [["1", "0"], ["1", "1"], ["1", "2"]]
        ratios = [line.split(",")[2] for line in lines]
        assert (float(ratios[0]), ratios[1], float(ratios[2])) == (1.0, "", pytest.approx(1e9))


def test_names_stay_texts(page, tmp_path):
    from playwright.sync_api import expect

    from kerasunroll.callbacks.event_files.event_log import EventLog

    log = EventLog(tmp_path / "logs" / HOSTILE / "train")
    for of in ("h", "masked"):
        about = {"shows": "gradient", "layer": HOSTILE, "of": of, "go_backwards": False}
        log.array(f"gradient_through_time/{HOSTILE}/{of}", np.zeros(5), 1, about)
    log.facts("graph/training_step_operations", {HOSTILE: 3})
    log.scalars({"batch_loss": 1.0}, 1)
    log.close()
    with serving(tmp_path / "logs", tmp_path / "output.txt") as url:
        eventually(lambda: answer(url + "data/runs"))
        frame = opened(page, url)
        for name in ("Gradients", "Training", "Graph"):
            shown = view(frame, name)
            expect(shown.locator(".plot .main-svg").first).to_be_visible()
            expect(shown).to_contain_text(HOSTILE)
        expect(frame.locator("img")).to_have_count(0)
        assert page.evaluate("window.hacked") is None


def test_an_empty_folder_says_what_to_do(page, tmp_path):
    from playwright.sync_api import expect

    (tmp_path / "logs").mkdir()
    with serving(tmp_path / "logs", tmp_path / "output.txt") as url:
        page.goto(f"{url}data/plugin_entry.html?name=kerasunroll")
        page.locator("[data-shown]").wait_for()
        for name in VIEWS:
            page.get_by_role("tab", name=name, exact=True).click()
            expect(page.locator("main .sentence")).to_contain_text(re.compile("kerasunroll|comparison_callbacks"))


def test_records_without_events_and_torn_event_files(page, tmp_path, logs):
    from playwright.sync_api import expect

    torn = tmp_path / "logs" / "torn" / "train"
    torn.mkdir(parents=True)
    (file,) = (logs / "loop" / "train").glob("*tfevents*[0-9]")
    (torn / file.name).write_bytes(file.read_bytes()[:-1000])
    import shutil

    shutil.copytree(logs / COMPARISON, tmp_path / "logs" / "mine", ignore=shutil.ignore_patterns("*tfevents*"))
    with serving(tmp_path / "logs", tmp_path / "output.txt") as url:
        eventually(lambda: answer(url + "data/runs"))
        frame = opened(page, url)
        expect(view(frame, "Overview").locator(".verdict")).to_have_count(3)
        expect(view(frame, "Gradients").locator("select").first).to_contain_text("torn")
        expect(frame.get_by_role("alert")).to_be_hidden()
        shutil.rmtree(torn)
        (tmp_path / "logs" / "mine" / "records").rename(tmp_path / "logs" / "mine" / "taken_away")
        expect(view(frame, "Overview").locator(".sentence")).to_contain_text("Nothing has been measured")


def test_the_pictures_of_the_documentation_can_be_taken_again(logs, tmp_path):
    script = Path(__file__).parents[2] / "scripts" / "tab_pictures.py"
    done = subprocess.run([sys.executable, script, logs, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.glob("*.png")} == {"tab-overview.png", "tab-gradients.png"}
