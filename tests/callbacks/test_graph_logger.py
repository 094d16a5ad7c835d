"""The graphs as TensorBoard reads them back."""

import re

import keras
import numpy as np
import pytest
from small import CLASSES, F, T, compiled, data, fit, stack

from kerasunroll.callbacks import GraphLogger, comparison_callbacks


def scopes(names: list[str], below: str = "") -> set[str]:
    """The names of the boxes that open inside the box `below`."""
    return {name.removeprefix(below).split("/")[0] for name in names if name.startswith(below)}


def test_an_unrolled_layer_opens_as_its_time_steps(tmp_path, events):
    fit(compiled(stack(unroll=True)), [GraphLogger(tmp_path)])
    time_steps = {f"t{t:03d}" for t in range(T)}
    train = events(tmp_path / "train")
    for tag, kinds in (("forward", [""]), (None, ["", "gradient_tape/"])):
        names = train.node_names(tag)
        for before in kinds:
            for layer in ("lstm_1", "lstm_2"):
                assert time_steps <= scopes(names, f"{before}{layer}/")
    assert {"lstm_1", "lstm_2", "head"} <= scopes(train.node_names("forward"))


def test_a_loop_has_no_time_steps_but_a_while(tmp_path, events):
    fit(compiled(stack(unroll=False)), [GraphLogger(tmp_path)])
    nodes = {node.name: node.op for node in events(tmp_path / "train").graph().node}
    assert not any(part.startswith("t0") for name in nodes for part in name.split("/"))
    loops = [name for name, op in nodes.items() if op in ("While", "StatelessWhile")]
    assert {name.split("/")[0] for name in loops if "gradient" not in name} == {"lstm_1", "lstm_2"}


def test_all_time_steps_share_the_weights(tmp_path, events):
    fit(compiled(stack(unroll=True)), [GraphLogger(tmp_path)])
    nodes = events(tmp_path / "train").graph("forward").node
    assert [node.name for node in nodes].count("lstm_1/weights/kernel") == 1
    readers = {node.name for node in nodes if "lstm_1/weights/kernel" in node.input}
    assert scopes(list(readers), "lstm_1/") == {f"t{t:03d}" for t in range(T)}


@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
def test_the_graph_is_whole(tmp_path, events, unroll):
    """Every input of every node is there under its new name, and names are unique."""
    fit(compiled(stack(unroll)), [GraphLogger(tmp_path)])
    for tag in ("forward", None):
        nodes = events(tmp_path / "train").graph(tag).node
        names = {node.name for node in nodes}
        assert len(names) == len(nodes)
        assert {name.removeprefix("^").split(":")[0] for node in nodes for name in node.input} <= names


@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "full"])
def test_node_counts_include_the_bodies_of_loops(tmp_path, events, unroll):
    fit(compiled(stack(unroll)), [GraphLogger(tmp_path)])
    train = events(tmp_path / "train")
    for graph, tag in ((train.graph(), "graph/training_step_nodes"), (train.graph("forward"), "graph/forward_nodes")):
        in_functions = sum(len(function.node_def) for function in graph.library.function)
        assert train.scalars(tag)[0] == len(graph.node) + in_functions
        assert unroll or in_functions > 0


def test_go_backwards_counts_time_steps_in_sequence_order(tmp_path, events):
    inputs = keras.Input((T, F))
    outputs = keras.layers.Bidirectional(keras.layers.GRU(2, unroll=True, name="gru_1"), name="both")(inputs)
    model = compiled(keras.Model(inputs, keras.layers.Dense(CLASSES)(outputs)))
    fit(model, [GraphLogger(tmp_path)])
    names = events(tmp_path / "train").node_names("forward")
    in_order = list(dict.fromkeys(name.split("/")[2] for name in names if name.startswith("both/backward_gru_1/t0")))
    assert in_order == [f"t{t:03d}" for t in reversed(range(T))]


