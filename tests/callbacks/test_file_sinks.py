"""JSON lines and CSV, and the sink that the documentation shows."""

import json
import resource
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small import compiled, data, fit, stack
from tensorboard.util.tensor_util import make_ndarray

from kerasunroll.callbacks import GradientNormLogger, MetricsLogger
from kerasunroll.callbacks.sinks import CsvSink, JsonLinesSink
from kerasunroll.errors import InputError

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
from pages import DOCS, fences

HEADER = "run,tag,step,wall_time,value"


def refused(constant: str):
    raise ValueError(f"no strict JSON: {constant}")


def json_entries(path: Path) -> list[dict]:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line, parse_constant=refused) for line in text.splitlines()]


def csv_entries(path: Path) -> list[dict]:
    return pd.read_csv(path).to_dict("records")


def steps(entries: list[dict], tag: str) -> list[int]:
    return [entry["step"] for entry in entries if entry["tag"] == tag]


@contextmanager
def disk_of(size: int):
    """Let no file grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_both_hold_the_numbers_of_the_event_files(tmp_path, events):
    sinks = [JsonLinesSink(tmp_path / "deep" / "run.jsonl"), CsvSink(tmp_path / "deep" / "run.csv")]
    callbacks = [kind(tmp_path, 1, sinks=sinks, strict=True) for kind in (MetricsLogger, GradientNormLogger)]
    fit(compiled(stack()), callbacks, batches=3, validation_data=data(1))
    expected = set()
    for run in ("train", "validation"):
        seen = events(tmp_path / run)
        for tag in seen.scalar_tags:
            for event in seen._events.Tensors(tag):
                expected.add((run, tag, event.step, event.wall_time, make_ndarray(event.tensor_proto).item()))
    assert len({tag for _, tag, *_ in expected}) > 10
    json_lines, csv_rows = json_entries(tmp_path / "deep" / "run.jsonl"), csv_entries(tmp_path / "deep" / "run.csv")
    for entries in (json_lines, csv_rows):
        values = [[entry[name] for name in HEADER.split(",")] for entry in entries]
        assert {(*rest, float(np.float32(value))) for *rest, value in values} == expected
        assert len(values) == len(expected)
    # In the precision of Python, which an event file has not.
    assert [entry["value"] for entry in json_lines] == [entry["value"] for entry in csv_rows]


@pytest.mark.parametrize(("kind", "read"), [(JsonLinesSink, json_entries), (CsvSink, csv_entries)])
def test_a_second_fit_goes_on(tmp_path, kind, read):
    path, model = tmp_path / "run", compiled(stack())
    sink = kind(path)
    callbacks = [MetricsLogger(None, 1, sinks=[sink]), GradientNormLogger(None, sinks=[sink])]
    fit(model, callbacks, batches=2)
    fit(model, callbacks, batches=2)
    assert steps(read(path), "gradient_norm/global") == [1, 2, 3, 4]
    fit(model, [MetricsLogger(None, 1, sinks=[kind(path)])], batches=1)  # a new sink, as after a restart
    assert steps(read(path), "batch_loss") == [1, 2, 3, 4, 5]
    assert steps(read(path), "epoch_loss") == [0, 1, 0]


def test_a_loss_that_is_not_a_number_can_be_read(tmp_path):
    sinks = [JsonLinesSink(tmp_path / "run.jsonl"), CsvSink(tmp_path / "run.csv")]
    model = compiled(stack())
    model.layers[0].set_weights([np.full_like(weight, np.nan) for weight in model.layers[0].get_weights()])
    fit(model, [MetricsLogger(None, sinks=sinks, strict=True)], batches=1)
    (loss,) = [entry for entry in json_entries(tmp_path / "run.jsonl") if entry["tag"] == "epoch_loss"]
    assert loss["value"] is None
    assert loss["not_finite"] == "nan"
    (loss,) = [entry for entry in csv_entries(tmp_path / "run.csv") if entry["tag"] == "epoch_loss"]
    assert np.isnan(loss["value"])


def test_any_number_and_any_name_can_be_written(tmp_path):
    values = {"a": float("inf"), "b": float("-inf"), "c": float("nan"), "d": 1e-300, 'e, "quoted" ä\n': 0.1}
    json_lines, table = JsonLinesSink(tmp_path / "run.jsonl"), CsvSink(tmp_path / "run.csv")
    for sink in (json_lines, table):
        sink.scalars("train", values, 3, 0.5)
        sink.close()
    entries = json_entries(tmp_path / "run.jsonl")
    assert [entry.get("not_finite") for entry in entries] == ["inf", "-inf", "nan", None, None]
    assert [entry["value"] for entry in entries] == [None, None, None, 1e-300, 0.1]
    rows = csv_entries(tmp_path / "run.csv")
    np.testing.assert_equal([row["value"] for row in rows], list(values.values()))
    assert [row["tag"] for row in rows] == [entry["tag"] for entry in entries] == list(values)


@pytest.mark.parametrize(("kind", "read"), [(JsonLinesSink, json_entries), (CsvSink, csv_entries)])
def test_an_entry_is_on_disk_before_the_file_is_closed(tmp_path, kind, read):
    sink, other = kind(tmp_path / "run"), kind(tmp_path / "run")
    sink.scalars("train", {"a": 1.0}, 1, 0.5)
    other.scalars("train", {"a": 2.0}, 2, 0.5)
    assert [entry["value"] for entry in read(tmp_path / "run")] == [1.0, 2.0]
    for each in (sink, other, sink):
        each.close()


def test_after_a_full_disk_lines_are_whole_again(tmp_path):
    sink = JsonLinesSink(tmp_path / "run")
    sink.scalars("train", {"a": 1.0}, 1, 0.5)
    with disk_of((tmp_path / "run").stat().st_size + 20), pytest.raises(OSError, match="only part of an entry"):
        sink.scalars("train", {"a": 2.0}, 2, 0.5)
    sink.close()
    sink.scalars("train", {"a": 3.0}, 3, 0.5)
    sink.close()
    first, torn, last = (tmp_path / "run").read_text().splitlines()
    assert [json.loads(line)["value"] for line in (first, last)] == [1.0, 3.0]
    assert len(torn) == 20


def test_a_table_with_other_columns_is_not_appended_to(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("date,price\n2024-01-01,3\n")
    with pytest.raises(InputError, match=f"expected the first line '{HEADER}'"):
        CsvSink(path).scalars("train", {"a": 1.0}, 1, 0.5)
    assert path.read_text() == "date,price\n2024-01-01,3\n"


def test_the_sink_of_the_documentation_works(tmp_path):
    (block,) = [block for block in fences(DOCS / "how-to" / "other-loggers.md", "python") if "(Sink)" in block]
    code = block[block.index("class ") :]
    assert code.count("\n") <= 10
    names: dict = {}
    exec(compile(block, "other-loggers.md", "exec"), names)  # noqa: S102
    sink, kept = names["DatabaseSink"](tmp_path / "run.db"), JsonLinesSink(tmp_path / "run.jsonl")
    callbacks = [kind(None, 1, sinks=[sink, kept], strict=True) for kind in (MetricsLogger, GradientNormLogger)]
    model = compiled(stack())
    fit(model, callbacks, batches=2)
    fit(model, callbacks, batches=2)
    rows = sink.database.execute(f"select {HEADER} from scalars").fetchall()  # noqa: S608
    sink.database.close()
    assert rows == [tuple(entry.values()) for entry in json_entries(tmp_path / "run.jsonl")]
    assert len(rows) > 20
