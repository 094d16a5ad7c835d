"""Sweeps over T: what is fitted, what is said, what is drawn, on fixed records."""

import io
from dataclasses import replace

import pytest
from fixed_records import record, timing, variant
from rich.console import Console

from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.measurement.records.record import Outcome
from kerasunroll.report.page.pictures import write_growth_pictures
from kerasunroll.report.rows import comparison_rows
from kerasunroll.report.sweeps import Curve, find_sweeps
from kerasunroll.report.tables.growth import format_growth, growth_tables

LENGTHS = (50, 100, 400)
COLOURS = {"loop": "#0072b2", "full": "#d55e00"}


def swept(setting: str, timesteps: int, **options) -> Measured:
    """Return a variant: full takes three times the loop's tensors, and a graph, process and compile time in T."""
    of = variant(setting, timesteps=timesteps, **options)
    grows = timesteps if setting == "full" else 1
    figures = {
        "training_step_nodes": 500 * grows,
        "process_growth_bytes": 1_500_000 * grows,
        "build_seconds": 0.01 * grows,
        "trace_seconds": 0.02 * grows,
        "compile_seconds": 0.01 * grows,
    }
    memory = record(of, "memory", figures={"tensor_added_bytes": 1000 * timesteps**2 * (3 if setting == "full" else 1)})
    return Measured(of, timing(of, 0.001 * timesteps, figures), memory)


def sweep(measured) -> list:
    return find_sweeps(comparison_rows(measured))


EVERYTHING = [swept(setting, t) for t in LENGTHS for setting in ("loop", "full")]


def printed(sweeps, width=100) -> str:
    console = Console(file=io.StringIO(), width=width)
    for part in growth_tables(sweeps):
        console.print(part)
    return console.file.getvalue()


def test_what_a_time_step_more_adds_is_that_of_the_records():
    (found,) = sweep(EVERYTHING)
    assert (found.name, found.baseline, found.timesteps) == ("lstm-L1-U2", "loop", LENGTHS)
    added = {(curve.figure, curve.setting): curve.growth for curve in found.curves}
    assert {key: growth.per_time_step for key, growth in added.items() if key[0] != "tensor_added_bytes"} == (
        pytest.approx(
            {
                ("process_growth_bytes", "loop"): 0,
                ("process_growth_bytes", "full"): 1_500_000,
                ("ready_seconds", "loop"): 0,
                ("ready_seconds", "full"): 0.04,
                ("step_seconds", "loop"): 0.001,
                ("step_seconds", "full"): 0.001,
                ("training_step_nodes", "loop"): 0,
                ("training_step_nodes", "full"): 500,
            },
            abs=1e-9,
        )
    )
    assert {key[0]: growth.bends for key, growth in added.items() if growth.bends} == {"tensor_added_bytes": "up"}
    ready = next(curve for curve in found.of("ready_seconds") if curve.setting == "full")
    assert ready.values == pytest.approx((2, 4, 16))  # 0.04 s for each time step: build, trace and compile


def test_two_lengths_are_no_sweep():
    assert sweep(EVERYTHING[:4]) == []


def test_only_variants_that_are_equal_but_for_their_length_are_one_sweep():
    small = [swept("loop", t, batch_size=8) for t in LENGTHS]
    named = [swept("loop", t, name=f"mine-{t}", batch_size=16) for t in LENGTHS]
    found = sweep([*small[:2], *EVERYTHING, small[2], *named])
    assert [each.name for each in found] == ["lstm-L1-U2-B8", "lstm-L1-U2", "mine-50-B16"]
    assert [len(each.of("step_seconds")) for each in found] == [1, 2, 1]


def test_what_did_not_come_to_its_end_is_left_out_and_named():
    late = variant("full", timesteps=400)
    failed = Measured(late, record(late, outcome=Outcome.TIMEOUT, figures={"build_seconds": 0.1}))
    (found,) = sweep([*EVERYTHING[:5], failed])
    steps = {curve.setting: curve for curve in found.of("step_seconds")}
    assert steps["full"].timesteps == (50, 100)
    assert steps["full"].growth is None  # through two points goes every power law
    assert steps["loop"].growth.points == 3
    assert found.left_out == ("full at T=400 (timing: timeout)",)
    text = printed([found])
    assert "Left out: full at T=400 (timing: timeout)." in text
    assert "100 ms (T=100)" in text
    assert "At T=100, full takes 150.0 MB of process memory where the loop takes 1.5 MB: 100.00×." in text


