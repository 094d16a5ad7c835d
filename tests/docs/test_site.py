"""The documentation as a site."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT

EXTERNAL = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^"'> ]+""")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built site; that it builds without a warning is the first test."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    # Not a warning about these pages, but an announcement of MkDocs Material. The notebook takes two minutes to be run:
    # `make docs` does it.
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1", "EXECUTE_NOTEBOOKS": "false"}
    done = subprocess.run(build, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr  # --strict: nor was there a warning
    return folder


def test_the_pages_ask_no_network_for_anything(site):
    pages = list(site.rglob("*.html"))
    assert pages
    assert [found[0] for page in pages if (found := EXTERNAL.search(page.read_text(encoding="utf-8")))] == []


def test_the_reference_has_docstrings_with_their_arguments_and_examples(site):
    page = (site / "api" / "models.html").read_text(encoding="utf-8")
    for name in ("variants", "with_unroll", "lstm_stack"):
        assert f'id="kerasunroll.models.{name}"' in page
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))
    assert "Build one network in several settings, with identical weights." in text
    assert "Parameters: source" in text
    assert "Examples: &gt;&gt;&gt; models = variants(" in text
