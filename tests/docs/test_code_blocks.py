"""The Python in the documentation runs: each page's blocks one after the other, as a reader would paste them."""

import functools
import sys
import warnings
from pathlib import Path

import pytest
from pages import NAMES, PAGES, ROOT, fences

sys.path.insert(0, str(ROOT / "tests" / "report"))
from fixed_run import write_run

from kerasunroll.errors import KerasunrollWarning

SHOWN = {name: blocks for name, page in zip(NAMES, PAGES, strict=True) if (blocks := fences(page, "python"))}
SLOW = {"docs/how-to/training-script.md"}
"""Trains with everything logged several times over, as the README's block does already."""

SMALL = {"epochs": 1, "steps_per_epoch": 2, "validation_steps": 1}


@pytest.fixture
def small(monkeypatch):
    """Train two training steps whatever a page says, on short sequences where it does not say how long."""
    import keras

    import kerasunroll
    from kerasunroll.data import open_source

    fit = keras.Model.fit

    @functools.wraps(fit)
    def short_fit(self, *arguments, **options):
        limits = SMALL if options.get("validation_data") is not None else SMALL | {"validation_steps": None}
        return fit(self, *arguments, **options | limits)

    def short_source(spec, *, timesteps=None, **options):
        return open_source(spec, timesteps=timesteps or 8, **options)

    monkeypatch.setattr(keras.Model, "fit", short_fit)
    monkeypatch.setattr(kerasunroll, "open_source", short_source, raising=False)


@pytest.mark.parametrize(
    "page", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in SHOWN]
)
@pytest.mark.usefixtures("small")
def test_every_block_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(Path("logs", "compare"), settings=("loop", "full"))  # what `kerasunroll compare` would have left
    names = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", KerasunrollWarning)  # a page may show a gradient that fades
        for number, block in enumerate(SHOWN[page]):
            exec(compile(block, f"{page}, block {number + 1}", "exec"), names)  # noqa: S102
