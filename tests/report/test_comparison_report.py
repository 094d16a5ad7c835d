"""Rows and pictures of a comparison, on fixed records."""

import numpy as np
import pytest
from fixed_records import ENVIRONMENT, measured, record, rounds, timing, training, variant

from kerasunroll.errors import InputError
from kerasunroll.measurement.planning.findings import Measured
from kerasunroll.measurement.records.record import Outcome
from kerasunroll.report.page.pictures import write_gradient_pictures
from kerasunroll.report.rows import comparison_rows


def outputs(folder, before, after) -> None:
    folder.mkdir(parents=True)
    np.savez(folder / "outputs.npz", before=np.array(before, "float32"), after=np.array(after, "float32"))


@pytest.mark.parametrize("kind", ["training", "memory"])
def test_differences_to_the_loop_are_the_largest_of_all_outputs(tmp_path, kind):
    outputs(tmp_path / "loop", [[1.0, 2.0]], [[1.0, 2.0]])
    outputs(tmp_path / "full", [[1.0, 2.0]], [[1.5, 1.25]])
    both = [variant(setting, tmp_path) for setting in ("loop", "full")]
    loop, full = comparison_rows([Measured(of, **{kind: record(of, kind)}) for of in both])
    assert full.figures["largest_difference_before"] == 0
    assert full.figures["largest_difference_after"] == 0.75
    assert "largest_difference_after" not in loop.figures


def test_half_written_outputs_are_not_looked_at(tmp_path):
    both = [variant(setting, tmp_path) for setting in ("loop", "full")]
    for of in both:
        outputs(of.folder, [[1.0]], [[1.0]])
    endings = (Outcome.DONE, Outcome.INTERRUPTED)
    _, full = comparison_rows(
        [Measured(of, training=training(of, outcome=ended)) for of, ended in zip(both, endings, strict=True)]
    )
    assert "largest_difference_before" not in full.figures


@pytest.mark.parametrize(("seconds", "verdict"), [(0.01, "faster"), (0.02, "no difference"), (0.04, "slower")])
def test_times_are_compared_within_rounds(seconds, verdict):
    loop, full = comparison_rows([measured(), measured("full", step_seconds=seconds)])
    assert loop.against_loop is None
    assert full.against_loop.ratio == pytest.approx(seconds / 0.02, rel=2e-3)
    assert full.against_loop.verdict == verdict


def test_forward_pass_and_predict_are_compared_as_well():
    loop = measured(samples={"forward_seconds": rounds(0.01), "predict_seconds": rounds(0.3)})
    full = measured("full", samples={"forward_seconds": rounds(0.005), "predict_seconds": rounds(0.6)})
    _, row = comparison_rows([loop, full])
    assert row.forward_against_loop.ratio == pytest.approx(0.5, rel=2e-3)
    assert row.predict_against_loop.ratio == pytest.approx(2, rel=2e-3)
    assert row.predict_against_loop.verdict == "slower"


@pytest.mark.parametrize("sessions", [("one", "two"), (None, None), ("one", None)])
def test_rounds_that_were_not_taken_in_turns_are_not_compared(sessions):
    loop, full = (measured(setting, session=each) for setting, each in zip(("loop", "full"), sessions, strict=True))
    _, row = comparison_rows([loop, full])
    assert row.against_loop is None
    assert row.figures["step_seconds"] == 0.02


def test_the_rounds_of_a_worker_that_died_early_are_compared_with_as_many():
    full = measured(
        "full",
        samples={"step_seconds": [process[:12] for process in rounds(0.01)]},
        outcome=Outcome.CRASHED,
        cause="gone",
    )
    _, row = comparison_rows([measured(), full])
    assert row.against_loop.rounds == 12
    assert row.against_loop.ratio == pytest.approx(0.5, rel=2e-3)


def test_the_first_setting_is_the_baseline_where_there_is_no_loop():
    first, second = comparison_rows([measured("full"), Measured(variant("full"), timing(variant("full"), 0.01))])
    assert (first.baseline, second.baseline) == (None, "full")


def test_memory_counted_in_a_pass_of_its_own_counts():
    of = variant()
    memory = record(of, "memory", figures={"tensor_peak_bytes": 7})
    (row,) = comparison_rows([Measured(of, timing(of), memory, training(of))])
    assert row.figures["tensor_peak_bytes"] == 7
    (row,) = comparison_rows([Measured(of, timing(of), training=training(of))])
    assert row.figures["tensor_peak_bytes"] == 12_900_000


def test_whatever_ended_otherwise_is_a_problem_of_its_row():
    of = variant("full")
    everything = Measured(
        of,
        timing(of, outcome=Outcome.TIMEOUT),
        record(of, "memory", Outcome.INTERRUPTED, cause="the coordinator ended it", phase=None),
        training(of, outcome=Outcome.DIVERGED, phase="fit", cause="the loss became NaN in epoch 2"),
    )
    (row,) = comparison_rows([everything])
    assert row.outcome == "timing: timeout, memory: interrupted, training: diverged"
    assert row.problems == (
        "timing: timeout in phase compile: it took too long",
        "memory: interrupted: the coordinator ended it",
        "training: diverged in phase fit: the loss became NaN in epoch 2",
    )


def test_what_was_not_measured_yet_is_a_row_too():
    loop, full = comparison_rows([measured(), Measured(variant("full"))])
    assert (loop.outcome, loop.problems) == ("done", ())
    assert (full.outcome, full.problems) == ("not measured", ("timing: not measured yet",))
    assert (full.figures, full.against_loop, full.path, full.rounds) == ({}, None, None, 0)


def test_unsteady_times_are_marked():
    unsteady = rounds(0.02, drift=np.linspace(1, 2, 12))
    (row,) = comparison_rows([measured(samples={"predict_seconds": unsteady})])
    ((figure, (mark,)),) = row.marks.items()
    assert figure == "predict_seconds"
    assert mark.reason == "the speed changed from the first third of the rounds to the last"
    assert mark.seen == "1.64× slower"


def test_a_ratio_is_marked_by_the_width_that_was_aimed_for():
    noise = np.random.default_rng(1).normal(0, 0.02, 20)
    noisy = [[[0.02 * np.exp(each)] * 5 for each in noise]] * 2
    both = [
        measured(samples={"predict_seconds": noisy}),
        measured("full", samples={"step_seconds": noisy, "predict_seconds": [process[::-1] for process in noisy]}),
    ]
    _, wide = comparison_rows(both, half_width=0.001)
    _, narrow = comparison_rows(both, half_width=0.1)
    assert [mark.concerns for mark in wide.marks["step_seconds"]] == ["ratio"]
    assert "predict_seconds" not in wide.marks  # of which there are as few rounds as possible
    assert narrow.marks == {}


def test_records_of_different_environments_are_refused_unless_allowed():
    elsewhere = ENVIRONMENT.model_copy(update={"cpu": "Intel 8086"})
    both = [measured(), measured("full", facts=elsewhere)]
    with pytest.raises(InputError, match=r"cpu: .* against Intel 8086"):
        comparison_rows(both)
    assert len(comparison_rows(both, allow_different=True)) == 2


def test_without_a_trained_variant_there_is_no_picture(tmp_path):
    assert write_gradient_pictures([measured(folder=tmp_path)], {}, tmp_path) == []
    assert write_gradient_pictures([Measured(variant(folder=tmp_path))], {}, tmp_path) == []
