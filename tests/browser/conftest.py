"""TensorBoard on a small comparison, and a page of a real Chromium looking at it."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
sys.path.insert(0, str(Path(__file__).parent))
from fixed_run import write_run
from serving import SECONDS, answer, eventually, serving

TIMESTEPS, FEATURES, CLASSES = 6, 2, 3
COMPARISON = "comparison"
"""The folder of a comparison of three settings at three T, whose figures nobody measured."""

QUIET_BROWSER = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="session")
def browser() -> Iterator:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[test]'")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip(f"There is no browser to look at TensorBoard with: none of {', '.join(names)} is on the PATH.")
    sync_api.expect.set_options(timeout=SECONDS * 1000)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET_BROWSER)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def logs(browser, tmp_path_factory) -> Path:
    """The event files of loop and full, trained alike on the same batches, and of a comparison.

    (Only made where there is a browser.)
    """
    import keras
    import numpy as np

    from kerasunroll import Classification, comparison_callbacks, lstm_stack, variants
    from kerasunroll.callbacks import GradientFlowLogger
    from kerasunroll.report.run import Run
    from kerasunroll.report.tensorboard import write_tensorboard
    from kerasunroll.report.verdict.verdict import verdicts

    folder = tmp_path_factory.mktemp("logs")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, TIMESTEPS, FEATURES)).astype("float32")
    y = rng.integers(CLASSES, size=64)
    shape = (TIMESTEPS, FEATURES)
    models = variants(
        lstm_stack, ["loop", "full"], input_shape=shape, units=(4, 3), head=Classification(CLASSES), seed=1
    )
    for setting, model in models.items():
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        callbacks = [
            *comparison_callbacks(folder / setting, update_freq=1, gradient_flow=False, states_of=x[:1]),
            GradientFlowLogger(folder / setting, update_freq=4),
        ]
        model.fit(x, y, batch_size=8, epochs=3, shuffle=False, validation_data=(x, y), verbose=0, callbacks=callbacks)
    run = Run.load(write_run(folder / COMPARISON, timesteps=(25, 50, 100)))
    write_tensorboard(run.rows, run.measured, verdicts(run.rows), run.folder)
    return folder


@pytest.fixture(scope="session")
def tensorboard(logs, tmp_path_factory) -> Iterator[str]:
    """The address of a TensorBoard that has read all runs."""
    with serving(logs, tmp_path_factory.mktemp("tensorboard") / "output.txt") as url:

        def has_read_all_runs() -> bool:
            return set(answer(url + "data/runs")) == {
                str(file.parent.relative_to(logs)) for file in logs.rglob("*tfevents*")
            }

        eventually(has_read_all_runs)
        yield url


@pytest.fixture
def page(browser, tmp_path) -> Iterator:
    """A page of its own for each test; what it showed last is kept in `tmp_path`."""
    page = browser.new_page(viewport={"width": 2000, "height": 1400})
    page.set_default_timeout(SECONDS * 1000)
    yield page
    page.screenshot(path=tmp_path / "last_seen.png")
    page.close()
