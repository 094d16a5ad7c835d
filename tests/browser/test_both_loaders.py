"""TensorBoard reads event files with one of two loaders: both show all that lies in the run of a training."""

import urllib.parse
import urllib.request

import pytest
from fixed_run import write_run
from serving import SECONDS, answer, eventually, serving

from kerasunroll.callbacks.event_files.event_log import EventLog
from kerasunroll.report.run import Run
from kerasunroll.report.tensorboard import write_tensorboard
from kerasunroll.report.verdict.verdict import verdicts

pytestmark = pytest.mark.browser

TRAIN = "lstm-L2-U64-T64/full/train"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A comparison whose training has ended before it was reported, twice."""
    run = Run.load(write_run(tmp_path_factory.mktemp("run"), settings=("loop", "full")))
    for setting in ("loop", "full"):
        log = EventLog(run.folder / f"lstm-L2-U64-T64/{setting}/train")
        log.graph(graph("training_step"))
        log.graph(graph("forward_pass"), tag="forward")
        for epoch in range(6):
            log.scalars({"epoch_loss": 1.0 / (epoch + 1)}, epoch)
        log.close()
    for _ in range(2):
        write_tensorboard(run.rows, run.measured, verdicts(run.rows), run.folder)
    return run.folder


def graph(node: str):
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    shown = GraphDef()
    shown.node.add(name=node, op="NoOp")
    return shown


@pytest.mark.parametrize("fast", ["true", "false"])
def test_a_run_shows_its_training_and_its_costs(folder, tmp_path, fast):
    with serving(folder, tmp_path / "output.txt", f"--load_fast={fast}") as url:

        def shows_both() -> bool:
            of_run = answer(url + "data/plugin/scalars/tags").get(TRAIN, {})
            return {"epoch_loss", "comparison/step_ms"} <= set(of_run)

        eventually(shows_both)
        assert len(answer(url + f"data/plugin/scalars/scalars?{query(tag='epoch_loss')}")) == 6
        assert len(answer(url + f"data/plugin/scalars/scalars?{query(tag='comparison/step_ms')}")) == 1
        shown = answer(url + "data/plugin/graphs/info")[TRAIN]
        assert (shown["run_graph"], list(shown["tags"])) == (True, ["forward"])
        assert 'name: "training_step"' in text(url + f"data/plugin/graphs/graph?{query()}")
        assert 'name: "forward_pass"' in text(url + f"data/plugin/graphs/graph?{query(tag='forward')}")
        assert set(answer(url + "data/runs")) == {".", TRAIN, TRAIN.replace("full", "loop")}


def query(**more: str) -> str:
    return urllib.parse.urlencode({"run": TRAIN, **more})


def text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=SECONDS) as response:  # noqa: S310
        return response.read().decode()
