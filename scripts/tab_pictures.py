"""Draw the pictures of the tab in TensorBoard again, from a comparison of your own; needs Chromium.

kerasunroll compare && python scripts/tab_pictures.py logs docs/images
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Annotated

import typer
from playwright.sync_api import sync_playwright


def main(
    logdir: Annotated[Path, typer.Argument(help="folder that TensorBoard is opened on")],
    output: Annotated[Path, typer.Argument(help="folder that the pictures are written into")],
) -> None:
    """Take a picture of two views."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir), "--host", "127.0.0.1", "--port", "0"]
    with tempfile.TemporaryFile("w+") as log, sync_playwright() as playwright:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        try:
            page.goto(f"{_address(log)}#kerasunroll")
            tab = page.frame_locator("iframe")
            for name, ready in (("Overview", "table"), ("Gradients", ".chart.whole .legend")):
                tab.get_by_role("tab", name=name).click()
                tab.locator(ready).first.wait_for()
                page.wait_for_timeout(1500)  # charts settle
                page.screenshot(path=output / f"tab-{name.lower()}.png")
        finally:
            browser.close()
            process.terminate()
            process.wait(10)


def _address(log: IO[str]) -> str:
    """Return where TensorBoard serves, when it does and has had the time to read."""
    for _ in range(300):
        log.seek(0)
        if found := re.search(r"http://127\.0\.0\.1:\d+/", log.read()):
            time.sleep(8)
            return found[0]
        time.sleep(0.2)
    raise SystemExit("TensorBoard did not start.")


if __name__ == "__main__":
    typer.run(main)
