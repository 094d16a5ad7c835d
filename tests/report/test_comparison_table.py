"""The tables of a comparison as they are printed."""

import io
from dataclasses import replace

import numpy as np
import pytest
from fixed_records import failed, measured, rounds, variant
from rich.console import Console

from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.report.rows import comparison_rows
from kerasunroll.report.tables.comparison import comparison_tables, timing_line


def printed(rows, width=100) -> str:
    console = Console(file=io.StringIO(), width=width)
    for part in comparison_tables(rows):
        console.print(part)
    return console.file.getvalue()


def cells(text: str) -> dict[str, list[str]]:
    """Return the cells of each line, those of a second table appended."""
    found: dict[str, list[str]] = {}
    for line in text.replace("┃", "│").splitlines():
        if line.startswith("│"):
            name, *values = (cell.strip() for cell in line.strip("│").split("│"))
            found.setdefault(name, []).extend(values)
    return found


def settings(count: int) -> list:
    """Return rows of as many settings, with everything that makes a column wide."""
    everything = measured(
        "full",
        0.012,
        figures={"process_peak_bytes": 987_654_321, "xla_compile_seconds": 601},
        samples={"predict_seconds": rounds(0.3)},
        path="unrolled+xla",
    )
    _, row = comparison_rows([measured(samples={"predict_seconds": rounds(0.2)}), everything])
    others = [replace(row, setting=f"k{2**power}") for power in range(1, count)]
    return [replace(row, setting="loop", baseline=None, comparisons={}), *others]


def test_the_table_says_what_was_measured():
    full = measured("full", 0.01, figures={"trace_seconds": 1.2, "tensor_alive_bytes": 300, "new_bytes": 4000})
    lines = cells(printed(comparison_rows([measured(), full])))
    assert lines["path"] == ["while", "unrolled"]
    assert lines["parameters"] == ["1,234", "1,234"]
    assert lines["trace"] == ["–", "1.20 s"]
    assert lines["training step"] == ["20.0 ms", "10.0 ms"]
    assert lines["… against loop"] == ["–", "0.50×"]
    assert lines["tensor peak, training step"] == ["12.9 MB", "12.9 MB"]
    assert lines["… alive before"] == ["–", "300 Bytes"]
    assert lines["final validation accuracy"] == ["91.4%", "91.4%"]
    assert lines["new bytes"] == ["–", "4.0 kB"]  # a figure that is not known here is shown nevertheless
    assert "compile" not in lines  # nobody measured it
    assert "outcome" not in lines  # all went well


def test_every_comparison_has_ratio_interval_and_verdict():
    loop = measured(figures={"forward_seconds": 0.01}, samples={"forward_seconds": rounds(0.01)})
    full = measured("full", 0.01, figures={"forward_seconds": 0.03}, samples={"forward_seconds": rounds(0.03)})
    lines = [line.split("│")[3].strip() for line in printed(comparison_rows([loop, full])).splitlines() if "│" in line]
    # The times are exactly proportional: what is left is the spread between processes, 1.96 * sqrt(2) * 0.015.
    step, forward = (lines.index(ratio) for ratio in ("0.50×", "3.00×"))
    assert lines[step : step + 3] == ["0.50×", "0.48 to 0.52", "faster"]
    assert lines[forward : forward + 3] == ["3.00×", "2.88 to 3.12", "slower"]


def test_what_failed_shows_its_outcome():
    of = variant("full")
    text = printed(comparison_rows([measured(), Measured(of, failed(of))]))
    assert cells(text)["outcome"] == ["done", "timing: timeout"]
    assert cells(printed(comparison_rows([measured(), Measured(of)])))["outcome"] == ["done", "not measured"]