def test_masking_belongs_to_its_time_step(tmp_path, events):
    inputs = keras.Input((T, F))
    masked = keras.layers.Masking(0.0, name="masking")(inputs)
    outputs = keras.layers.SimpleRNN(2, unroll=True, name="rnn")(masked)
    fit(compiled(keras.Model(inputs, keras.layers.Dense(CLASSES)(outputs))), [GraphLogger(tmp_path)])
    selects = [node.name for node in events(tmp_path / "train").graph("forward").node if node.op == "SelectV2"]
    for t in range(T):
        assert [name for name in selects if name.startswith(f"rnn/t{t:03d}/")], f"no masking in t{t:03d}: {selects}"


def test_a_graph_that_is_too_large_is_shown_with_fewer_time_steps(tmp_path, events):
    keras.utils.set_random_seed(1)
    timesteps = 30
    model = keras.Sequential([keras.Input((timesteps, 1)), keras.layers.SimpleRNN(2, unroll=True, name="rnn")])
    model.compile("sgd", "mse")
    x, y = np.ones((4, timesteps, 1), "float32"), np.ones((4, 2), "float32")
    model.fit(x, y, verbose=0, callbacks=[GraphLogger(tmp_path, max_bytes=60_000)])
    train = events(tmp_path / "train")
    shown = {scope for scope in scopes(train.node_names(), "rnn/") if scope.startswith("t0")}
    assert {"t000", "t001", "t028", "t029"} <= shown
    assert len(shown) < timesteps
    assert f"{timesteps - len(shown)} time steps in the middle" in train.text("graph/training_step")
    names = set(train.node_names())
    assert {i.removeprefix("^").split(":")[0] for node in train.graph().node for i in node.input} <= names
    # The count is that of what runs, not of what is shown.
    assert train.scalars("graph/training_step_nodes")[0] > len(names)


def test_an_eager_model_shows_its_forward_pass(tmp_path, events):
    fit(compiled(stack(), run_eagerly=True), [GraphLogger(tmp_path)], batches=2)
    train = events(tmp_path / "train")
    assert "lstm_1" in scopes(train.node_names("forward"))
    assert not [tag for tag in train.tags if "training_step" in tag]


def test_a_second_fit_writes_no_second_graph(tmp_path):
    model, callback = compiled(stack()), GraphLogger(tmp_path)
    fit(model, [callback])
    files = sorted(tmp_path.rglob("events*"))
    fit(model, [callback])
    assert sorted(tmp_path.rglob("events*")) == files


def test_works_with_several_inputs_and_sample_weights(tmp_path, events):
    a, b = keras.Input((T, F), name="a"), keras.Input((T, F), name="b")
    joined = keras.layers.concatenate([keras.layers.LSTM(2, unroll=True, name="left")(a), keras.layers.GRU(2)(b)])
    model = keras.Model({"a": a, "b": b}, keras.layers.Dense(CLASSES)(joined))
    x, y = data(2)
    weights, callbacks = np.ones(len(y)), [GraphLogger(tmp_path)]
    compiled(model).fit({"a": x, "b": x}, y, sample_weight=weights, verbose=0, callbacks=callbacks)
    assert "t004" in scopes(events(tmp_path / "train").node_names(), "left/")


@pytest.mark.parametrize("unroll", [False, True])
def test_the_training_step_opens_as_few_boxes(tmp_path, events, unroll):
    """With every callback at work: what they and the metrics add does not stand beside the layers."""
    fit(compiled(stack(unroll)), comparison_callbacks(tmp_path, update_freq=1))
    names = events(tmp_path / "train").node_names()
    ours = "lstm_[12]|(head|activation|compile_loss|gradient_tape|bookkeeping|sgd|SGD|data|Identity|NoOp)(_[0-9]+)?"
    assert [name for name in scopes(names) if not re.fullmatch(ours, name)] == []
    # Gradients through time come out of another training step, with loops; the graph is that of the ordinary one.
    assert ({f"t{t:03d}" for t in range(T)} <= scopes(names, "lstm_1/")) is unroll
