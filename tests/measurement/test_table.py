import io

import pandas as pd
import pytest

from kerasunroll.errors import InputError
from kerasunroll.measurement.records.environment import environment
from kerasunroll.measurement.records.record import Record
from kerasunroll.measurement.records.table import comparable, to_csv, to_dataframe

HERE = environment({"OMP_NUM_THREADS": "2"})


def record(variant: str, facts=HERE, **changes) -> Record:
    configuration = {"cell": "lstm", "units": [64, 32], "fit": {"batch_size": 32}}
    return Record(
        **{"configuration": configuration, "variant": variant, "outcome": "done", "environment": facts} | changes
    )


LOOP = record(
    "loop",
    figures={"compile_seconds": 1.5, "graph_nodes": 100},
    operations={"MatMul": 12},
    path="while",
    session="one",
    stopped_by="width",
)
FULL = record("full", outcome="timeout", cause='too long, "really"\nsee the log', phase="compile")


class TestComparable:
    def test_records_of_one_environment_are_returned(self):
        assert comparable(iter([LOOP, FULL])) == [LOOP, FULL]
        assert comparable([]) == []

    def test_different_environments_are_refused_with_every_fact(self):
        elsewhere = HERE.model_copy(update={"cpu": "Intel 8086"})
        threads = HERE.model_copy(update={"flags": {}})
        with pytest.raises(InputError) as caught:
            comparable([LOOP, FULL, record("loop", elsewhere), record("full", elsewhere), record("k8", threads)])
        assert str(caught.value) == (
            "These records come from different environments, so their figures do not compare:\n"
            f"- cpu: {HERE.cpu} against Intel 8086\n"
            "- OMP_NUM_THREADS: 2 against unset\n"
            "Measure again in one environment, or allow different environments."
        )

    def test_different_environments_can_be_allowed(self):
        records = [LOOP, record("loop", HERE.model_copy(update={"cpu": "Intel 8086"}))]
        assert comparable(records, allow_different=True) == records

    def test_a_pass_that_counts_tensor_bytes_compares_with_one_that_does_not(self):
        memory = environment({"OMP_NUM_THREADS": "2", "TF_CPU_ALLOCATOR_USE_BFC": "true"})
        assert len(comparable([LOOP, record("loop", memory)])) == 2


def test_data_frame_has_a_row_per_record_and_a_column_per_fact():
    frame = to_dataframe([LOOP, FULL])
    assert list(frame["variant"]) == ["loop", "full"]
    assert list(frame["outcome"]) == ["done", "timeout"]
    assert frame["compile_seconds"][0] == 1.5
    assert frame["compile_seconds"].isna().tolist() == [False, True]
    assert frame["path"].tolist()[0] == "while"
    assert set(frame["configuration.units"]) == {"[64, 32]"}
    assert set(frame["configuration.fit.batch_size"]) == {32}
    assert set(frame["environment.flags.OMP_NUM_THREADS"]) == {"2"}
    assert set(frame["environment.cpu"]) == {HERE.cpu}
    assert frame["operations.MatMul"][0] == 12
    assert frame["stopped_by"].tolist()[0] == "width"
    assert frame["session"].tolist()[0] == "one"
    assert frame["key"].tolist() == [LOOP.key, FULL.key]


def test_csv_is_read_back_with_the_same_figures(tmp_path):
    to_csv([LOOP, FULL], tmp_path / "new" / "table.csv")
    text = (tmp_path / "new" / "table.csv").read_text(encoding="utf-8")
    frame = pd.read_csv(io.StringIO(text))
    assert frame["graph_nodes"][0] == 100
    assert frame["cause"][1] == 'too long, "really"\nsee the log'
    assert list(frame.columns) == list(to_dataframe([LOOP, FULL]).columns)
    assert frame["compile_seconds"].isna().tolist() == [False, True]


def test_csv_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="It is a file"):
        to_csv([LOOP], tmp_path / "file" / "table.csv")
