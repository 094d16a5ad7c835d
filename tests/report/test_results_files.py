"""The files for programs to read, on fixed records."""

import json

import numpy as np
import pandas as pd
from fixed_records import ENVIRONMENT, measured, record, rounds, training, variant

from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.measurement.records.record import Outcome
from kerasunroll.report.results import write_records, write_results
from kerasunroll.report.rows import comparison_rows


def results(everything, folder) -> dict:
    path = write_results(comparison_rows(everything), everything, folder)
    return json.loads(path.read_text(), parse_constant=lambda word: f"{word} is no JSON")


def test_everything_can_be_read_by_a_program(tmp_path):
    slower = rounds(0.01, drift=np.linspace(1, 2, 20))
    content = results(
        [
            measured(samples={"forward_seconds": rounds(0.01)}),
            measured("full", 0.01, samples={"forward_seconds": slower}, operations={"MatMul": 12}),
        ],
        tmp_path,
    )
    loop, full = content["variants"]
    assert [loop["setting"], full["setting"]] == ["loop", "full"]
    assert [loop["baseline"], full["baseline"]] == [None, "loop"]
    assert full["figures"]["tensor_peak_bytes"] == 12_900_000
    assert full["against_loop"]["verdict"] == "faster"
    assert full["forward_against_loop"]["rounds"] == 20
    assert full["predict_against_loop"] is None
    assert {mark["figure"] for mark in full["marks"]} == {"forward_seconds"}
    assert full["marks"][0]["reason"] == "the speed changed from the first third of the rounds to the last"
    assert (full["rounds"], full["stopped_by"]) == (20, "width")
    assert full["operations"] == {"MatMul": 12}
    assert full["configuration"]["stack"]["unroll"] is True
    assert content["environment"]["cpu"] == ENVIRONMENT.cpu
    assert content["growth"] == []


def test_growth_over_lengths_is_among_the_results(tmp_path):
    of = [variant(timesteps=t) for t in (50, 100, 400)]
    everything = [
        Measured(each, memory=record(each, "memory", figures={"tensor_added_bytes": 10 * each.config.timesteps}))
        for each in of
    ]
    (growth,) = results(everything, tmp_path)["growth"]
    (curve,) = growth["curves"]
    assert curve["values"] == [500, 1000, 4000]
    assert round(curve["growth"]["per_time_step"], 9) == 10


def test_a_partial_run_gives_valid_results(tmp_path):
    of = variant("full")
    content = results([Measured(variant()), Measured(of, training=training(of))], tmp_path)
    assert content["environment"]["cpu"] == ENVIRONMENT.cpu
    assert content["variants"][1]["figures"]["final_loss"] == 0.5
    assert content["variants"][0]["problems"] == ["timing: not measured yet"]
    assert results([Measured(variant())], tmp_path)["environment"] is None


def test_a_loss_that_is_no_number_is_written_as_a_word(tmp_path):
    of = variant()
    diverged = training(of, figures={"final_loss": float("nan")}, outcome=Outcome.DIVERGED)
    (loop,) = results([Measured(of, training=diverged)], tmp_path)["variants"]
    assert loop["figures"] == {"final_loss": "NaN"}


def test_all_records_are_lines_of_a_table(tmp_path):
    of = variant("full")
    path = write_records([measured(), Measured(of, training=training(of))], tmp_path)
    frame = pd.read_csv(path)
    assert frame["variant"].tolist() == ["loop", "loop", "full"]
    assert frame["configuration.measurement"].tolist() == ["timing", "training", "training"]
    assert frame["step_seconds"].tolist()[0] == 0.02
