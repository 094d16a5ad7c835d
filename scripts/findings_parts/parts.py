"""All parts, in the order of the page; measuring them, and drawing the pages from what was kept."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from . import advice, concepts, deployment, gradients, kept, kernels, layers, time_and_memory, time_steps, who_unrolls
from .page import IMAGES, filled, from_the_top
from .runs import MINUTES, Run, carried_out

_MODULES: Final = (advice, time_steps, who_unrolls, layers, gradients, time_and_memory, deployment, concepts, kernels)
PARTS: Final = tuple(module.PART for module in _MODULES)
RUNS: Final[dict[str, Run]] = {run.name: run for part in PARTS for run in part.runs}
KEPT: Final = "data/findings"
DEPLOYMENT: Final = "data/deployment.tar.xz"


def chosen(names: Sequence[str]) -> list[Run]:
    """Return the runs of parts, or single runs, by their names; all without a name."""
    by_part = {name: (run,) for name, run in RUNS.items()} | {part.name: part.runs for part in PARTS if part.runs}
    if unknown := [name for name in names if name not in by_part]:
        sys.exit(f"There is no part {', '.join(unknown)}. Expected one of {', '.join(by_part)}.")
    return [run for run in RUNS.values() if not names or any(run in by_part[name] for name in names)]


def measure(names: Sequence[str], runs: Path, docs: Path, *, quick: bool) -> None:
    """Measure what is missing of some parts, and keep it in docs/data/findings; end where something is missing."""
    missing = [
        run.name
        for run in chosen(names)
        if not carried_out(run, runs / run.name, docs / KEPT / f"{run.name}.tar.xz", quick=quick)
    ]
    if missing:
        sys.exit(f"Not measured to the end: {', '.join(missing)}. The same command goes on where it was.")


def plan(*, quick: bool) -> str:
    """Return how long each run takes, by the package's own estimates."""
    lines = [f"{run.name:24} about {max(1, run.seconds(quick=quick) / 60):3.0f} min" for run in RUNS.values()]
    return "\n".join([*lines, f"Each stops after {MINUTES} minutes at the latest, and goes on when it is run again."])


def pages(docs: Path) -> list[Path]:
    """Return the pages that have marks."""
    return [docs / "findings.md", docs / "concepts.md", docs / "kernels.md", docs.parent / "README.md"]


def draw(docs: Path, images: Path) -> dict[Path, str]:
    """Return the pages, drawn from what was kept.

    Args:
        docs: Path. The folder of the pages.
        images: Path. Where pictures go.
    """
    blocks: dict[str, str] = {}
    images.mkdir(parents=True, exist_ok=True)
    with kept.unpacked(*sorted((docs / KEPT).glob("*.tar.xz"))) as runs:
        deployed: Iterable[Path] = [docs / DEPLOYMENT] if (docs / DEPLOYMENT).exists() else []
        with kept.unpacked(*deployed) as files:
            (runs / deployment.FOLDER).symlink_to(files)
            for part in PARTS:
                blocks |= part.blocks(runs, images)
    written = {}
    for page in pages(docs):
        if page.exists():
            ours = {name: from_the_top(text) for name, text in blocks.items()} if page.name == "README.md" else blocks
            written[page] = filled(page.read_text(encoding="utf-8"), ours)
    return written


def write(docs: Path) -> None:
    """Draw the pages and their pictures; pictures of older sections that no page shows any more are removed."""
    for page, text in draw(docs, docs / IMAGES).items():
        page.write_text(text, encoding="utf-8")
    shown = "".join(page.read_text(encoding="utf-8") for page in [*docs.rglob("*.md"), docs.parent / "README.md"])
    for image in (docs / IMAGES).glob("*.png"):
        if f"{IMAGES}/{image.name}" not in shown:
            image.unlink()


def check(docs: Path, images: Path) -> None:
    """End with a message if a page is not what was kept."""
    old = [page.name for page, text in draw(docs, images).items() if text != page.read_text(encoding="utf-8")]
    if old:
        sys.exit(f"Not what {docs / KEPT} gives: {', '.join(old)}. Run scripts/findings.py without --check.")
