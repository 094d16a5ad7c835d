"""`kerasunroll.measure(threads=...)`, for real: one network on one thread and on TensorFlow's own number of them."""

import numpy as np
import pytest

import kerasunroll
from kerasunroll.errors import InputError
from kerasunroll.models import StackConfig
from kerasunroll.tasks import Classification

STACK = StackConfig(cell="lstm", input_shape=(4, 2), units=(3,), head=Classification(3))
QUICK = {"processes": 1, "max_rounds": 10, "progress": False, "inference": False}


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(48, 4, 2)).astype("float32"), rng.integers(0, 3, 48)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("threads") / "run"
    return kerasunroll.measure(STACK, *data(), threads=[1, "default"], folder=folder, **QUICK)


def test_the_same_network_takes_turns_on_both(measured):
    assert [(row.setting, row.outcome) for row in measured.rows] == [("loop-threads1", "done"), ("loop", "done")]
    assert len({record.session for record in measured.records if record.session}) == 1
    on_one, own = measured.rows
    assert (on_one.baseline, own.baseline) == ("loop", None)
    assert on_one.against_loop.low < on_one.against_loop.ratio < on_one.against_loop.high
    assert on_one.operations == own.operations


def test_it_computes_the_same_up_to_rounding(measured):
    assert 0 <= measured.verdict.differences["loop-threads1"] <= measured.verdict.tolerance
    assert measured.verdict.take in ("loop", "loop-threads1")


def test_the_table_has_a_column_of_threads(measured):
    table = measured.table.set_index("setting")
    assert table.loc["loop-threads1", "threads"] == "1"
    assert table["threads"].isna()["loop"]


def test_what_was_measured_is_read_again_and_compared(measured):
    again = kerasunroll.Comparison.load(measured.folder)
    assert [row.config.threads for row in again.rows] == [row.config.threads for row in measured.rows]
    assert again.missing == []
    changes = measured.diff(again)
    assert {change.setting for change in changes.changes} == {"loop", "loop-threads1"}
    page = measured.report(measured.folder / "report.html").read_text(encoding="utf-8")
    assert "loop-threads1" in page


@pytest.mark.parametrize(
    ("threads", "message"),
    [
        ([], "at least one number of threads"),
        ([1, "1"], "'1' is there twice"),
        ([None, "default"], "'default' is there twice"),
        (0, "Invalid threads: expected a number from 1 to 1024"),
        ("few", "Invalid threads"),
    ],
)
def test_what_cannot_be_used_is_refused(threads, message, tmp_path):
    with pytest.raises(InputError, match=message):
        kerasunroll.compare(STACK, *data(), threads=threads, folder=tmp_path / "run", **QUICK)
    assert not (tmp_path / "run").exists()


def test_a_run_that_goes_on_keeps_its_threads(measured):
    with pytest.raises(InputError, match="threads= cannot be given with it"):
        kerasunroll.compare(resume=measured, threads=2)