def test_unsteady_numbers_bear_a_mark_that_is_explained_below():
    slower = {"step_seconds": rounds(0.02, drift=np.linspace(1, 2, 12))}
    faster = {
        "step_seconds": rounds(0.02, drift=np.linspace(2, 1, 12)),
        "forward_seconds": [process[:4] for process in rounds(0.1)],
    }
    rows = comparison_rows(
        [measured(samples=slower), measured("full", samples=faster, figures={"forward_seconds": 0.1})]
    )
    text = printed(rows, width=300)
    assert cells(text)["training step"] == ["20.0 ms [1]", "20.0 ms [1]"]
    assert cells(text)["… against loop"][1].endswith(" [2]")
    assert cells(text)["forward pass"] == ["–", "100 ms [3]"]
    notes = [line.strip() for line in text.splitlines() if line.startswith("[")]
    assert notes[0] == (
        "[1] the speed changed from the first third of the rounds to the last (training step: loop 1.64× slower, "
        "full 1.64× faster). Let the machine come to rest (heat, power saving), then measure again."
    )
    assert notes[1].startswith("[2] the ratio is less certain than the 3% that were aimed for (training step: full ")
    assert notes[2] == "[3] fewer than 10 rounds were measured (forward pass: full 4). Allow more time."
    assert len(notes) == 3


@pytest.mark.parametrize(
    ("stopped_by", "line"),
    [
        (
            "width",
            "after 20: what they leave open is narrow enough (±3%). The rest of an interval is what processes "
            "differ by.",
        ),
        ("budget", "after 20: the time budget was spent."),
        (
            "rounds",
            "after 20, the most allowed: not every interval became as narrow as was aimed for (±3%).",
        ),
    ],
)
def test_it_says_what_ended_the_rounds(stopped_by, line):
    rows = comparison_rows([measured(stopped_by=stopped_by), measured("full", stopped_by=stopped_by)])
    assert f"Rounds of training steps ended {line}" in printed(rows, width=250).splitlines()


def test_it_says_what_was_not_timed_in_turns():
    text = printed(comparison_rows([measured(), measured("full", session="two")]), width=200)
    assert "Not compared with loop: full." in text
    assert "… against" not in text


def test_a_single_variant_is_compared_with_nothing():
    text = printed(comparison_rows([measured()]))
    assert cells(text)["training step"] == ["20.0 ms"]
    assert "against" not in text
    assert "Rounds of training steps ended after 20." in text


@pytest.mark.parametrize("count", [2, 3, 6, 8])
@pytest.mark.parametrize("width", [80, 100, 200])
def test_however_many_settings_nothing_is_cut_and_the_loop_is_beside_each(count, width):
    text = printed(settings(count), width)
    lines = cells(text)
    headers = [
        [cell.strip() for cell in line.strip("┃").split("┃")[1:]] for line in text.splitlines() if line.startswith("┃")
    ]
    assert all(header[0] == "loop" for header in headers)
    assert [setting for header in headers for setting in header[1:]] == [f"k{2**power}" for power in range(1, count)]
    assert lines["path"] == ["unrolled+xla"] * (count - 1 + len(headers))
    assert lines["process peak"] == ["987.7 MB"] * (count - 1 + len(headers))
    assert text.count("0.58 to 0.62") == count - 1  # 0.6 * exp(±1.96 * sqrt(2) * 0.015)
    assert max(map(len, text.splitlines())) <= width


def test_a_narrow_terminal_folds_words_and_loses_none():
    text = printed(settings(2), width=40)
    assert max(map(len, text.splitlines())) <= 40
    assert "…" not in text.replace("… ", "")


def test_brackets_in_names_are_no_markup():
    (row,) = comparison_rows([measured()])
    rows = [replace(row, group="probe [bold]x[/bold]", setting="[red]", outcome="timing: [/red]", path="[x]")]
    text = printed(rows)
    for name in ("probe [bold]x[/bold]", "[red]", "[/red]", "[x]"):
        assert name in text


def test_the_news_of_a_variant_is_one_line():
    of = variant("full")
    loop, full = comparison_rows([measured(), measured("full", 0.012)])
    assert timing_line(loop).plain == "lstm-L1-U2-T4 loop: 20.0 ms a training step"
    assert timing_line(full).plain == (
        "lstm-L1-U2-T4 full: 12.0 ms a training step, 0.60× the loop's (0.58 to 0.62): faster"
    )
    (late,) = comparison_rows([Measured(of, failed(of))])
    assert timing_line(late).plain == ("lstm-L1-U2-T4 full: timing: timeout in phase compile: it took too long")