def test_the_table_shows_what_a_time_step_adds_and_the_ends():
    text = printed(sweep(EVERYTHING), width=140)
    lines = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if line[:1] == "│"]
    assert lines[0][:2] == ["tensor memory, training step", "loop"]
    assert lines[0][3:] == ["–", "2.5 MB", "160.0 MB"]
    assert lines[0][2] == "450.0 kB on average, bends up"  # from 2.5 to 160 MB on 350 time steps
    assert lines[-2:] == [
        ["graph nodes, training step", "loop", "nothing to speak of", "500", "500", "500"],
        ["", "full", "500.0 (500.0 to 500.0)", "0", "25,000", "200,000"],
    ]
    assert "full, each time step more: 40.0 ms of compiling, 500.0 graph nodes, 1.5 MB of process memory, " in text, (
        text
    )
    assert "At T=400, full takes 600.0 MB of process memory where the loop takes 1.5 MB: 400.00×." in text
    assert "At T=400, full takes 480.0 MB of tensor memory where the loop takes 160.0 MB: 3.00×." in text
    assert "What bends up costs more for each time step the longer the sequence is" in text


@pytest.mark.parametrize(
    ("offset", "power", "shown"),
    [
        (0.0, 2.0, "bends up, as T^2.00 (2.00 to 2.00)"),
        (0.0, 0.5, "bends down, as T^0.50 (0.50 to 0.50)"),
        (50.0, 1.5, "bends up"),  # what is there at any T makes the exponent less than 1: it would contradict
    ],
)
def test_a_power_law_is_said_where_it_agrees_with_the_bend(offset, power, shown):
    lengths = (8, 16, 32, 64, 128)
    values = tuple(offset + 0.1 * t**power for t in lengths)
    assert format_growth(Curve("full", "step_seconds", lengths, values)).endswith(shown)


def test_what_cannot_be_told_from_no_growth_is_said_to_be_nothing():
    def of(*seconds: float) -> str:
        return format_growth(Curve("loop", "step_seconds", (25, 50, 100)[: len(seconds)], seconds))

    assert of(0.0101, 0.0099, 0.0101) == "nothing to speak of"
    assert of(0.020, 0.027, 0.034).startswith("about ")
    assert of(0.01, 0.02) == "–"


def test_a_process_that_did_not_grow_is_compared_with_none():
    nothing = [replace(row, figures=row.figures | {"process_growth_bytes": 0.0}) for row in comparison_rows(EVERYTHING)]
    (found,) = find_sweeps(nothing)
    assert [curve.growth.per_time_step for curve in found.of("process_growth_bytes")] == [0, 0]
    assert "process memory where" not in printed([found])


def test_each_sweep_has_its_picture(tmp_path):
    paths = write_growth_pictures(sweep(EVERYTHING), COLOURS, tmp_path)
    assert [path.name for path in paths] == ["lstm-L1-U2-over-T.png"]
    assert paths[0].read_bytes().startswith(b"\x89PNG")


def test_a_sweep_of_which_nothing_was_measured_yet_is_none():
    assert sweep([Measured(variant("loop", timesteps=t)) for t in LENGTHS]) == []


def test_a_sweep_that_has_just_begun_fits_nothing_yet(tmp_path):
    (found,) = sweep([*EVERYTHING[:3], *(Measured(each.variant) for each in EVERYTHING[3:])])
    assert [curve.growth for curve in found.curves] == [None] * 10
    assert found.left_out == ("loop at T=400 (not measured)", "full at T=100, 400 (not measured)")
    assert "At T=50, full takes 75.0 MB of process memory" in printed([found])
    assert len(write_growth_pictures([found], COLOURS, tmp_path)) == 1
