"""How long does the tab in TensorBoard take to show something large, and to follow its cursor?

12 settings of a network of 4 LSTM layers, 500 time steps and 10,000 training steps, of which every 50th has its
gradients through time and every 10th its loss and gradient norm: about 300 MB of event files, which nobody trained.
Then a headless Chromium opens the tab, again and again, and moves the cursor.

    python benchmarks/tensorboard_tab.py

Goals, on two cores: the first view within 2 s (of the tab; TensorBoard's own page is told apart), a move of the cursor
within 0.1 s.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from kerasunroll.callbacks.event_files.event_log import EventLog
from kerasunroll.callbacks.event_files.tab_entries import GRADIENT, MASKED

SETTINGS = ("loop", "full", "own-loop", "own-full", *(f"k{k}" for k in range(2, 10)))
LAYERS, TIME_STEPS, TRAINING_STEPS = 4, 500, 10_000
QUANTITIES = ("h", "c", "x", "input_gate", "forget_gate", "candidate", "output_gate")
TAB = "data/plugin_entry.html?name=kerasunroll"

# The frame's own clock: from the event until the chart says that it shows the new training step.
MOVE = """async ([slider, place]) => {
  const legend = () => document.querySelector('.chart.whole .legend')?.textContent ?? '';
  const before = legend();
  const began = performance.now();
  slider.value = place;
  slider.dispatchEvent(new Event('input'));
  while (legend() === before) await new Promise(requestAnimationFrame);
  return (performance.now() - began) / 1000;
}"""


def write_logs(folder: Path) -> None:
    """Write what the callbacks would have written."""
    rng = np.random.default_rng(0)
    for setting in tqdm(SETTINGS, desc="event files", unit="setting"):
        log = EventLog(folder / "lstm" / setting / "train")
        log.facts("training/began", {"model": "lstm"})
        for step in range(1, TRAINING_STEPS + 1, 10):
            log.scalars({"batch_loss": 1 / step, "gradient_norm/global": float(rng.uniform())}, step)
        for step in range(1, TRAINING_STEPS + 1, 50):
            for layer in range(1, LAYERS + 1):
                decay = 10 ** rng.uniform(-0.03, -0.01)
                for of in (*QUANTITIES, MASKED):
                    norms = decay ** np.arange(TIME_STEPS)[::-1] * rng.uniform(0.9, 1.1, TIME_STEPS)
                    about = {"shows": GRADIENT, "layer": f"lstm_{layer}", "of": of, "go_backwards": False}
                    values = np.zeros(TIME_STEPS) if of == MASKED else norms
                    log.array(f"gradient_through_time/lstm_{layer}/{of}", values, step, about)
        log.close()


@contextmanager
def serving(logs: Path, output: Path) -> Iterator[str]:
    """Run TensorBoard until everything has been read; yield its address."""
    with output.open("wb") as file:
        command = [
            sys.executable,
            "-m",
            "tensorboard.main",
            "--logdir",
            str(logs),
            "--host",
            "127.0.0.1",
            "--port",
            "0",
        ]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        while not (found := re.search(r"http://127\.0\.0\.1:\d+/", output.read_text())):
            time.sleep(0.2)
        yield found[0]
    finally:
        process.terminate()
        process.wait(10)


def wait_for_all(page: Any, address: str) -> None:
    """Wait until TensorBoard has read all entries of all settings."""
    route = f"{address}data/plugin/kerasunroll/gradients"
    for setting in tqdm(SETTINGS, desc="TensorBoard reads", unit="setting"):
        values = f"run=lstm/{setting}/train&layer=lstm_{LAYERS}&quantity=output_gate"
        while True:
            answer = page.request.get(f"{route}?{values}")
            if answer.ok and answer.json()["training_steps"][-1] > TRAINING_STEPS - 50:
                break
            time.sleep(1)


def first_view(browser: Any, address: str, where: str) -> float:
    """Return the seconds from the opening of a page with an empty cache to charts in the tab."""
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    began = time.perf_counter()
    page.goto(address + where)
    frame = page.frame_locator("iframe") if where.startswith("#") else page
    frame.locator("[data-shown] .plot .main-svg").first.wait_for()
    frame.locator("[data-shown] .chart.whole .legend").wait_for()
    seconds = time.perf_counter() - began
    page.close()
    return seconds


def moves(browser: Any, address: str, count: int) -> list[float]:
    """Return the seconds that each of some moves of the cursor took."""
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.goto(address + TAB)
    page.locator("[data-shown] .chart.whole .legend").wait_for()
    slider = page.get_by_label("Training step").element_handle()
    places = np.random.default_rng(1).permutation(TRAINING_STEPS // 50)[:count]
    found = [page.evaluate(MOVE, [slider, int(place)]) for place in places]
    page.close()
    return found


def main(repeats: Annotated[int, typer.Option(help="how often the tab is opened")] = 7) -> None:
    """Measure the tab."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("There is no browser: install chromium.")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        logs = Path(temporary) / "logs"
        write_logs(logs)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        with serving(logs, Path(temporary) / "output.txt") as address:
            wait_for_all(browser.new_page(), address)
            rows = {
                "first view of the tab": [first_view(browser, address, TAB) for _ in range(repeats)],
                "first view, TensorBoard's own page included": [
                    first_view(browser, address, "#kerasunroll") for _ in range(repeats)
                ],
                "a move of the cursor": moves(browser, address, 10 * repeats),
            }
        browser.close()
    table = Table("", "median", "longest", "times", title="The tab in TensorBoard, seconds")
    for name, seconds in rows.items():
        table.add_row(name, f"{np.median(seconds):.3f}", f"{max(seconds):.3f}", str(len(seconds)))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
