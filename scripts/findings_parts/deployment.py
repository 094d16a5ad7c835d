"""Part 6: does unrolling pay on a device? From what scripts/deployment_tables.py has kept."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from kerasunroll.deployment.plan import PLAN_FILE
from kerasunroll.deployment.result import Deployment
from kerasunroll.deployment.rows import Row
from kerasunroll.display.colours import setting_colours
from kerasunroll.measurement.statistics.rounds import TimeRatio
from kerasunroll.units import format_bytes, format_ratio

from .claims import CELLS, WIDE_NOTE, told, where_measured
from .page import markdown_table, paragraphs, picture
from .runs import Part

FOLDER: Final = "deployment"
"""Where its runs are unpacked, below those of the other parts."""

FORM: Final = "fixed"
LOOP: Final = "loop"

Shapes = Mapping[tuple[str, int], Mapping[str, Row]]
"""By cell and T, the float32 files with a fixed batch of one sequence, by setting."""


def shapes(runs: Path) -> Shapes:
    """Return the files of all stacks that were deployed, short sequences first."""
    found = {}
    for path in runs.glob(f"{FOLDER}/*-T*/{PLAN_FILE}"):
        cell, _, length = path.parent.name.partition("-T")
        rows = {
            row.contender.setting: row
            for row in Deployment.load(path.parent).rows
            if row.is_made and row.contender.form == FORM and row.contender.quantization == "none"
        }
        if LOOP in rows and len(rows) > 1:
            found[cell, int(length)] = rows
    return dict(sorted(found.items(), key=lambda each: (list(CELLS).index(each[0][0]), each[0][1])))


def blocks(runs: Path, images: Path) -> dict[str, str]:
    """Return the section of the page."""
    found = shapes(runs)
    if not found:
        return {}
    _draw(found).savefig(images / "deployment.png")
    newest = max((row.record for rows in found.values() for row in rows.values()), key=lambda each: each.created)
    section = paragraphs(
        "## Does unrolling pay on a device?",
        " ".join(_sentences(found)),
        picture(
            "Time of one inference over that of the loop's file, and the size of the file, over T", "deployment.png"
        ),
        markdown_table(("cell", "T", "setting", "size", "one inference, over the loop's"), _lines(found)),
        WIDE_NOTE,
        where_measured(newest.environment, newest.created),
        "[Ship a model](deployment.md) has all files, quantised ones too, and how they were made.",
    )
    return {"part: deployment": section}


def _sentences(found: Shapes) -> Iterator[str]:
    """Compare the unrolled file with the loop's, at the longest sequence of each cell."""
    for (cell, length), rows in {shape[0]: (shape, each) for shape, each in found.items()}.values():
        full, size = rows.get("full"), rows[LOOP].figure("file_bytes")
        if full is None or full.ratio is None or not size:
            continue
        larger = (full.figure("file_bytes") or 0) / size
        yield (
            f"At T={length}, the file of a fully unrolled {CELLS[cell]} takes {_ratio(full.ratio)} of the time of the "
            f"loop's for one inference, and is {larger:.1f} times as large."
        )


def _ratio(found: TimeRatio) -> str:
    return told(f"{format_ratio(found.ratio)} ({found.low:.2f} to {found.high:.2f})", found.ratio, found)


def _lines(found: Shapes) -> Iterator[list[str]]:
    for (cell, length), rows in found.items():
        for setting, row in rows.items():
            ratio = _ratio(row.ratio) if row.ratio else "–"
            yield [CELLS[cell], str(length), f"`{setting}`", format_bytes(row.figure("file_bytes")), ratio]


def _draw(found: Shapes) -> Figure:
    cells = list(dict.fromkeys(cell for cell, _ in found))
    colours = setting_colours(setting for rows in found.values() for setting in rows)
    figure = Figure(figsize=(1 + 2.9 * len(cells), 5.0), dpi=100, layout="constrained")
    grid = figure.subplots(2, len(cells), squeeze=False, sharex=True, sharey="row")
    for (speed, size), cell in zip(grid.T, cells, strict=True):
        of_cell = {length: rows for (name, length), rows in found.items() if name == cell}
        for setting, colour in colours.items():
            rows = {length: each[setting] for length, each in of_cell.items() if setting in each}
            timed = {length: row.ratio for length, row in rows.items() if row.ratio}
            ends = [
                [each.ratio - each.low for each in timed.values()],
                [each.high - each.ratio for each in timed.values()],
            ]
            if timed:
                ratios = [each.ratio for each in timed.values()]
                speed.errorbar(list(timed), ratios, ends, color=colour, marker="o", capsize=3, label=setting)
            sizes = [(row.figure("file_bytes") or 0) / 1e3 for row in rows.values()]
            size.plot(list(rows), sizes, color=colour, marker="o", label=setting)
        speed.axhline(1, color=colours[LOOP], label=LOOP)
        speed.set_yscale("log", base=2)
        speed.yaxis.set_major_formatter(FuncFormatter(lambda ratio, _: f"{ratio:g}×"))
        speed.set_title(f"{CELLS[cell]}: one inference, over the loop's", fontsize=9, loc="left")
        size.set_title("size of the file, kB", fontsize=9, loc="left")
        size.set_xlabel("time steps T")
        for axes in (speed, size):
            axes.set_xscale("log")
            axes.set_xticks(list(of_cell), [str(length) for length in of_cell])
            axes.set_xticks([], minor=True)
            axes.grid(alpha=0.3)
            axes.legend(fontsize=8)
    grid[1][0].set_ylim(bottom=0)  # of the whole row, when all of it has been drawn
    return figure


PART: Final = Part("deployment", (), blocks)
