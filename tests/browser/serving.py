"""A TensorBoard that serves a folder, asked over HTTP."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")

SECONDS = 60
"""A slow machine may take that long to show something."""


@contextmanager
def serving(logs: Path, output: Path, *options: str) -> Iterator[str]:
    """Run TensorBoard on a folder; yield its address."""
    with output.open("wb") as file:
        command = ["-m", "tensorboard.main", "--logdir", str(logs), "--host", "127.0.0.1", "--port", "0", *options]
        process = subprocess.Popen([sys.executable, *command], stdout=file, stderr=subprocess.STDOUT)

    def address() -> str | None:
        assert process.poll() is None, output.read_text()
        found = re.search(r"http://127\.0\.0\.1:\d+/", output.read_text())
        return found and found[0]

    try:
        yield eventually(address)
    finally:
        process.terminate()
        process.wait(10)


def answer(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=SECONDS) as response:  # noqa: S310
        return json.load(response)


def eventually(ask: Callable[[], Result]) -> Result:
    """Return the first answer that is true."""
    end = time.monotonic() + SECONDS
    while not (found := ask()):
        assert time.monotonic() < end, f"{ask.__name__}: not within {SECONDS} seconds"
        time.sleep(0.1)
    return found
