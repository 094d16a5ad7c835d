"""Rows, tables, results and pictures of a comparison, on fixed records."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from kerasunroll.data import open_source
from kerasunroll.measurement.comparison import Measured
from kerasunroll.measurement.environment import environment
from kerasunroll.measurement.records import Outcome, Record
from kerasunroll.measurement.variant import Variant
from kerasunroll.report.pictures import write_gradient_pictures
from kerasunroll.report.results import write_results
from kerasunroll.report.rows import comparison_rows
from kerasunroll.report.table import comparison_tables
from kerasunroll.training.config import TrainingConfig

ENVIRONMENT = environment()


def measured(folder, setting="loop", figures=None, step_seconds=0.02, outcome=Outcome.DONE, name=None) -> Measured:
    options = {} if name is None else {"name": name}
    config = TrainingConfig.for_source(
        open_source("digits", timesteps=4), cell="lstm", units=(2,), unroll=setting == "full", **options
    )
    variant = Variant(config, folder / setting)
    done = {} if outcome is Outcome.DONE else {"cause": "it took too long", "phase": "compile"}
    rounds = [[step_seconds * drift] * 5 for drift in np.linspace(1.0, 2.0, 20)]
    timing = Record(
        configuration=variant.question("timing"),
        variant=setting,
        outcome=outcome,
        figures={"parameters": 1234, "step_seconds": step_seconds, **(figures or {})},
        samples={"step_seconds": rounds},
        path="while" if setting == "loop" else "unrolled",
        environment=ENVIRONMENT,
        **done,
    )
    training = Record(
        configuration=variant.question("training"),
        variant=setting,
        outcome=Outcome.DONE,
        figures={"final_loss": 0.5, "final_val_accuracy": 0.914, "tensor_peak_bytes": 12_900_000},
        environment=ENVIRONMENT,
    )
    return Measured(variant, timing, training)


def outputs(folder, before, after) -> None:
    folder.mkdir(parents=True)
    np.savez(folder / "outputs.npz", before=np.array(before, "float32"), after=np.array(after, "float32"))


def printed(rows, width=100) -> str:
    console = Console(file=io.StringIO(), width=width)
    for table in comparison_tables(rows):
        console.print(table)
    return console.file.getvalue()


def test_differences_to_the_loop_are_the_largest_of_all_outputs(tmp_path):
    outputs(tmp_path / "loop", [[1.0, 2.0]], [[1.0, 2.0]])
    outputs(tmp_path / "full", [[1.0, 2.0]], [[1.5, 1.25]])
    loop, full = comparison_rows([measured(tmp_path), measured(tmp_path, "full")])
    assert full.figures["largest_difference_before"] == 0
    assert full.figures["largest_difference_after"] == 0.75
    assert "largest_difference_after" not in loop.figures


@pytest.mark.parametrize(("seconds", "verdict"), [(0.01, "faster"), (0.02, "no difference"), (0.04, "slower")])
def test_times_are_compared_within_rounds(tmp_path, seconds, verdict):
    loop, full = comparison_rows([measured(tmp_path), measured(tmp_path, "full", step_seconds=seconds)])
    assert loop.against_loop is None
    assert full.against_loop.ratio == pytest.approx(seconds / 0.02)
    assert full.against_loop.verdict == verdict


def test_the_table_says_what_was_measured(tmp_path):
    rows = comparison_rows([measured(tmp_path), measured(tmp_path, "full", {"trace_seconds": 1.2}, 0.01)])
    lines = {line.split("│")[1].strip(): line.split("│")[2:4] for line in printed(rows).splitlines() if "│" in line}
    cells = {name: [cell.strip() for cell in values] for name, values in lines.items()}
    assert cells["path"] == ["while", "unrolled"]
    assert cells["parameters"] == ["1,234", "1,234"]
    assert cells["trace"] == ["–", "1.20 s"]
    assert cells["training step"] == ["20.0 ms", "10.0 ms"]
    assert cells["tensor peak"] == ["12.9 MB", "12.9 MB"]
    assert cells["final validation accuracy"] == ["91.4%", "91.4%"]
    assert cells["… against the loop"][1].startswith("0.50×")
    assert "compile" not in cells  # nobody measured it


def test_a_failed_measurement_is_a_problem_of_its_row(tmp_path):
    (row,) = comparison_rows([measured(tmp_path, outcome=Outcome.TIMEOUT)])
    assert row.problems == ("timing: timeout in phase compile: it took too long",)


def test_results_can_be_read_by_a_program(tmp_path):
    everything = [measured(tmp_path), measured(tmp_path, "full", step_seconds=0.01)]
    path = write_results(comparison_rows(everything), everything, tmp_path)
    content = json.loads(path.read_text())
    loop, full = content["variants"]
    assert [loop["setting"], full["setting"]] == ["loop", "full"]
    assert full["figures"]["tensor_peak_bytes"] == 12_900_000
    assert full["against_loop"]["verdict"] == "faster"
    assert full["configuration"]["stack"]["unroll"] is True
    assert content["environment"]["cpu"] == ENVIRONMENT.cpu


def test_without_a_trained_variant_there_is_no_picture(tmp_path):
    assert write_gradient_pictures([measured(tmp_path)], tmp_path) == []
