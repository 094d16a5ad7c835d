"""What the callbacks write for the tab of TensorBoard's: norms over time, states, facts."""

import json

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from kerasunroll import Regression, gru_stack, lstm_stack, simple_rnn_stack
from kerasunroll.callbacks import GradientFlowLogger, GraphLogger, MetricsLogger, StateLogger
from kerasunroll.callbacks.sinks import Sink
from kerasunroll.inspection import gradients_through_time, hidden_states

T, F = 5, 2
GATES = {
    "lstm": {"input_gate", "forget_gate", "candidate", "output_gate"},
    "gru": {"update_gate", "reset_gate", "candidate"},
    "simple_rnn": set(),
}
STACKS = {"lstm": lstm_stack, "gru": gru_stack, "simple_rnn": simple_rnn_stack}


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    return rng.normal(size=(4, T, F)).astype("float32"), rng.normal(size=(4, 1)).astype("float32")


def compiled(cell, unroll=False, dtype=None):
    keras.utils.set_random_seed(3)
    model = STACKS[cell](input_shape=(T, F), units=(3, 4), head=Regression(1), unroll=unroll, dtype=dtype)
    model.compile("sgd", "mse")
    return model


def read(folder):
    """The arrays of a run by tag, with what is said about each."""
    (file,) = (folder / "train").iterdir()
    events = EventAccumulator(str(file), size_guidance={"tensors": 0}).Reload()
    found = {}
    for tag in events.PluginTagToContent("kerasunroll"):
        about = json.loads(events.SummaryMetadata(tag).plugin_data.content)
        found[tag] = (about, [make_ndarray(event.tensor_proto) for event in events.Tensors(tag)])
    return found


def norms(values):
    return np.sqrt((values.astype(float) ** 2).sum(axis=-1)).mean(axis=0)


@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
@pytest.mark.parametrize("cell", list(GATES))
def test_the_gates_of_a_training_step_are_those_of_the_same_batch(cell, unroll, batch, tmp_path):
    model = compiled(cell, unroll)
    expected = gradients_through_time(model, *batch, per_unit=True)
    model.fit(*batch, verbose=0, callbacks=[GradientFlowLogger(tmp_path, strict=True)])
    found = read(tmp_path)
    for layer in expected.layers:
        gates = {tag.split("/")[-1] for tag in found if tag.startswith(f"gradient_through_time/{layer.layer}/")}
        assert gates == {"h", "x", "masked", *GATES[cell], *(["c"] if cell == "lstm" else [])}
        for name in gates - {"masked"}:
            about, (logged,) = found[f"gradient_through_time/{layer.layer}/{name}"]
            assert about == {"shows": "gradient", "layer": layer.layer, "of": name, "go_backwards": False}
            assert logged == pytest.approx(norms(layer.per_unit[name]), rel=1e-4), name


def test_half_precision_does_not_lose_the_gates(batch, tmp_path):
    model = compiled("lstm", dtype="mixed_float16")
    expected = gradients_through_time(compiled("lstm"), *batch, per_unit=True)
    model.fit(*batch, verbose=0, callbacks=[GradientFlowLogger(tmp_path, strict=True)])
    found = read(tmp_path)
    for layer in expected.layers:
        for gate in GATES["lstm"]:
            _, (logged,) = found[f"gradient_through_time/{layer.layer}/{gate}"]
            assert logged == pytest.approx(norms(layer.per_unit[gate]), rel=0.05, abs=1e-5), gate


def test_a_probe_batch_gives_the_gates_too(batch, tmp_path):
    model = compiled("gru")
    expected = gradients_through_time(model, *batch, per_unit=True)
    keras.utils.set_random_seed(0)
    model.optimizer.learning_rate = 0.0
    model.fit(*batch, verbose=0, callbacks=[GradientFlowLogger(tmp_path, probe=batch, strict=True)])
    _, (logged,) = read(tmp_path)["gradient_through_time/gru_1/reset_gate"]
    assert logged == pytest.approx(norms(expected["gru_1"].per_unit["reset_gate"]), rel=1e-4)


def test_gates_can_be_left_out(batch, tmp_path):
    compiled("gru").fit(*batch, verbose=0, callbacks=[GradientFlowLogger(tmp_path, gates=False, strict=True)])
    assert not any("gate" in tag for tag in read(tmp_path))


def test_states_of_the_first_sequence(batch, tmp_path):
    model = compiled("lstm")
    model.fit(*batch, verbose=0, callbacks=[StateLogger(tmp_path, batch[0], strict=True)])
    expected = hidden_states(model, batch[0])["lstm_2"]
    found = read(tmp_path)
    about, entries = found["state/lstm_2/h"]
    assert about["units"] == [0, 1, 2, 3]
    assert entries[-1] == pytest.approx(expected.h[0], abs=1e-3)
    about, entries = found["state/lstm_2/forget_gate"]
    assert about["share"]
    assert entries[-1] == pytest.approx(expected.gates["forget_gate"][0], abs=1e-3)
    assert found["state/lstm_1/x"][1][-1] == pytest.approx(batch[0][0], abs=1e-2)


def test_of_wide_layers_some_units_are_written(batch, tmp_path, monkeypatch):
    monkeypatch.setattr("kerasunroll.callbacks.state_logger.MOST_VALUES", 2 * T)
    compiled("gru").fit(*batch, verbose=0, callbacks=[StateLogger(tmp_path, batch[0], strict=True)])
    about, entries = read(tmp_path)["state/gru_2/h"]
    assert about["units"] == [0, 3]
    assert entries[0].shape == (T, 2)


def test_facts_of_a_training(batch, tmp_path):
    callbacks = [MetricsLogger(tmp_path, strict=True), GraphLogger(tmp_path, strict=True)]
    compiled("gru").fit(*batch, verbose=0, callbacks=callbacks)
    found = read(tmp_path)
    _, (began,) = found["training/began"]
    assert json.loads(began.item()) == {"model": "gru-L2-U3-4-T5"}
    operations = json.loads(found["graph/training_step_operations"][1][0].item())
    assert operations["MatMul"] > json.loads(found["graph/forward_operations"][1][0].item())["MatMul"] > 0


def test_a_sink_of_ones_own_takes_arrays_and_facts(batch):
    class Kept(Sink):
        def __init__(self):
            self.found = {}

        def array(self, run, tag, values, step, about):
            self.found[tag] = (run, values.shape, step, about["of"])

        def facts(self, run, tag, values, step):
            self.found[tag] = (run, values, step)

    sink = Kept()
    callbacks = [GradientFlowLogger(None, sinks=[sink]), MetricsLogger(None, sinks=[sink])]
    compiled("gru").fit(*batch, verbose=0, callbacks=callbacks)
    assert sink.found["gradient_through_time/gru_1/update_gate"] == ("train", (T,), 1, "update_gate")
    assert sink.found["training/began"] == ("train", {"model": "gru-L2-U3-4-T5"}, 0)
