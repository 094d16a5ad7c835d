"""MLflow, in its store of files and in SQLite."""

import io
import re
import sys

import keras
import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from PIL import Image
from small import compiled, data, fit, stack

from kerasunroll.callbacks import GradientNormLogger, MetricsLogger, StateLogger, comparison_callbacks
from kerasunroll.callbacks.sinks import MLflowSink, mlflow_run
from kerasunroll.callbacks.sinks.mlflow_run import mlflow_name
from kerasunroll.errors import InputError, KerasunrollWarning


@pytest.fixture
def uri(tmp_path, monkeypatch) -> str:
    """A store of files, which is MLflow's own place for runs too."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri := (tmp_path / "mlruns").as_uri())
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    return uri


def only_run(client: MlflowClient, experiment: str = "Default"):
    (run,) = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return run


def history(client: MlflowClient, run_id: str, name: str) -> list[tuple[int, float]]:
    return sorted((metric.step, metric.value) for metric in client.get_metric_history(run_id, name))


def test_it_holds_what_tensorboard_holds(uri, tmp_path, events):
    sink = MLflowSink(uri, experiment="lstm", run_name="loop")
    callbacks = comparison_callbacks(tmp_path, update_freq=1, states_of=data(1)[0][:1], sinks=[sink], strict=True)
    fit(compiled(stack()), callbacks, batches=3, validation_data=data(1))
    client = MlflowClient(uri)
    run = only_run(client, "lstm")
    assert run.info.run_name == "loop"
    assert run.info.status == "FINISHED"
    names = set()
    for part in ("train", "validation"):
        seen = events(tmp_path / part)
        for tag in seen.scalar_tags:
            # TensorBoard has what is about the forward pass beside the rest of the training.
            names.add(name := f"{'forward' if tag.startswith('graph/forward') else part}/{tag}")
            logged = [(step, float(np.float32(value))) for step, value in history(client, run.info.run_id, name)]
            assert logged == list(seen.scalars(tag).items()), name
    assert set(run.data.metrics) == names
    assert {"train/epoch_loss", "train/gradient_norm/global", "forward/graph/forward_nodes"} < names

    train = events(tmp_path / "train")
    tag = "gradient_through_time/summary"
    (text,) = client.list_artifacts(run.info.run_id, f"text/train/{tag}")
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{text.path}") == train.text(tag)
    pictures = [artifact.path for artifact in client.list_artifacts(run.info.run_id, "images")]
    # MLflow writes a key's `/` as `~`, and the time after the step.
    (last,) = [path for path in pictures if re.match(r"images/train~state~lstm_2\+step\+3\+.*\.png$", path)]
    ours = mlflow.artifacts.load_image(f"{run.info.artifact_uri}/{last}")
    theirs = Image.open(io.BytesIO(train.png("state/lstm_2")))
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_by_default_the_active_run_is_written_into(uri):
    sink, model = MLflowSink(), compiled(stack())
    client = MlflowClient(uri)
    for _ in range(2):
        with mlflow.start_run() as run:
            fit(model, [MetricsLogger(None, 1, sinks=[sink], strict=True)], batches=2)
            assert client.get_run(run.info.run_id).info.status == "RUNNING"
    first, second = (run.info.run_id for run in reversed(client.search_runs(["0"])))
    assert [step for step, _ in history(client, first, "train/batch_loss")] == [1, 2]
    assert [step for step, _ in history(client, second, "train/batch_loss")] == [3, 4]


def test_without_an_active_run_the_chosen_experiment_gets_one(uri, monkeypatch):
    chosen = MlflowClient(uri).create_experiment("chosen")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", chosen)  # as mlflow.set_experiment does
    fit(compiled(stack()), [MetricsLogger(None, sinks=[MLflowSink()], strict=True)], batches=1)
    assert "train/epoch_loss" in only_run(MlflowClient(uri), "chosen").data.metrics
    assert mlflow.active_run() is None


def test_a_second_fit_takes_the_run_up_again(uri, monkeypatch):
    sink, model = MLflowSink(uri), compiled(stack())
    callbacks = [kind(None, 1, sinks=[sink], strict=True) for kind in (MetricsLogger, GradientNormLogger)]
    client, seen, during = MlflowClient(uri), [], []
    # Each entry is sent at once, so that the run is open from the first training step on.
    monkeypatch.setattr(mlflow_run, "MOST_SECONDS", 0.0)
    status = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: during.append(only_run(client).info.status))
    for _ in range(2):
        fit(model, [*callbacks, status], batches=2)
        seen.append(only_run(client).info)
    assert during == ["RUNNING", "RUNNING"]
    assert seen[0].run_id == seen[1].run_id
    assert [info.status for info in seen] == ["FINISHED", "FINISHED"]
    assert seen[1].end_time > seen[0].end_time
    for name in ("train/batch_loss", "train/gradient_norm/global"):
        assert [step for step, _ in history(client, seen[0].run_id, name)] == [1, 2, 3, 4]


def test_an_existing_run_is_left_running(uri):
    client = MlflowClient(uri)
    run_id = client.create_run("0").info.run_id
    x = data(1)[0][:1]
    fit(compiled(stack()), [StateLogger(None, x, sinks=[MLflowSink(uri, run_id=run_id)], strict=True)], batches=1)
    assert client.list_artifacts(run_id, "images")
    assert only_run(client).info.status == "RUNNING"


@pytest.mark.parametrize("store", ["file", "sqlite"])
def test_any_number_can_be_written(uri, tmp_path, store):
    uri = uri if store == "file" else f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(uri)
    run_id = client.create_run("0").info.run_id
    sink = MLflowSink(uri, run_id=run_id)
    sink.scalars("train", {"a": float("nan"), "b": float("inf"), "c": 1e-300}, 7, 12.5)
    sink.close()
    metrics = {name: client.get_metric_history(run_id, f"train/{name}") for name in "abc"}
    (nan,), (inf,), (tiny,) = metrics.values()
    assert np.isnan(nan.value)
    assert inf.value == (np.inf if store == "file" else sys.float_info.max)
    assert (tiny.value, tiny.step, tiny.timestamp) == (1e-300, 7, 12500)


def test_more_numbers_than_a_request_takes(uri):
    client = MlflowClient(uri)
    run_id = client.create_run("0").info.run_id
    sink = MLflowSink(uri, run_id=run_id)
    sink.scalars("train", {f"n{i}": float(i) for i in range(1001)}, 1, 0.0)
    # Before it is closed: they do not wait for more.
    assert client.get_run(run_id).data.metrics == {f"train/n{i}": float(i) for i in range(1001)}


NAMES = {
    "gradient_norm/lstm_1/kernel": "train/gradient_norm/lstm_1/kernel",
    "a:b<c> ä (1)": "train/a_b_c_ _ _1_",
    "/a//b/./../c/": "train/a/b/c",
    "x" * 300: "train/" + "x" * 244,
}


@pytest.mark.parametrize("tag", NAMES)
def test_names_are_what_mlflow_allows(uri, tag):
    client = MlflowClient(uri)
    run_id = client.create_run("0").info.run_id
    sink = MLflowSink(uri, run_id=run_id)
    sink.scalars("train", {tag: 1.0}, 1, 0.0)
    sink.close()
    assert client.get_run(run_id).data.metrics == {NAMES[tag]: 1.0}
    assert mlflow_name("train", tag) == NAMES[tag]


def test_a_run_that_is_gone_does_not_stop_a_training(uri, tmp_path, events):
    sink = MLflowSink(uri, run_id="0" * 32)
    with pytest.warns(KerasunrollWarning) as caught:
        fit(compiled(stack()), [MetricsLogger(tmp_path, 1, sinks=[sink])], batches=2)
    (message,) = [str(warning.message) for warning in caught]
    assert message.startswith(f"Entries are no longer logged into MLflow ({uri})")
    assert "'00000000000000000000000000000000' not found" in message
    assert list(events(tmp_path / "train").scalars("batch_loss")) == [1, 2]


def test_mlflow_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(InputError, match=re.escape("pip install 'kerasunroll[mlflow]'")):
        MLflowSink()


def test_a_place_that_mlflow_refuses_is_an_error_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "false")
    with pytest.raises(InputError, match=r"cannot keep its runs in 'file:.*MLFLOW_ALLOW_FILE_STORE=true"):
        MLflowSink((tmp_path / "refused").as_uri())
    with pytest.raises(InputError, match="cannot keep its runs in 'nonsense://x'"):
        MLflowSink("nonsense://x")


def test_an_existing_run_has_its_name(uri):
    with pytest.raises(InputError, match="expected either run_id or"):
        MLflowSink(uri, run_id="1", run_name="loop")
